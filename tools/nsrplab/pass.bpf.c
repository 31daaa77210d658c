// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// For the switch ports of the lab. A frame that a gateway's XDP program transmits or redirects into a veth is delivered
// only when the other end carries an XDP program too; this one does nothing else.
#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

SECTION("xdp") int lab_pass(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

char lab_license[] SECTION("license") = "Dual BSD/GPL";
