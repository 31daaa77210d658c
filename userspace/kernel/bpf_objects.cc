// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf_objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/random.h>

#include <cerrno>
#include <set>
#include <stdexcept>
#include <vector>

#include "kernel/libbpf_log.h"
#include "nsrp/abi/nsrp_abi.h"
#include "nsrp_bridge.skel.h"
#include "nsrp_ha.skel.h"
#include "nsrp_traffic_tc.skel.h"
#include "nsrp_traffic_xdp.skel.h"

namespace nsrp::kernel {
namespace {

template <class Skeleton>
struct Destroy {
  void operator()(Skeleton* skeleton) const { Skeleton::destroy(skeleton); }
};
template <class Skeleton>
using SkeletonPtr = std::unique_ptr<Skeleton, Destroy<Skeleton>>;

template <class Visit>
void for_each_shared_map(bpf_object* object, const Visit& visit) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!bpf_map__is_internal(map)) visit(map);
  }
}

// What is worth nothing after a moment: flows by numbers of which each run has its own (nsrp_flow_seed), how long
// permits last, and packets that an earlier run was to send.
bool is_of_one_run(const std::string& map) {
  return map == "quiet_flows" || map == "fast_permit" || map == "held_packets" || map == "held_gates" ||
         map == "defers";
}

// Figures only, and a version that counts more begins anew: no reason to make the sessions anew, too.
bool may_begin_anew(const std::string& map) {
  return map == "counters";
}

// What a pinned map must agree in with the definition. The kernel adds flags of its own to a devmap.
bool fits(int fd, const bpf_map* wanted) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return false;
  const uint32_t ignored_flags = BPF_F_RDONLY_PROG;
  return info.type == bpf_map__type(wanted) && info.key_size == bpf_map__key_size(wanted) &&
         info.value_size == bpf_map__value_size(wanted) && info.max_entries == bpf_map__max_entries(wanted) &&
         (info.map_flags & ~ignored_flags) == (bpf_map__map_flags(wanted) & ~ignored_flags);
}

tl::unexpected<Error> cannot_load(int err, const LibbpfLog& log) {
  if (err == -EPERM)
    return fail(
        "the kernel does not let this process load BPF programs: root is needed (or CAP_BPF, CAP_PERFMON and "
        "CAP_NET_ADMIN)");
  return fail("the kernel refuses the BPF programs: " + log.reason(err));
}

}  // namespace

struct BpfObjects::Skeletons {
  SkeletonPtr<nsrp_traffic_xdp> traffic_xdp;
  SkeletonPtr<nsrp_traffic_tc> traffic_tc;
  SkeletonPtr<nsrp_ha> ha;
  SkeletonPtr<nsrp_bridge> bridge;

  std::vector<bpf_object*> objects() const { return {traffic_xdp->obj, traffic_tc->obj, ha->obj, bridge->obj}; }
};

BpfObjects::BpfObjects() : skeletons_(std::make_unique<Skeletons>()) {}
BpfObjects::~BpfObjects() = default;

Result<std::unique_ptr<BpfObjects>> BpfObjects::load(const Pins& pins, const BpfObjectOptions& options) {
  std::unique_ptr<BpfObjects> objects(new BpfObjects());
  if (Status opened = objects->open(options); !opened) return fail(opened.error());
  objects->adopted_ = objects->adopt(pins);
  if (!objects->adopted_) pins.clear();
  if (Status loaded = objects->load_programs(); !loaded) return fail(loaded.error());
  if (Status pinned = objects->pin(pins); !pinned) return fail(pinned.error());
  return objects;
}

