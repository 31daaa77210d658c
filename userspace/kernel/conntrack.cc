// SPDX-License-Identifier: Apache-2.0
#include "kernel/conntrack.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "kernel/ctnetlink.h"
#include "kernel/sysctl.h"

namespace nsrp::kernel {
namespace {

constexpr int kEventBuffer = 8 << 20;
// An entry may appear or vanish between two of our requests. Twice in a row it does not.
constexpr int kRounds = 3;

Result<UniqueFd> listen_for_ends() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = NF_NETLINK_CONNTRACK_DESTROY;
  const int on = 1;
  // With these two a full buffer loses nothing: the kernel learns that an event was not delivered, keeps the ended
  // entry, and tries again.
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_BROADCAST_ERROR, &on, sizeof on) != 0 ||
      ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(std::string("cannot listen for the end of conntrack entries: ") + std::strerror(errno));
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof kEventBuffer);
  return fd;
}

}  // namespace

struct Conntrack::Impl {
  explicit Impl(ctnetlink::Channel requests) : channel(std::move(requests)) {}
  ctnetlink::Channel channel;
  UniqueFd events;

  using Entries = std::vector<const SessionEntry*>;
  using Found = std::vector<std::optional<ctnetlink::Entry>>;
  Result<Found> look_up(const Entries& entries);
  // Each tries `entries`, counts what is settled, and returns what is to be tried anew.
  Result<Entries> create(const Entries& entries, uint32_t min_timeout_s, InsertResult& result);
  Result<Entries> settle_existing(const Entries& entries, uint32_t min_timeout_s, bool last, InsertResult& result);
  Result<Entries> update(const Entries& entries, const Found& found, uint32_t min_timeout_s, InsertResult& result);
};

Conntrack::Conntrack() = default;
Conntrack::~Conntrack() = default;

Result<std::unique_ptr<Conntrack>> Conntrack::open() {
  // By default the kernel equips an entry for events only while somebody listens: entries made before the listener
  // came, or while the daemon restarts, would end in silence. Kept on when we leave, for the same reason.
  Sysctls sysctls;
  if (auto done = sysctls.set("netfilter/nf_conntrack_events", 1); !done)
    return fail("conntrack is not available: " + done.error().message);
  auto channel = ctnetlink::Channel::open();
  if (!channel) return fail(channel.error());
  auto events = listen_for_ends();
  if (!events) return fail(events.error());
  std::unique_ptr<Conntrack> self(new Conntrack);
  self->impl_ = std::make_unique<Impl>(std::move(*channel));
  self->impl_->events = std::move(*events);
  return self;
}

Result<InsertResult> Conntrack::install(std::span<const SessionEntry> entries, uint32_t min_timeout_s) {
  InsertResult result;
  Impl::Entries pending;
  for (const SessionEntry& entry : entries) {
    if (ctnetlink::consistent(entry)) {
      pending.push_back(&entry);
    } else {
      ++result.failed;
      result.last_errno = EINVAL;
    }
  }
  for (int round = 1; round <= kRounds && !pending.empty(); ++round) {
    auto existing = impl_->create(pending, min_timeout_s, result);
    if (!existing) return fail(existing.error());
    auto again = impl_->settle_existing(*existing, min_timeout_s, round == kRounds, result);
    if (!again) return fail(again.error());
    pending = std::move(*again);
  }
  return result;
}

Result<Conntrack::Impl::Entries> Conntrack::Impl::create(const Entries& entries, uint32_t min_timeout_s,
                                                         InsertResult& result) {
  const auto verdicts = channel.run(entries.size(), [&](nlmsghdr* message, size_t i) {
    ctnetlink::write_create(message, *entries[i], min_timeout_s);
  });
  if (!verdicts) return fail(verdicts.error());
  Entries existing;
  for (size_t i = 0; i < entries.size(); ++i) {
    const int error = (*verdicts)[i];
    if (error == 0) {
      ++result.installed;
    } else if (error == EEXIST) {
      existing.push_back(entries[i]);
    } else {
      ++result.failed;
      result.last_errno = error;
    }
  }
  return existing;
}

