// SPDX-License-Identifier: Apache-2.0
#include "gateway.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "io/clock.h"

namespace nsrp::test {
namespace {

void set_address(nsrp_u8 (&to)[16], const std::string& text) {
  REQUIRE(inet_pton(AF_INET, text.c_str(), to) == 1);
}

bpf_insn insn(int code, uint8_t dst, uint8_t src, int16_t off, int32_t imm) {
  bpf_insn result{};
  result.code = static_cast<uint8_t>(code);
  result.dst_reg = dst & 15;
  result.src_reg = src & 15;
  result.off = off;
  result.imm = imm;
  return result;
}

// User space cannot write into a BPF ring buffer; this program copies its packet into one.
kernel::UniqueFd load_producer(int ring) {
  constexpr int32_t kSize = sizeof(SessionEntry);
  const std::vector<bpf_insn> program = {
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
      insn(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, kSize),
      insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes),
      insn(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 7, 0),
      insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, ring),
      insn(0, 0, 0, 0, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
      insn(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, kSize),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
      insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output),
      insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
      insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  kernel::UniqueFd fd(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "t_producer", "GPL", program.data(), program.size(), nullptr));
  REQUIRE(fd.valid());
  return fd;
}

IpAddress link_local(const Gateway& gateway) {
  return *IpAddress::parse("fe80::" + to_string(gateway.unit).substr(11));
}

}  // namespace

SessionEntry session(uint16_t number, uint8_t vsd, uint8_t nat_host) {
  SessionEntry entry{};
  const auto client_port = htons(static_cast<uint16_t>(1000 + number));
  const auto nat_port = htons(static_cast<uint16_t>(20000 + number));
  entry.key.family = entry.session.reply.family = NSRP_IPV4;
  entry.key.proto = entry.session.reply.proto = IPPROTO_TCP;
  set_address(entry.key.saddr, "10.1.0.7");
  set_address(entry.key.daddr, "192.0.2.80");
  entry.key.sport = client_port;
  entry.key.dport = htons(80);
  set_address(entry.session.reply.saddr, "192.0.2.80");
  set_address(entry.session.reply.daddr, "198.51.100." + std::to_string(nat_host));
  entry.session.reply.sport = htons(80);
  entry.session.reply.dport = nat_port;
  entry.session.ct_status = IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED | IPS_SRC_NAT | IPS_SRC_NAT_DONE;
  entry.session.tcp_state = 3;  // established
  entry.session.timeout_s = 300;
  entry.session.vsd = vsd;
  entry.session.generation = 1;
  return entry;
}

SessionEntry udp_session(uint16_t number, uint32_t timeout_s) {
  SessionEntry entry = session(number);
  entry.key.proto = entry.session.reply.proto = kUdp;
  entry.session.tcp_state = 0;
  entry.session.timeout_s = timeout_s;
  return entry;
}

Gateway::Gateway(const std::string& name, uint64_t id, uint32_t room)
    : unit{id}, bpf_dir_("/sys/fs/bpf/nsrp-rto-" + std::to_string(getpid()) + "-" + name) {
  const Inside inside(where);
  auto datapath = kernel::Datapath::open({.bpf_dir = bpf_dir_, .max_sessions = room});
  REQUIRE_MESSAGE(datapath, datapath.error().message);
  datapath_ = std::move(*datapath);
  table_ = std::move(*kernel::SessionTable::open(*datapath_));
  conntrack_ = std::move(*kernel::Conntrack::open());
  producer_ = load_producer(datapath_->session_events_fd());
}

Gateway::~Gateway() {
  worker.reset();
  const Inside inside(where);
  datapath_->remove();
}

void Gateway::start_worker() {
  const Inside inside(where);
  auto started = daemon::RtoWorker::start(*datapath_, {.on_in_sync = [this](bool value, UnitId) { in_sync_ = value; },
                                                       .on_barrier_done =
                                                           [this](uint64_t id) {
                                                             const std::lock_guard lock(mutex_);
                                                             barriers_.insert(id);
                                                           },
                                                       .on_event =
                                                           [this](const std::string& text) {
                                                             const std::lock_guard lock(mutex_);
                                                             events_.push_back(text);
                                                           }});
  REQUIRE_MESSAGE(started, started.error().message);
  worker = std::move(*started);
  set_sync(true);
}

void Gateway::stop_worker() {
  worker.reset();
  in_sync_ = false;
}

void Gateway::set_sync(bool on) {
  worker->set_settings({.unit = unit,
                        .cluster = ClusterId{1},
                        .boot_epoch = unit.value,
                        .sync = on,
                        .audit_interval = kAuditInterval,
                        .audit_settle = kAuditSettle});
}

void Gateway::traffic(const SessionEntry& session, bool ring_is_full) {
  SessionEntry seen = session;
  seen.session.last_seen_ns = seen.session.exported_ns = to_ns(io::now());
  if (ring_is_full) seen.session.flags |= NSRP_SESSION_DIRTY;
  REQUIRE(conntrack_->install(std::span(&seen, 1), 0).value().installed == 1);
  REQUIRE(table_->put(std::span(&seen, 1)).value() == 1);
  if (ring_is_full) return count_full_ring();
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = &seen;
  options.data_size_in = sizeof seen;
  REQUIRE(bpf_prog_test_run_opts(producer_.get(), &options) == 0);
}

kernel::UniqueFd Gateway::pinned(const std::string& map) const {
  kernel::UniqueFd fd(bpf_obj_get((bpf_dir_ + "/v" + std::to_string(NSRP_ABI_VERSION) + "/" + map).c_str()));
  REQUIRE(fd.valid());
  return fd;
}

