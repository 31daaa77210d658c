/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench's programs and its user space share. */
#ifndef NSRP_BENCH_FLOWS_H
#define NSRP_BENCH_FLOWS_H

#include <linux/types.h>

enum { BENCH_PORT_BITS = 15, BENCH_FIRST_PORT = 1024, BENCH_SERVER_PORT = 53 };

/* Flow n comes from host first_host + (n >> BENCH_PORT_BITS), from a port of its own there. */
struct bench_flows {
  __u32 flows;
  __u32 first_host;   /* in host byte order; of answers: after NAT */
  __u32 server;       /* in network byte order */
  __u32 answers;      /* 1: from the server to the hosts */
  __u32 next_ifindex; /* for bench_redirect */
  __u8 source_mac[6];
  __u8 dest_mac[6];
  __u8 next_mac[6];
  __u8 pad[2];
};

#endif