// The kernel says "exists" for two things: the flow is known already, or one of its two tuples belongs to another flow.
Result<Conntrack::Impl::Entries> Conntrack::Impl::settle_existing(const Entries& entries, uint32_t min_timeout_s,
                                                                  bool last, InsertResult& result) {
  if (entries.empty()) return Entries{};
  const auto found = look_up(entries);
  if (!found) return fail(found.error());

  Entries again, to_update;
  Found to_update_found;
  std::vector<nsrp_tuple> to_delete;
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& present = (*found)[i];
    const bool known = present && ctnetlink::same(present->original, entries[i]->key);
    if (known && ctnetlink::same(present->reply, entries[i]->session.reply)) {
      to_update.push_back(entries[i]);
      to_update_found.push_back(present);
    } else if (last || (present && !known)) {  // its tuple is another flow's reply
      ++result.failed;
      result.last_errno = EEXIST;
    } else {
      // Known with another translation, which cannot be changed in place: it goes, and is created again. Not found at
      // all: it ended meanwhile, or another flow has its reply tuple; the next attempt tells.
      if (known) to_delete.push_back(entries[i]->key);
      again.push_back(entries[i]);
    }
  }
  const auto deleted = channel.run(
      to_delete.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_delete(message, to_delete[i]); });
  if (!deleted) return fail(deleted.error());
  const auto changed = update(to_update, to_update_found, min_timeout_s, result);
  if (!changed) return fail(changed.error());
  if (last) {
    result.failed += changed->size();
    if (!changed->empty()) result.last_errno = EBUSY;
  } else {
    again.insert(again.end(), changed->begin(), changed->end());
  }
  return again;
}

Result<Conntrack::Impl::Entries> Conntrack::Impl::update(const Entries& entries, const Found& found,
                                                         uint32_t min_timeout_s, InsertResult& result) {
  const auto verdicts = channel.run(entries.size(), [&](nlmsghdr* message, size_t i) {
    ctnetlink::write_update(message, *entries[i], min_timeout_s, found[i]->status);
  });
  if (!verdicts) return fail(verdicts.error());
  Entries again;
  for (size_t i = 0; i < entries.size(); ++i) {
    const int error = (*verdicts)[i];
    if (error == 0) {
      ++result.installed;
    } else if (error == ENOENT || error == EBUSY) {  // ended, or its status grew, since we looked
      again.push_back(entries[i]);
    } else {
      ++result.failed;
      result.last_errno = error;
    }
  }
  return again;
}

Result<Conntrack::Impl::Found> Conntrack::Impl::look_up(const Entries& entries) {
  Found found(entries.size());
  const auto verdicts = channel.run(
      entries.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_get(message, entries[i]->key); },
      [&](const nlmsghdr* message, size_t i) { found[i] = ctnetlink::parse_entry(message); });
  if (!verdicts) return fail(verdicts.error());
  return found;
}

Status Conntrack::remove(std::span<const nsrp_tuple> keys) {
  const auto verdicts =
      impl_->channel.run(keys.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_delete(message, keys[i]); });
  if (!verdicts) return fail(verdicts.error());
  for (const int error : *verdicts)
    if (error != 0 && error != ENOENT)
      return fail(std::string("cannot delete a conntrack entry: ") + std::strerror(error));
  return {};
}

Result<bool> Conntrack::exists(const nsrp_tuple& key) {
  SessionEntry entry{};
  entry.key = key;
  const auto found = impl_->look_up({&entry});
  if (!found) return fail(found.error());
  return found->front() && ctnetlink::same(found->front()->original, key);
}

Result<size_t> Conntrack::count() {
  size_t count = 0;
  const auto verdicts = impl_->channel.run(
      1, [](nlmsghdr* message, size_t) { ctnetlink::write_stats_request(message); },
      [&](const nlmsghdr* message, size_t) { count = ctnetlink::parse_stats(message); });
  if (!verdicts) return fail(verdicts.error());
  if (verdicts->front() != 0)
    return fail(std::string("cannot count conntrack entries: ") + std::strerror(verdicts->front()));
  return count;
}

int Conntrack::destroy_fd() const {
  return impl_->events.get();
}

void Conntrack::consume_destroyed(const std::function<void(const nsrp_tuple&)>& ended) {
  alignas(nlmsghdr) static thread_local char buffer[1 << 16];
  for (;;) {
    const ssize_t size = ::recv(impl_->events.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;  // EAGAIN: all read
    int left = static_cast<int>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left))
      if (const auto entry = ctnetlink::parse_entry(message)) ended(entry->original);
  }
}

}  // namespace nsrp::kernel
