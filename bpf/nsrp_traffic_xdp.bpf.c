/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * nsrp_traffic_in: XDP on every traffic interface. It answers ARP and neighbour discovery for VSI addresses,
 * finds out whose each packet is (owner.h), and sends over the data link what belongs to a VSD mastered
 * elsewhere.
 */
#include "arp_nd.h"
#include "datalink.h"

/* Every frame that is meant for a router: to a virtual MAC, or to the interface's own. */
static __always_inline int nsrp_steer(struct xdp_md *ctx, struct ethhdr *eth, const void *end,
				      nsrp_u32 ifindex)
{
	struct nsrp_arrival in = {
		.ctx = ctx, .l3 = eth + 1, .end = end, .ifindex = ifindex, .ethertype = eth->h_proto};
	struct nsrp_owner owner;

	/* A VLAN device on top has its own virtual MACs and its own program; so has one on top of that. */
	if (nsrp_is_tagged(eth->h_proto)) {
		nsrp_count(NSRP_CNT_rx_tagged);
		return XDP_PASS;
	}
	in.vsi = nsrp_vsi_of_mac(ifindex, eth->h_dest);
	if (!in.vsi && !nsrp_is_own_mac(ifindex, eth->h_dest))
		return XDP_PASS;
	if (!nsrp_l3_is_whole(eth, end))
		return in.vsi ? nsrp_drop(NSRP_CNT_rx_drop_malformed)
			      : XDP_PASS; /* the stack counts its own */
	owner = nsrp_find_owner(&in, nsrp_has_crossed(eth));
	if (owner.vsd != NSRP_NOBODY && !nsrp_masters((nsrp_u32)owner.vsd))
		return nsrp_send_to_peer(ctx, eth, &in, &owner);
	if (in.vsi)
		nsrp_count(owner.why == NSRP_BY_MAC ? NSRP_CNT_rx_own : NSRP_CNT_rx_own_steered);
	return XDP_PASS;
}

SEC("xdp")
int nsrp_traffic_in(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	nsrp_u32 ifindex = ctx->ingress_ifindex;
	const struct nsrp_vsi *vsi;
	int verdict = XDP_PASS;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	/* Our own frame come back, or somebody posing as us. On a non-master it is just the master speaking.
	 */
	vsi = nsrp_vsi_of_mac(ifindex, eth->h_source);
	if (vsi && nsrp_masters(vsi->vsd))
		return nsrp_drop(NSRP_CNT_rx_drop_own_vmac_source);

	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		verdict = nsrp_answer_arp(eth, end, ifindex);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		verdict = nsrp_answer_solicitation(ctx, eth, end, ifindex);
	if (verdict != XDP_PASS)
		return verdict;

	return nsrp_steer(ctx, eth, end, ifindex);
}

char LICENSE[] SEC("license") = "GPL";
