// SPDX-License-Identifier: Apache-2.0
// One rtnetlink request socket (libnl): requests that are answered at once, and dumps.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

struct nl_sock;
struct nl_msg;

namespace nsrp::kernel {

// A request under construction: its fixed header, then attributes.
class RtMessage {
 public:
  template <class Header>
  RtMessage(int type, int flags, const Header& header) : RtMessage(type, flags, &header, sizeof header) {}
  RtMessage(const RtMessage&) = delete;
  RtMessage& operator=(const RtMessage&) = delete;
  ~RtMessage();

  void put(int attribute, const void* data, size_t size);
  void put_u32(int attribute, uint32_t value) { put(attribute, &value, sizeof value); }
  // IFLA_LINKINFO of a device of this kind, with the attributes that `data` puts.
  void put_link_info(const std::string& kind, const std::function<void()>& data);
  nl_msg* get() const { return message_; }

 private:
  RtMessage(int type, int flags, const void* header, size_t size);
  nl_msg* message_;
};

class Rtnetlink {
 public:
  static Result<std::unique_ptr<Rtnetlink>> open();
  ~Rtnetlink();

  // What the kernel said: 0 or an errno, and its own words when it has some.
  struct Answer {
    int error = 0;
    std::string text;
    bool ok() const { return error == 0; }
    std::string reason() const;
  };
  // `visit` gets what is told before the verdict: the object that was asked for.
  Answer request(const RtMessage& message, const std::function<void(const nlmsghdr*)>& visit = {});

  // A dump the kernel interrupted (something changed meanwhile) begins anew, so `visit` may see an object twice;
  // `begin` is called before each attempt.
  Status dump(const RtMessage& message, const std::function<void()>& begin,
              const std::function<void(const nlmsghdr*)>& visit);

 private:
  explicit Rtnetlink(nl_sock* socket) : socket_(socket) {}
  nl_sock* socket_;
};

}  // namespace nsrp::kernel
