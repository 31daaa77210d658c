/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What stands around the gateway in `tools/bench datapath`: a source of packets, a sink, and the plainest
 * forwarder. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

// libbpf's headers take the kernel's types as given.
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bench_flows);
} bench_setup SEC(".maps");

/* How many packets have been made, and how many have arrived. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} bench_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} bench_out SEC(".maps");

static __always_inline __u64* bench_count(__u32 which) {
  return bpf_map_lookup_elem(&bench_counts, &which);
}

static __always_inline __u16 bench_ip_checksum(const struct iphdr* ip) {
  __u64 sum = bpf_csum_diff(0, 0, (void*)ip, sizeof(*ip), 0);

  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

/* One flow after the other. The page of the frame has been through the network before: every byte is written
 * anew. */
SEC("xdp")
int bench_generate(struct xdp_md* ctx) {
  struct ethhdr* eth = (void*)(long)ctx->data;
  struct iphdr* ip = (void*)(eth + 1);
  struct udphdr* udp = (void*)(ip + 1);
  void* end = (void*)(long)ctx->data_end;
  __u32 zero = 0;
  const struct bench_flows* setup = bpf_map_lookup_elem(&bench_setup, &zero);
  __u64* made = bench_count(0);
  __u32 flow, host;
  __be16 port;

  if (!setup || !made || (void*)(udp + 1) > end) return XDP_ABORTED;
  flow = (__u32)(*made)++;
  flow = setup->flows ? flow % setup->flows : 0;
  host = bpf_htonl(setup->first_host + (flow >> BENCH_PORT_BITS));
  port = bpf_htons(BENCH_FIRST_PORT + (flow & ((1 << BENCH_PORT_BITS) - 1)));
  __builtin_memcpy(eth->h_dest, setup->dest_mac, 6);
  __builtin_memcpy(eth->h_source, setup->source_mac, 6);
  eth->h_proto = bpf_htons(ETH_P_IP);
  __builtin_memset(ip, 0, sizeof(*ip));
  ip->version = 4;
  ip->ihl = 5;
  ip->ttl = 64;
  ip->protocol = IPPROTO_UDP;
  ip->tot_len = bpf_htons((__u16)(end - (void*)ip));
  ip->saddr = setup->answers ? setup->server : host;
  ip->daddr = setup->answers ? host : setup->server;
  ip->check = bench_ip_checksum(ip);
  udp->source = setup->answers ? bpf_htons(BENCH_SERVER_PORT) : port;
  udp->dest = setup->answers ? port : bpf_htons(BENCH_SERVER_PORT);
  udp->len = bpf_htons((__u16)(end - (void*)udp));
  udp->check = 0;
  return (int)bpf_redirect_map(&bench_out, 0, 0);
}

SEC("xdp")
int bench_sink(struct xdp_md* ctx) {
  __u64* arrived = bench_count(1);

  (void)ctx;
  if (arrived) *arrived += 1;
  return XDP_DROP;
}

SEC("tc")
int bench_sink_tc(struct __sk_buff* skb) {
  __u64* arrived = bench_count(1);

  (void)skb;
  if (arrived) *arrived += 1;
  return TC_ACT_SHOT;
}

/* Nothing: what it costs that a program is there at all. */
SEC("xdp")
int bench_empty_xdp(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

SEC("tc")
int bench_empty_tc(struct __sk_buff* skb) {
  (void)skb;
  return TC_ACT_UNSPEC;
}

/* As little as one can do to a packet and still forward it. */
SEC("xdp")
int bench_redirect(struct xdp_md* ctx) {
  struct ethhdr* eth = (void*)(long)ctx->data;
  __u32 zero = 0;
  const struct bench_flows* setup = bpf_map_lookup_elem(&bench_setup, &zero);

  if (!setup || (void*)(eth + 1) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  __builtin_memcpy(eth->h_dest, setup->next_mac, 6);
  __builtin_memcpy(eth->h_source, setup->dest_mac, 6);
  return (int)bpf_redirect(setup->next_ifindex, 0);
}

char LICENSE[] SEC("license") = "GPL";
