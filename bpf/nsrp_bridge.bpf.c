/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Ports of the transparent device: nsrp_port_in (XDP) and nsrp_port_out (tc egress). Two gateways bridge the
 * same networks, and if both passed frames these would go round for ever. So only the master of VSD 0 does,
 * by its lease, which ends by itself: a frame has to be let in at one port and out at another, and each of
 * the two programs alone keeps the device closed.
 */
#include <linux/pkt_cls.h>

#include "parse.h"
#include "session.h"
#include "vsd.h"

#define NSRP_BRIDGE_VSD 0   /* active/passive only (manual ch. 1) */
#define NSRP_TRACK_BYTES 94 /* Ethernet, IPv4 with options, TCP */

/*
 * 01-80-C2-00-00-01 to -0F: between this box and what is at the other end of the cable (LACP, LLDP, 802.1X).
 * No bridge passes them on. -00, spanning tree, is not among them: a bridge without one does pass it.
 */
static __always_inline int nsrp_is_of_the_cable(const struct ethhdr *eth)
{
	const nsrp_u16 *mac = (const void *)eth->h_dest;
	nsrp_u16 last = bpf_ntohs(mac[2]);

	return mac[0] == bpf_htons(0x0180) && mac[1] == bpf_htons(0xc200) && last >= 1 && last <= 0xf;
}

SEC("xdp")
int nsrp_port_in(struct xdp_md *ctx)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;

	if (nsrp_masters(NSRP_BRIDGE_VSD))
		return XDP_PASS;
	if ((const void *)(eth + 1) <= (const void *)(long)ctx->data_end && nsrp_is_of_the_cable(eth))
		return XDP_PASS;
	nsrp_count(NSRP_CNT_port_drop_not_master);
	return XDP_DROP;
}

/* What this box itself says to the other end of the cable, it says on a backup as well. */
SEC("tc")
int nsrp_port_out(struct __sk_buff *skb)
{
	const nsrp_u32 came_in = skb->ingress_ifindex;
	nsrp_u64 now = bpf_ktime_get_ns();
	struct ethhdr *eth;
	void *end;

	nsrp_make_linear(skb, NSRP_TRACK_BYTES);
	eth = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if ((void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	if (!nsrp_masters_at(NSRP_BRIDGE_VSD, now)) {
		if (!came_in && nsrp_is_of_the_cable(eth))
			return TC_ACT_UNSPEC;
		nsrp_count(NSRP_CNT_port_tx_drop_not_master);
		return TC_ACT_SHOT;
	}
	if (came_in)
		nsrp_track_session(skb, NSRP_BRIDGE_VSD, 0, now);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
