// SPDX-License-Identifier: Apache-2.0
// Keys from passwords (manual ch. 1, "NSRP Cluster Authentication and Encryption"). scrypt (RFC 7914) stretches them
// into one master key for the cluster; HKDF (RFC 5869) derives from it a key for each purpose.
//
//   Result<std::shared_ptr<const Keys>> keys = derive_keys(auth_password, encrypt_password, cluster);
//
// derive_keys() is slow on purpose, about 100 ms and 32 MiB: never call it on the thread that sends heartbeats.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "core/message.h"
#include "wire/frame.h"
#include "wire/secret_key.h"

namespace nsrp::wire {

class Keys {
 public:
  Keys(const SecretKey& master, Protection protection);

  // Names the passwords to who holds them too; never 0. It tells nobody else anything but "the same" or "another".
  uint32_t id() const { return id_; }
  Protection protection() const { return protection_; }

  // What a member seals its frames with on one of its links, from one start of its daemon to the next. So a counter
  // makes a nonce that is never used twice.
  SecretKey frame_key(UnitId sender, core::LinkIndex link, uint64_t boot_epoch) const;
  // For the RTO channel between two members, in whatever order they are named.
  SecretKey channel_key(UnitId one, UnitId other) const;

 private:
  SecretKey master_;
  Protection protection_;
  uint32_t id_;
};

// nullptr without a password. Frames are encrypted when there is an encryption password, else authenticated.
Result<std::shared_ptr<const Keys>> derive_keys(const std::string& auth_password, const std::string& encrypt_password,
                                                ClusterId cluster);

}  // namespace nsrp::wire
