// SPDX-License-Identifier: Apache-2.0
// Network namespaces without names: nothing to clean up, the kernel takes them when the last descriptor closes.
#pragma once

#include <functional>
#include <string>

#include "base/ids.h"
#include "kernel/unique_fd.h"

namespace nsrp::test {

class Namespace {
 public:
  Namespace();  // a new one; the calling thread stays where it is

  // Runs `what` inside; sockets made there belong to it for good.
  template <class Function>
  auto in(const Function& what) const {
    const Visit visit(fd_.get());
    return what();
  }
  void run(const std::string& command) const;  // a shell command that must succeed
  IfIndex ifindex(const std::string& name) const;
  std::string path() const;  // what "ip link … netns" takes

 private:
  struct Visit {
    explicit Visit(int fd);
    ~Visit();
    kernel::UniqueFd home;
  };
  kernel::UniqueFd fd_;
};

// Puts the calling thread into a namespace of its own for good.
void leave_home_namespace();
// A shell command that must succeed, in the calling thread's namespace.
void run(const std::string& command);
std::string output_of(const std::string& command);
// A veth pair between two namespaces, both ends up, without checksum offload.
void connect(const Namespace& a, const std::string& name_a, const Namespace& b, const std::string& name_b);
// An XDP program that passes everything: a veth peer that receives XDP_TX or redirected frames must have one.
void attach_pass(IfIndex ifindex, uint32_t xdp_flags);
// A tc ingress filter that is not ours, at the given priority.
void attach_foreign_filter(IfIndex ifindex, uint32_t priority);

// Asks again until it is true or half a minute is over.
bool eventually(const std::function<bool()>& condition);

}  // namespace nsrp::test
