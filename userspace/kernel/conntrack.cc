// SPDX-License-Identifier: Apache-2.0
#include "kernel/conntrack.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
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

  // Entries of one call of install(), by their place in it.
  using Places = std::vector<size_t>;
  using Found = std::vector<std::optional<ctnetlink::Entry>>;
  struct Task {
    std::span<const SessionEntry> entries;
    uint32_t min_timeout_s;
    InsertResult result;
    void fail(size_t place, int error) { result.failures.push_back({place, error}); }
  };
  Result<Found> look_up(std::span<const nsrp_tuple> keys);
  // Each tries `places`, counts what is settled, and returns what is to be tried anew.
  Result<Places> create(Task& task, const Places& places);
  Result<Places> settle_existing(Task& task, const Places& places, bool last);
  Result<Places> update(Task& task, const Places& places, std::span<const uint32_t> status);
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

Result<InsertResult> Conntrack::install(std::span<const SessionEntry> entries, uint32_t min_timeout_s,
                                        std::span<const uint32_t> known_status) {
  Impl::Task task{entries, min_timeout_s, {}};
  Impl::Places pending, known;
  std::vector<uint32_t> status;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!ctnetlink::consistent(entries[i])) {
      task.fail(i, EINVAL);
    } else if (i < known_status.size() && known_status[i] != 0) {
      known.push_back(i);
      status.push_back(known_status[i]);
    } else {
      pending.push_back(i);
    }
  }
  const auto unknown = impl_->update(task, known, status);
  if (!unknown) return fail(unknown.error());
  pending.insert(pending.end(), unknown->begin(), unknown->end());
  for (int round = 1; round <= kRounds && !pending.empty(); ++round) {
    auto existing = impl_->create(task, pending);
    if (!existing) return fail(existing.error());
    auto again = impl_->settle_existing(task, *existing, round == kRounds);
    if (!again) return fail(again.error());
    pending = std::move(*again);
  }
  return std::move(task.result);
}

Result<Conntrack::Impl::Places> Conntrack::Impl::create(Task& task, const Places& places) {
  const auto verdicts = channel.run(places.size(), [&](nlmsghdr* message, size_t i) {
    ctnetlink::write_create(message, task.entries[places[i]], task.min_timeout_s);
  });
  if (!verdicts) return fail(verdicts.error());
  Places existing;
  for (size_t i = 0; i < places.size(); ++i) {
    const int error = (*verdicts)[i];
    if (error == 0) {
      ++task.result.installed;
    } else if (error == EEXIST) {
      existing.push_back(places[i]);
    } else {
      task.fail(places[i], error);
    }
  }
  return existing;
}

// The kernel says "exists" for two things: the flow is known already, or one of its two tuples belongs to another flow.
Result<Conntrack::Impl::Places> Conntrack::Impl::settle_existing(Task& task, const Places& places, bool last) {
  if (places.empty()) return Places{};
  std::vector<nsrp_tuple> keys;
  for (const size_t place : places) keys.push_back(task.entries[place].key);
  const auto found = look_up(keys);
  if (!found) return fail(found.error());

  Places again, to_update;
  std::vector<uint32_t> status;
  std::vector<nsrp_tuple> to_delete;
  for (size_t i = 0; i < places.size(); ++i) {
    const auto& present = (*found)[i];
    const bool known = present && ctnetlink::same(present->original, keys[i]);
    if (known && ctnetlink::same(present->reply, task.entries[places[i]].session.reply)) {
      to_update.push_back(places[i]);
      status.push_back(present->status);
    } else if (last || (present && !known)) {  // its tuple is another flow's reply
      task.fail(places[i], EEXIST);
    } else {
      // Known with another translation, which cannot be changed in place: it goes, and is created again. Not found at
      // all: it ended meanwhile, or another flow has its reply tuple; the next attempt tells.
      if (known) to_delete.push_back(keys[i]);
      again.push_back(places[i]);
    }
  }
  const auto deleted = channel.run(
      to_delete.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_delete(message, to_delete[i]); });
  if (!deleted) return fail(deleted.error());
  const auto changed = update(task, to_update, status);
  if (!changed) return fail(changed.error());
  if (last) {
    for (const size_t place : *changed) task.fail(place, EBUSY);
  } else {
    again.insert(again.end(), changed->begin(), changed->end());
  }
  return again;
}

