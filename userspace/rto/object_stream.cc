// SPDX-License-Identifier: Apache-2.0
#include "rto/object_stream.h"

#include <algorithm>
#include <utility>

namespace nsrp::rto {

void ObjectStream::activate() {
  active_ = true;
  restart_sync();
}

void ObjectStream::deactivate() {
  active_ = sync_wanted_ = in_sync_ = false;
  sync_end_mark_.reset();
  taken_ += order_.size();
  order_.clear();
  queued_.clear();
  gone_.clear();
  missed_ = {};
  incoming_.reset();
  repeated_.clear();
}

void ObjectStream::restart_sync() {
  sync_wanted_ = active_;
}

bool ObjectStream::set_mastered(VsdSet mastered) {
  const VsdSet lost = mastered_ - mastered;
  const bool ask = !(lost & missed_).empty();
  missed_ = missed_ - lost;
  if (!(mastered - mastered_).empty()) restart_sync();
  mastered_ = mastered;
  // What was held for the peer is this device's own from now on.
  std::erase_if(held_, [&](const auto& held) { return mastered.contains(held.second); });
  return ask;
}

void ObjectStream::queue(const std::string& key) {
  if (active_ && queued_.insert(key).second) order_.push_back(key);
}

void ObjectStream::change(const Object& object) {
  const auto known = here_.find(object.key);
  if (known == here_.end() && here_.size() >= rules_.max_objects) {
    ++refused_;
    return;
  }
  if (known != here_.end() && known->second == object) return;
  here_[object.key] = object;
  gone_.erase(object.key);
  if (mastered_.contains(object.vsd)) queue(object.key);
}

void ObjectStream::end(const EndedObject& ended) {
  if (here_.erase(ended.key) == 0 || !active_ || !mastered_.contains(ended.vsd)) return;
  gone_[ended.key] = ended.vsd;
  queue(ended.key);
}

bool ObjectStream::wants_write() const {
  return active_ && (sync_wanted_ || !order_.empty() || sync_end_mark_);
}

void ObjectStream::write(std::vector<uint8_t>& out, size_t room) {
  if (!active_) return;
  const size_t begin = out.size();
  const auto left = [&] { return room - (out.size() - begin); };
  if (sync_wanted_ && left() >= kHeaderBytes + kObjectSyncBytes) {
    sync_wanted_ = false;
    append(out, ObjectSync{rules_.id, mastered_});
    for (const auto& [key, object] : here_) {
      if (mastered_.contains(object.vsd)) queue(key);
    }
    sync_end_mark_ = taken_ + order_.size();
  }
  for (bool more = true; more;) {
    if (sync_end_mark_ && taken_ >= *sync_end_mark_ && left() >= kHeaderBytes + kObjectClassBytes) {
      append(out, ObjectSyncEnd{rules_.id});
      sync_end_mark_.reset();
    }
    more = write_changes(out, left());
  }
}

// One message each of ends and of puts, of the changes that wait longest.
bool ObjectStream::write_changes(std::vector<uint8_t>& out, size_t room) {
  ObjectEnd ends{rules_.id, {}};
  ObjectPut puts{rules_.id, {}};
  size_t left = std::min(room, kMessageBytes);
  const size_t headers = 2 * (kHeaderBytes + kObjectClassBytes);
  if (left < headers) return false;
  left -= headers;
  const uint64_t taken_before = taken_;
  while (!order_.empty() && (!sync_end_mark_ || taken_ < *sync_end_mark_)) {
    const std::string& key = order_.front();
    const auto here = here_.find(key);
    const size_t cost = kObjectHeadBytes + key.size() + (here != here_.end() ? here->second.value.size() : 0);
    if (cost > left) break;
    left -= cost;
    const auto gone = gone_.find(key);
    if (here != here_.end()) {
      if (mastered_.contains(here->second.vsd)) puts.objects.push_back(here->second);
    } else if (gone != gone_.end()) {
      if (mastered_.contains(gone->second)) ends.objects.push_back({gone->second, key});
      gone_.erase(gone);
    }
    queued_.erase(key);
    order_.pop_front();
    ++taken_;
  }
  sent_ += puts.objects.size();
  ended_ += ends.objects.size();
  if (!ends.objects.empty()) append(out, std::move(ends));
  if (!puts.objects.empty()) append(out, std::move(puts));
  return taken_ != taken_before;
}

ObjectStream::Result ObjectStream::receive(ObjectPut message) {
  Result result;
  for (Object& object : message.objects) {
    if (!rules_.valid_key(object.key) || !rules_.valid_value(object.value)) {
      result.broken = "a malformed object of class " + std::string(rules_.name);
      return result;
    }
    const bool full = !held_.contains(object.key) && held_.size() >= rules_.max_objects;
    if (mastered_.contains(object.vsd)) missed_.insert(object.vsd);
    if (mastered_.contains(object.vsd) || full) {
      ++refused_;
      continue;
    }
    ++received_;
    held_[object.key] = object.vsd;
    if (incoming_) repeated_.insert(object.key);
    result.apply.push_back(std::move(object));
  }
  return result;
}

ObjectStream::Result ObjectStream::receive(ObjectEnd message) {
  Result result;
  for (EndedObject& ended : message.objects) {
    if (!rules_.valid_key(ended.key)) {
      result.broken = "the end of a malformed object of class " + std::string(rules_.name);
      return result;
    }
    if (held_.erase(ended.key) > 0) result.withdraw.push_back(std::move(ended));
  }
  return result;
}

ObjectStream::Result ObjectStream::receive(const ObjectSync& message) {
  incoming_ = message.vsds;
  missed_ = (missed_ - message.vsds) | (message.vsds & mastered_);
  repeated_.clear();
  return {};
}

ObjectStream::Result ObjectStream::receive(const ObjectSyncEnd&) {
  Result result;
  if (!incoming_) {
    result.broken = "the end of a sync of class " + std::string(rules_.name) + " that had not begun";
    return result;
  }
  std::erase_if(held_, [&](const auto& held) {
    const bool stale = incoming_->contains(held.second) && !repeated_.contains(held.first);
    if (stale) result.withdraw.push_back({held.second, held.first});
    return stale;
  });
  incoming_.reset();
  repeated_.clear();
  in_sync_ = true;
  return result;
}

ObjectView ObjectStream::view() const {
  return {rules_.name, here_.size(), held_.size(), sent_, received_, ended_, refused_, in_sync_};
}

}  // namespace nsrp::rto
