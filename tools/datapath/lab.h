// SPDX-License-Identifier: Apache-2.0
// hosts – gateway – server in namespaces, and a second gateway in front of the first for the data link. Packets are
// made and counted by BPF programs, on one processor from source to sink: its time is what a packet costs.
//
//   BenchLab lab(1024);
//   lab.load_ruleset();
//   lab.establish();
//   const Cost cost = lab.measure(60, 1.0);
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/datapath.h"
#include "namespaces.h"

struct nsrp_bench;

namespace nsrp::bench {

struct Cost {
  double ns = 0;    // of processor time for a packet that arrived
  double lost = 0;  // of those made
};

struct ProgramTime {
  std::string program;
  double ns = 0;  // for each run, the kernel's clock included
};

enum class Sink { kXdp, kStack };  // where packets end: for what XDP sends, and for what the stack sends

// Which programs that do nothing stand where ours would.
enum class Empty { kNothing, kXdp, kXdpAndTc };

class BenchLab {
 public:
  explicit BenchLab(uint32_t flows);
  ~BenchLab();
  BenchLab(const BenchLab&) = delete;
  BenchLab& operator=(const BenchLab&) = delete;

  // What forwards. Each takes the place of the one before.
  void forward_nothing();              // packets end at the gateway: what the source itself costs
  void forward_plainly();              // one bpf_redirect()
  void forward_by_stack(Empty empty);  // the kernel's own
  void forward_by_nsrp(size_t vsds, bool fast);
  void through_the_other_gateway();  // from now on packets come in at the one in front, which masters nothing

  void load_ruleset();  // conntrack and source NAT
  void end_at(Sink sink);

  // Sends a packet of each flow, and an answer.
  void establish();
  // A packet of each flow, before what is measured.
  void warm_up(size_t bytes);
  Cost measure(size_t bytes, double seconds);
  std::vector<ProgramTime> time_in_programs(size_t bytes);
  uint64_t counter(nsrp_counter counter) const;

 private:
  struct Skeleton;
  void build_hosts();
  void build_front();
  void configure(size_t vsds);
  void set_source(bool answers);
  void send(size_t bytes, uint64_t packets);
  uint64_t count(uint32_t which) const;

  test::Namespace hosts_, front_, gateway_, server_;
  std::unique_ptr<kernel::Datapath> datapath_, front_datapath_;
  std::unique_ptr<Skeleton> programs_;
  uint32_t flows_;
  bool nsrp_ = false, through_front_ = false;
};

}  // namespace nsrp::bench