uint64_t Gateway::permit_ns() const {
  const uint32_t key = 0;
  uint64_t value = 0;
  REQUIRE(bpf_map_lookup_elem(pinned("fast_permit").get(), &key, &value) == 0);
  return value;
}

void Gateway::count_full_ring() {
  const kernel::UniqueFd counters = pinned("counters");
  const uint32_t key = NSRP_CNT_session_ring_full;
  std::vector<uint64_t> per_cpu(static_cast<size_t>(sysconf(_SC_NPROCESSORS_CONF)) + 64);
  REQUIRE(bpf_map_lookup_elem(counters.get(), &key, per_cpu.data()) == 0);
  ++per_cpu[0];
  REQUIRE(bpf_map_update_elem(counters.get(), &key, per_cpu.data(), BPF_ANY) == 0);
}

void Gateway::only_in_conntrack(const SessionEntry& session) {
  REQUIRE(conntrack_->install(std::span(&session, 1), 0).value().installed == 1);
}

void Gateway::conntrack_ends(const nsrp_tuple& key) {
  REQUIRE(conntrack_->remove(std::span(&key, 1)));
}

void Gateway::old_traffic(const SessionEntry& session) {
  {
    const Inside inside(where);
    sh("echo 0 > /proc/sys/net/netfilter/nf_conntrack_events");
    traffic(session);
    sh("echo 1 > /proc/sys/net/netfilter/nf_conntrack_events");
  }
  SessionEntry aged{session.key, *record(session.key)};
  aged.session.last_seen_ns = aged.session.exported_ns = to_ns(io::now() - seconds(60));
  REQUIRE(table_->put(std::span(&aged, 1)).value() == 1);
}

void Gateway::forget_everything() {
  std::vector<nsrp_tuple> keys;
  REQUIRE(table_->for_each([&](std::span<const SessionEntry> entries) {
    for (const SessionEntry& entry : entries) keys.push_back(entry.key);
  }));
  REQUIRE(table_->remove(keys));
  REQUIRE(conntrack_->remove(keys));
}

void Gateway::write_record(const SessionEntry& session) {
  SessionEntry fresh = session;
  fresh.session.last_seen_ns = fresh.session.exported_ns = to_ns(io::now());
  REQUIRE(table_->put(std::span(&fresh, 1)).value() == 1);
}

void Gateway::loses(const SessionEntry& session) {
  const std::vector<nsrp_tuple> keys = {session.key};
  REQUIRE(table_->remove(keys));
  REQUIRE(conntrack_->remove(keys));
}

bool Gateway::in_conntrack(const nsrp_tuple& key) {
  return conntrack_->exists(key).value();
}

std::string Gateway::conntrack_line(uint16_t number) {
  const Inside inside(where);
  return sh("conntrack -L -p tcp --orig-port-src " + std::to_string(1000 + number) + " 2>/dev/null");
}

// "udp      17 29 src=…"
int Gateway::timeout_s(const SessionEntry& session) {
  const Inside inside(where);
  const std::string protocol = session.key.proto == kTcp ? "tcp" : "udp";
  const std::string said =
      sh("conntrack -L -p " + protocol + " --orig-port-src " + std::to_string(ntohs(session.key.sport)));
  const size_t line = said.find(protocol + " ");
  int number = 0, timeout = -1;
  if (line != std::string::npos) std::istringstream(said.substr(line + protocol.size())) >> number >> timeout;
  return timeout;
}

size_t Gateway::records() const {
  return table_->count().value();
}

bool Gateway::has(const SessionEntry& session) {
  const auto found = record(session.key);
  return found && std::memcmp(&found->reply, &session.session.reply, sizeof found->reply) == 0 &&
         in_conntrack(session.key);
}

bool Gateway::barrier_done(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  return barriers_.contains(id);
}

std::vector<std::string> Gateway::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

Pair::Pair(uint32_t room_at_b) : a("a", 0xa, Gateway::kRoom), b("b", 0xb, room_at_b) {
  {
    const Inside inside(a.where);
    for (const std::string link : {"ha1", "ha2"})
      sh("ip link add " + link + " type veth peer " + link + " netns " + b.where.path());
  }
  for (Gateway* gateway : {&a, &b}) {
    const Inside inside(gateway->where);
    for (const std::string link : {"ha1", "ha2"}) {
      sh("echo 1 > /proc/sys/net/ipv6/conf/" + link + "/addr_gen_mode && ip link set " + link + " up && ip addr add " +
         to_string(link_local(*gateway)) + "/64 dev " + link + " nodad");
    }
    gateway->start_worker();
  }
}

void Pair::meet(const std::string& link) {
  const auto tell = [&](Gateway& who, const Gateway& of) {
    const Inside inside(who.where);
    who.worker->set_peer(daemon::RtoPeer{of.unit, link_local(of), IfIndex{ifindex(link)}});
  };
  tell(a, b);
  tell(b, a);
}

void Pair::cut(const std::string& link) {
  const Inside inside(a.where);
  sh("nft 'add table inet cut; add chain inet cut in { type filter hook input priority 0; }; "
     "add chain inet cut out { type filter hook output priority 0; }; "
     "add rule inet cut in iifname " +
     link + " drop; add rule inet cut out oifname " + link + " drop'");
}

void Pair::heal() {
  const Inside inside(a.where);
  sh("nft delete table inet cut");
}

}  // namespace nsrp::test
