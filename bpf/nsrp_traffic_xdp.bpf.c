/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * nsrp_traffic_in: XDP on every traffic interface. It answers ARP and neighbour discovery for VSI addresses,
 * forwards packets of sessions with a permit (fastpath.h), finds out whose each other packet is (owner.h),
 * and sends over the data link what belongs to a VSD mastered elsewhere.
 */
#include "arp_nd.h"
#include "datalink.h"
#include "fastpath.h"

/*
 * A VLAN device on top has its own virtual MACs and its own program, behind which nothing is fast: what has a
 * permit there goes from here.
 */
static __always_inline int nsrp_forward_tagged(struct xdp_md *ctx, struct ethhdr *eth, const void *end,
					       nsrp_u32 ifindex)
{
	const struct nsrp_fast_config *config = nsrp_the_fast_config();
	struct nsrp_vlan_frame *frame = (void *)eth;
	struct nsrp_fast_packet packet = {.l3 = frame + 1, .end = end, .l2_bytes = sizeof(*frame)};
	struct nsrp_vlan_key key = {.ifindex = ifindex};
	const struct nsrp_vsi *sender;
	const nsrp_u32 *device;

	if (!config || !NSRP_READ_ONCE(config->protocols))
		return XDP_PASS;
	if ((const void *)(frame + 1) > end || frame->tpid != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	key.vid = bpf_ntohs(frame->tci) & NSRP_VID_MASK;
	device = bpf_map_lookup_elem(&vlan_devices, &key);
	if (!device)
		return XDP_PASS;
	packet.ifindex = *device;
	packet.ethertype = frame->proto;
	if (!nsrp_vsi_of_mac(packet.ifindex, frame->dest) && !nsrp_is_own_mac(packet.ifindex, frame->dest))
		return XDP_PASS;
	sender = nsrp_vsi_of_mac(packet.ifindex, frame->source);
	if (sender && nsrp_masters(sender->vsd))
		return XDP_PASS;
	return nsrp_fast_forward(ctx, &packet);
}

/* Every frame that is meant for a router: to a virtual MAC, or to the interface's own. */
static __always_inline int nsrp_steer(struct xdp_md *ctx, struct ethhdr *eth, const void *end,
				      nsrp_u32 ifindex)
{
	struct nsrp_arrival in = {
		.ctx = ctx, .l3 = eth + 1, .end = end, .ifindex = ifindex, .ethertype = eth->h_proto};
	struct nsrp_fast_packet packet = {.l3 = eth + 1,
					  .end = end,
					  .ifindex = ifindex,
					  .l2_bytes = sizeof(*eth),
					  .ethertype = eth->h_proto};
	struct nsrp_owner owner;
	int verdict;

	if (nsrp_is_tagged(eth->h_proto)) {
		verdict = nsrp_forward_tagged(ctx, eth, end, ifindex);
		return verdict == XDP_PASS ? nsrp_slow(NSRP_CNT_rx_tagged) : verdict;
	}
	in.vsi = nsrp_vsi_of_mac(ifindex, eth->h_dest);
	if (!in.vsi && !nsrp_is_own_mac(ifindex, eth->h_dest))
		return XDP_PASS;
	if (!nsrp_l3_is_whole(eth, end))
		return in.vsi ? nsrp_drop(NSRP_CNT_rx_drop_malformed)
			      : XDP_PASS; /* the stack counts its own */
	verdict = nsrp_fast_forward(ctx, &packet);
	if (verdict != XDP_PASS)
		return verdict;
	in.now = bpf_ktime_get_ns();
	owner = nsrp_find_owner_here(&in, eth);
	if (nsrp_is_elsewhere(&owner, in.now))
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
