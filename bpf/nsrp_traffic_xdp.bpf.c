/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * nsrp_traffic_in: XDP on every traffic interface. It answers ARP and neighbour discovery for VSI addresses,
 * keeps frames to a virtual MAC that is not mastered here away from the stack, and sends them over the data
 * link.
 */
#include "arp_nd.h"
#include "datalink.h"

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

	vsi = nsrp_vsi_of_mac(ifindex, eth->h_dest);
	if (!vsi)
		return XDP_PASS;
	if (!nsrp_l3_is_whole(eth, end))
		return nsrp_drop(NSRP_CNT_rx_drop_malformed);
	if (!nsrp_masters(vsi->vsd))
		return nsrp_send_to_peer(ctx, eth, vsi->vid);
	nsrp_count(NSRP_CNT_rx_own);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
