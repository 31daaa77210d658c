// SPDX-License-Identifier: Apache-2.0
#include "kernel/session_table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "kernel/map_batch.h"

namespace nsrp::kernel {
namespace {

constexpr size_t kReadBatch = 4096;

Error broken(const std::string& what, int error) {
  return Error{"cannot " + what + " the session table: " + std::strerror(error)};
}

bool same(const nsrp_tuple& a, const nsrp_tuple& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool is_fast(const nsrp_session& session) {
  return (session.flags & NSRP_SESSION_FAST) != 0;
}

struct RingBufferFree {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

// Returns how many entries there is room for.
Result<size_t> check_layout(int fd, uint32_t key_size, uint32_t value_size) {
  bpf_map_info info{};
  uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return fail(broken("look at", errno));
  if (info.key_size != key_size || info.value_size != value_size)
    return fail("the session table in the kernel has another layout than this program");
  return info.max_entries;
}

}  // namespace

struct SessionTable::Impl {
  Maps maps;
  size_t capacity = 0;
  std::unique_ptr<ring_buffer, RingBufferFree> ring;
  const std::function<void(const SessionEntry&)>* consume = nullptr;
  size_t consumed = 0;
  uint64_t added = 0, removed = 0;

  static int on_event(void* context, void* data, size_t size);
  std::optional<nsrp_session> look_up(const nsrp_tuple& key) const;
  void drop_index(std::vector<nsrp_tuple>& replies, const std::vector<nsrp_tuple>& owners) const;
  Status drop_fast(std::vector<nsrp_tuple> directions) const;
  Result<size_t> put_batch(std::span<const SessionEntry> entries, std::span<const Present> present);
};

SessionTable::SessionTable() = default;
SessionTable::~SessionTable() = default;

Result<std::unique_ptr<SessionTable>> SessionTable::open(const Datapath& datapath) {
  return open(
      Maps{datapath.sessions_fd(), datapath.reply_index_fd(), datapath.session_events_fd(), datapath.fast_flows_fd()});
}

Result<std::unique_ptr<SessionTable>> SessionTable::open(const Maps& maps) {
  const auto capacity = check_layout(maps.sessions, sizeof(nsrp_tuple), sizeof(nsrp_session));
  if (!capacity) return fail(capacity.error());
  if (auto sane = check_layout(maps.reply_index, sizeof(nsrp_tuple), sizeof(nsrp_tuple)); !sane)
    return fail(sane.error());
  std::unique_ptr<SessionTable> self(new SessionTable);
  self->impl_ = std::make_unique<Impl>();
  self->impl_->maps = maps;
  self->impl_->capacity = *capacity;
  self->impl_->ring.reset(ring_buffer__new(maps.session_events, &Impl::on_event, self->impl_.get(), nullptr));
  if (!self->impl_->ring) return fail(broken("listen to", errno));
  return self;
}

int SessionTable::events_fd() const {
  return ring_buffer__epoll_fd(impl_->ring.get());
}

int SessionTable::Impl::on_event(void* context, void* data, size_t size) {
  auto* self = static_cast<Impl*>(context);
  if (size < sizeof(SessionEntry)) return 0;
  SessionEntry entry;
  std::memcpy(&entry, data, sizeof entry);
  ++self->consumed;
  (*self->consume)(entry);
  return 0;
}

size_t SessionTable::consume_events(const std::function<void(const SessionEntry&)>& consume) {
  impl_->consume = &consume;
  impl_->consumed = 0;
  (void)ring_buffer__consume(impl_->ring.get());
  impl_->consume = nullptr;
  return impl_->consumed;
}

std::optional<nsrp_session> SessionTable::Impl::look_up(const nsrp_tuple& key) const {
  nsrp_session session;
  if (bpf_map_lookup_elem(maps.sessions, &key, &session) != 0) return std::nullopt;
  return session;
}

std::optional<nsrp_session> SessionTable::find(const nsrp_tuple& key) const {
  return impl_->look_up(key);
}

Status SessionTable::read(Cursor& cursor, size_t limit, std::vector<SessionEntry>& entries) const {
  entries.clear();
  std::vector<nsrp_tuple> keys;
  std::vector<nsrp_session> values;
  for (size_t room = std::max<size_t>(limit, 1); !cursor.at_end_;) {
    keys.resize(room);
    values.resize(room);
    auto count = static_cast<uint32_t>(room);
    nsrp_tuple next{};
    const int result = bpf_map_lookup_batch(impl_->maps.sessions, cursor.begun_ ? &cursor.position_ : nullptr, &next,
                                            keys.data(), values.data(), &count, nullptr);
    const int error = result == 0 ? 0 : errno;
    if (error == EINTR || error == EAGAIN) continue;
    if (error == ENOSPC) {  // one hash bucket alone holds more than there is room for
      room *= 2;
      continue;
    }
    if (error != 0 && error != ENOENT) return fail(broken("read", error));
    for (size_t i = 0; i < count; ++i) entries.push_back({keys[i], values[i]});
    cursor.at_end_ = error == ENOENT;  // these were the last ones
    cursor.position_ = next;
    cursor.begun_ = true;
    break;
  }
  return {};
}

Status SessionTable::for_each(const std::function<void(std::span<const SessionEntry>)>& visit) const {
  std::vector<SessionEntry> entries;
  for (Cursor cursor; !cursor.at_end();) {
    if (auto done = read(cursor, kReadBatch, entries); !done) return done;
    if (!entries.empty()) visit(entries);
  }
  return {};
}

Result<std::vector<SessionEntry>> SessionTable::take_dirty() {
  std::vector<nsrp_tuple> dirty;
  auto read = for_each([&](std::span<const SessionEntry> entries) {
    for (const SessionEntry& entry : entries)
      if ((entry.session.flags & NSRP_SESSION_DIRTY) != 0) dirty.push_back(entry.key);
  });
  if (!read) return fail(read.error());

  std::vector<SessionEntry> taken;
  for (const nsrp_tuple& key : dirty) {
    // Read again, so that little can happen before it is written back.
    auto session = impl_->look_up(key);
    if (!session || (session->flags & NSRP_SESSION_DIRTY) == 0) continue;  // ended, or exported meanwhile
    session->flags = static_cast<nsrp_u16>(session->flags & ~NSRP_SESSION_DIRTY);
    // BPF_EXIST: a record that ended meanwhile must not come back.
    if (bpf_map_update_elem(impl_->maps.sessions, &key, &*session, BPF_EXIST) == 0) {
      taken.push_back({key, *session});
    } else if (errno != ENOENT) {
      return fail(broken("write to", errno));
    }
  }
  return taken;
}

Result<size_t> SessionTable::put(std::span<const SessionEntry> entries) {
  std::vector<Present> present;
  for (const SessionEntry& entry : entries) present.push_back(impl_->look_up(entry.key));
  return put(entries, present);
}

Result<size_t> SessionTable::put(std::span<const SessionEntry> entries, std::span<const Present> present) {
  size_t stored = 0;
  for (size_t first = 0; first < entries.size(); first += kReadBatch) {
    const size_t size = std::min(kReadBatch, entries.size() - first);
    const auto done = impl_->put_batch(entries.subspan(first, size), present.subspan(first, size));
    if (!done) return fail(done.error());
    stored += *done;
  }
  return stored;
}

Result<size_t> SessionTable::Impl::put_batch(std::span<const SessionEntry> entries, std::span<const Present> present) {
  std::vector<nsrp_tuple> keys, replies, old_replies, old_owners, fast;
  std::vector<nsrp_session> values;
  std::vector<bool> is_new;
  for (size_t i = 0; i < entries.size(); ++i) {
    const SessionEntry& entry = entries[i];
    const Present& before = present[i];
    keys.push_back(entry.key);
    values.push_back(entry.session);
    is_new.push_back(!before);
    if (before && is_fast(*before)) fast.insert(fast.end(), {entry.key, before->reply});
    if (!before || same(before->reply, entry.session.reply)) continue;
    old_replies.push_back(before->reply);
    old_owners.push_back(entry.key);
  }
  if (Status slow = drop_fast(std::move(fast)); !slow) return fail(slow.error());
  drop_index(old_replies, old_owners);

  const auto stored = map_batch::update(maps.sessions, std::span(keys), std::span(values));
  if (!stored) return fail(broken("write to", stored.error()));
  map_batch::keep(keys, *stored);
  map_batch::keep(values, *stored);
  for (size_t i = 0; i < is_new.size(); ++i) added += is_new[i] && (*stored)[i] ? 1 : 0;
  for (const nsrp_session& session : values) replies.push_back(session.reply);
  const auto indexed = map_batch::update(maps.reply_index, std::span(replies), std::span(keys));
  if (!indexed) return fail(broken("write to the index of", indexed.error()));
  // A record that replies do not lead to would be half a session: it goes.
  std::vector<nsrp_tuple> unindexed;
  for (size_t i = 0; i < keys.size(); ++i)
    if (!(*indexed)[i]) unindexed.push_back(keys[i]);
  removed += unindexed.size();
  if (auto gone = map_batch::remove(maps.sessions, std::span(unindexed)); !gone)
    return fail(broken("write to", gone.error()));
  return keys.size() - unindexed.size();
}

// Takes the reply tuples out of the index, unless another record has taken them over since.
void SessionTable::Impl::drop_index(std::vector<nsrp_tuple>& replies, const std::vector<nsrp_tuple>& owners) const {
  for (size_t i = 0; i < replies.size(); ++i) {
    nsrp_tuple owner;
    if (bpf_map_lookup_elem(maps.reply_index, &replies[i], &owner) == 0 && same(owner, owners[i]))
      (void)bpf_map_delete_elem(maps.reply_index, &replies[i]);
  }
}

Status SessionTable::Impl::drop_fast(std::vector<nsrp_tuple> directions) const {
  if (maps.fast_flows < 0) return {};
  if (auto gone = map_batch::remove(maps.fast_flows, std::span(directions)); !gone)
    return fail("the fast path cannot forget a session: " + std::string(std::strerror(gone.error())));
  return {};
}

Status SessionTable::remove(std::span<const nsrp_tuple> keys) {
  std::vector<nsrp_tuple> replies, owners, fast;
  for (const nsrp_tuple& key : keys) {
    const auto present = impl_->look_up(key);
    if (!present) continue;
    replies.push_back(present->reply);
    owners.push_back(key);
    if (is_fast(*present)) fast.insert(fast.end(), {key, present->reply});
  }
  if (Status slow = impl_->drop_fast(std::move(fast)); !slow) return slow;
  // The index goes first: it never leads to a record that is not there.
  impl_->drop_index(replies, owners);
  const auto gone = map_batch::remove(impl_->maps.sessions, std::span(owners));
  if (!gone) return fail(broken("write to", gone.error()));
  impl_->removed += static_cast<uint64_t>(std::count(gone->begin(), gone->end(), true));
  return {};
}

Result<size_t> SessionTable::count() const {
  size_t count = 0;
  auto read = for_each([&](std::span<const SessionEntry> entries) { count += entries.size(); });
  if (!read) return fail(read.error());
  return count;
}

uint64_t SessionTable::added() const {
  return impl_->added;
}

uint64_t SessionTable::removed() const {
  return impl_->removed;
}

size_t SessionTable::capacity() const {
  return impl_->capacity;
}

}  // namespace nsrp::kernel
