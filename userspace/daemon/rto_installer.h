// SPDX-License-Identifier: Apache-2.0
// Puts the peer's sessions into the session table and into conntrack, and takes them out again. A record never stands
// without its conntrack entry, but for those that are tried again soon. Lives on the RTO thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/helper_thread.h"
#include "daemon/rto_set_aside.h"
#include "kernel/conntrack.h"
#include "kernel/session_table.h"
#include "rto/codec.h"

namespace nsrp::daemon {

class RtoInstaller {
 public:
  RtoInstaller(kernel::SessionTable& table, kernel::Conntrack& conntrack) : table_(table), conntrack_(conntrack) {}

  // install() and retry() return how many could not be installed for good.
  uint64_t install(std::vector<rto::Session> sessions);
  // Conntrack refuses an entry while a flow that has ended at the peer still holds its tuple here (a NAT port given to
  // the next client). Called now and then, it tries once more.
  uint64_t retry();
  Status remove(std::span<const nsrp_tuple> keys);

  // How many of the peer's sessions cannot be installed here; they count as neither missing nor failed.
  size_t not_installable() const { return set_aside_.size(); }
  void forget_set_aside(const std::function<bool(const rto::Session&)>& gone) { set_aside_.forget_if(gone); }
  void append_set_aside(std::vector<rto::Session>& sessions) const { set_aside_.append_to(sessions); }
  const std::string& last_failure() const { return last_failure_; }

 private:
  struct Refused {
    rto::Session session;
    unsigned attempts = 0;
  };
  // Sessions on their way into conntrack.
  struct Installation {
    std::vector<Refused> sessions;
    std::vector<uint32_t> known_status;
    Result<kernel::InsertResult> result{};
  };

  void put_into_conntrack(Installation& wanted);
  uint64_t settle(Installation& done);
  uint64_t store(std::vector<rto::Session>& sessions, std::vector<uint32_t>& known_status);
  void forget(std::span<const nsrp_tuple> keys);
  uint64_t retry_set_aside();

  kernel::SessionTable& table_;
  kernel::Conntrack& conntrack_;
  std::vector<Refused> refused_;
  RtoSetAside set_aside_;
  std::string last_failure_;
  HelperThread helper_;  // ends before what it works with
};

}  // namespace nsrp::daemon
