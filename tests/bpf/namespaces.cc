// SPDX-License-Identifier: Apache-2.0
#include "namespaces.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

namespace nsrp::test {
namespace {

// Of the thread, not of the process: threads may be in different ones.
kernel::UniqueFd current_namespace() {
  return kernel::UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

void check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

kernel::UniqueFd load_returning(bpf_prog_type type, const char* name, int verdict) {
  const std::array<bpf_insn, 2> program = {
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = verdict},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  kernel::UniqueFd fd(bpf_prog_load(type, name, "GPL", program.data(), program.size(), nullptr));
  check(fd.valid(), std::string("cannot load ") + name);
  return fd;
}

}  // namespace

Namespace::Namespace() {
  const kernel::UniqueFd home = current_namespace();
  check(unshare(CLONE_NEWNET) == 0, "cannot make a network namespace: root is needed");
  fd_ = current_namespace();
  test::run("ip link set lo up");
  check(setns(home.get(), CLONE_NEWNET) == 0, "cannot return to the namespace");
}

Namespace::Visit::Visit(int fd) : home(current_namespace()) {
  check(setns(fd, CLONE_NEWNET) == 0, "cannot enter the namespace");
}

Namespace::Visit::~Visit() {
  if (setns(home.get(), CLONE_NEWNET) != 0) std::abort();
}

void Namespace::run(const std::string& command) const {
  in([&] { test::run(command); });
}

IfIndex Namespace::ifindex(const std::string& name) const {
  return in([&] {
    const uint32_t index = if_nametoindex(name.c_str());
    check(index != 0, "no interface " + name);
    return IfIndex{index};
  });
}

std::string Namespace::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

void leave_home_namespace() {
  check(unshare(CLONE_NEWNET) == 0, "cannot make a network namespace: these tests need root");
  run("ip link set lo up");
}

void run(const std::string& command) {
  check(std::system(command.c_str()) == 0, "failed: " + command);
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), pclose);
  check(pipe != nullptr, "failed: " + command);
  std::string output;
  std::array<char, 4096> buffer{};
  while (fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) output += buffer.data();
  return output;
}

void connect(const Namespace& a, const std::string& name_a, const Namespace& b, const std::string& name_b) {
  a.run("ip link add " + name_a + " type veth peer name " + name_b + " netns " + b.path());
  for (const auto& [where, name] : {std::pair{&a, name_a}, std::pair{&b, name_b}}) {
    // A checksum left to the NIC does not survive native XDP on a veth.
    where->run("ethtool -K " + name + " tx off txvlan off >/dev/null 2>&1 && ip link set " + name + " up");
  }
}

void attach_pass(IfIndex ifindex, uint32_t xdp_flags) {
  const kernel::UniqueFd fd = load_returning(BPF_PROG_TYPE_XDP, "pass_all", XDP_PASS);
  check(bpf_xdp_attach(static_cast<int>(ifindex.value), fd.get(), xdp_flags, nullptr) == 0,
        "cannot attach the pass program");
}

void attach_foreign_filter(IfIndex ifindex, uint32_t priority) {
  const kernel::UniqueFd fd = load_returning(BPF_PROG_TYPE_SCHED_CLS, "other_filter", TC_ACT_UNSPEC);
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex.value);
  hook.attach_point = BPF_TC_INGRESS;
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.handle = 1;
  opts.priority = priority;
  opts.prog_fd = fd.get();
  check(bpf_tc_hook_create(&hook) == 0 && bpf_tc_attach(&hook, &opts) == 0, "cannot attach the other filter");
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace nsrp::test