Status BpfObjects::open(const BpfObjectOptions& options) {
  LibbpfLog log;
  skeletons_->traffic_xdp.reset(nsrp_traffic_xdp::open());
  skeletons_->traffic_tc.reset(nsrp_traffic_tc::open());
  skeletons_->ha.reset(nsrp_ha::open());
  skeletons_->bridge.reset(nsrp_bridge::open());
  if (!skeletons_->traffic_xdp || !skeletons_->traffic_tc || !skeletons_->ha || !skeletons_->bridge)
    return fail("the BPF programs cannot be read: " + log.reason(errno));
  uint64_t flow_seed = 0;
  if (getrandom(&flow_seed, sizeof flow_seed, 0) < 0)
    return fail("the kernel gives no random number: " + errno_text(errno));
  const auto set_constants = [&](auto& of_object) {  // of the two that record sessions
    of_object.nsrp_sessions_enabled = options.sessions_enabled ? 1 : 0;
    of_object.nsrp_kernel_hz = options.kernel_hz;
    of_object.nsrp_flow_seed = flow_seed;
  };
  set_constants(*skeletons_->traffic_tc->rodata);
  set_constants(*skeletons_->bridge->rodata);
  for (bpf_object* object : skeletons_->objects()) {
    for (const char* name : {"sessions", "reply_index"}) {
      bpf_map* map = bpf_object__find_map_by_name(object, name);
      if (map == nullptr || bpf_map__set_max_entries(map, options.max_sessions) != 0)
        return fail("the session table cannot have " + std::to_string(options.max_sessions) + " entries");
    }
    bpf_map* ring = bpf_object__find_map_by_name(object, "session_events");
    if (ring != nullptr && bpf_map__set_max_entries(ring, options.event_ring_bytes) != 0)
      return fail("the ring of session events cannot have " + std::to_string(options.event_ring_bytes) + " bytes");
    bpf_map* flows = bpf_object__find_map_by_name(object, "fast_flows");
    if (flows != nullptr && bpf_map__set_max_entries(flows, 2 * options.max_sessions) != 0)
      return fail("the fast path cannot have " + std::to_string(2 * options.max_sessions) + " entries");
  }
  return {};
}

bool BpfObjects::adopt(const Pins& pins) {
  std::map<std::string, UniqueFd> found;
  bool complete = true;
  for (bpf_object* object : skeletons_->objects()) {
    for_each_shared_map(object, [&](const bpf_map* map) {
      const std::string name = bpf_map__name(map);
      if (is_of_one_run(name)) return;
      if (!found.contains(name)) found.emplace(name, pins.open_map(name));
      UniqueFd& fd = found.at(name);
      if (fd.valid() && !fits(fd.get(), map)) fd = UniqueFd();
      complete = complete && (fd.valid() || may_begin_anew(name));
    });
  }
  if (!complete) return false;
  std::erase_if(found, [](const auto& map) { return !map.second.valid(); });
  for (const auto& [name, fd] : found) adopted_maps_.insert(name);
  maps_ = std::move(found);
  return true;
}

Status BpfObjects::load_programs() {
  for (bpf_object* object : skeletons_->objects()) {
    LibbpfLog log;
    int err = 0;
    for_each_shared_map(object, [&](bpf_map* map) {
      const auto known = maps_.find(bpf_map__name(map));
      if (known != maps_.end() && err == 0) err = bpf_map__reuse_fd(map, known->second.get());
    });
    if (err == 0) err = bpf_object__load(object);
    if (err != 0) return cannot_load(err, log);
    for_each_shared_map(object, [&](const bpf_map* map) {
      const std::string name = bpf_map__name(map);
      if (!maps_.contains(name)) maps_.emplace(name, UniqueFd(fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0)));
    });
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
      programs_.emplace(bpf_program__name(program), bpf_program__fd(program));
    }
  }
  return {};
}

Status BpfObjects::pin(const Pins& pins) const {
  for (const auto& [name, fd] : maps_) {
    if (adopted_maps_.contains(name)) continue;
    if (Status pinned = pins.pin_map(name, fd.get()); !pinned) return pinned;
  }
  for (const auto& [name, fd] : programs_)
    if (Status pinned = pins.pin_program(name, fd); !pinned) return pinned;
  return {};
}

int BpfObjects::map_fd(const std::string& name) const {
  return maps_.at(name).get();
}
int BpfObjects::program_fd(const std::string& name) const {
  return programs_.at(name);
}

}  // namespace nsrp::kernel