Result<Conntrack::Impl::Places> Conntrack::Impl::update(Task& task, const Places& places,
                                                        std::span<const uint32_t> status) {
  const auto verdicts = channel.run(places.size(), [&](nlmsghdr* message, size_t i) {
    ctnetlink::write_update(message, task.entries[places[i]], task.min_timeout_s, status[i]);
  });
  if (!verdicts) return fail(verdicts.error());
  Places again;
  for (size_t i = 0; i < places.size(); ++i) {
    const int error = (*verdicts)[i];
    if (error == 0) {
      ++task.result.installed;
    } else if (error == ENOENT || error == EBUSY) {  // ended, or its status grew, since it was looked at
      again.push_back(places[i]);
    } else {
      task.fail(places[i], error);
    }
  }
  return again;
}

Result<Conntrack::Impl::Found> Conntrack::Impl::look_up(std::span<const nsrp_tuple> keys) {
  Found found(keys.size());
  const auto verdicts = channel.run(
      keys.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_get(message, keys[i]); },
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

Status Conntrack::adjust(std::span<const Adjustment> changes) {
  const auto verdicts = impl_->channel.run(changes.size(), [&](nlmsghdr* message, size_t i) {
    ctnetlink::write_adjust(message, changes[i].key, changes[i].timeout_s, changes[i].liberal);
  });
  if (!verdicts) return fail(verdicts.error());
  for (const int error : *verdicts)
    if (error != 0 && error != ENOENT && error != ETIME && error != EPERM)
      return fail(std::string("cannot change the timeout of a conntrack entry: ") + std::strerror(error));
  return {};
}

Result<size_t> Conntrack::remove_misread_answers(std::span<const SessionEntry> flows) {
  std::vector<nsrp_tuple> replies, misread;
  for (const SessionEntry& flow : flows) replies.push_back(flow.session.reply);
  const auto found = impl_->look_up(replies);
  if (!found) return fail(found.error());
  for (size_t i = 0; i < replies.size(); ++i) {
    const auto& present = (*found)[i];
    if (present && ctnetlink::same(present->original, replies[i]) && (present->status & IPS_SEEN_REPLY) == 0)
      misread.push_back(replies[i]);
  }
  if (auto removed = remove(misread); !removed) return fail(removed.error());
  return misread.size();
}

Result<bool> Conntrack::exists(const nsrp_tuple& key) {
  const auto found = exist(std::span(&key, 1));
  if (!found) return fail(found.error());
  return found->front();
}

Result<std::vector<bool>> Conntrack::exist(std::span<const nsrp_tuple> keys) {
  const auto found = impl_->look_up(keys);
  if (!found) return fail(found.error());
  std::vector<bool> exist;
  for (size_t i = 0; i < keys.size(); ++i)
    exist.push_back((*found)[i] && ctnetlink::same((*found)[i]->original, keys[i]));
  return exist;
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

Result<size_t> Conntrack::capacity() {
  const auto limit = Sysctls::read("netfilter/nf_conntrack_max");
  if (!limit) return fail(limit.error());
  return *limit > 0 ? static_cast<size_t>(*limit) : SIZE_MAX;  // 0: no limit
}

uint32_t Conntrack::tcp_established_timeout_s() {
  const auto timeout = Sysctls::read("netfilter/nf_conntrack_tcp_timeout_established");
  return timeout && *timeout > 0 ? static_cast<uint32_t>(*timeout) : 0;
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
