/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * nsrp_tc_in and nsrp_tc_out: tc ingress and egress on every traffic interface. Ingress makes the stack
 * accept what was sent to a virtual MAC, and marks packets with the VSD they belong to; egress is the guard
 * of guard.h. Both leave the verdict to later filters.
 */
#include "datalink.h"
#include "guard.h"

/* Egress: Ethernet, IPv6, neighbour solicitation with an option; IPv4 with options, TCP */
#define NSRP_GUARD_BYTES 94

SEC("tc")
int nsrp_tc_in(struct __sk_buff *skb)
{
	struct nsrp_arrival in = {.ctx = skb, .ifindex = skb->ifindex};
	struct nsrp_owner owner;
	const struct nsrp_vsi *some;
	struct ethhdr *eth;

	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	/* The VLAN device on top has it, unless the tag bears no VID, only a priority. */
	if (skb->vlan_present && (skb->vlan_tci & NSRP_VID_MASK))
		return TC_ACT_UNSPEC;
	in.vsi = nsrp_vsi_of_mac(skb->ifindex, eth->h_dest);
	some = in.vsi ? in.vsi : nsrp_vsi_of_vsd(skb->ifindex, NSRP_ANY_VSD);
	if (!some || (!in.vsi && (!(some->flags & NSRP_VSI_SEVERAL_VSDS) ||
				  !nsrp_is_own_mac(skb->ifindex, eth->h_dest))))
		return TC_ACT_UNSPEC;
	/* On other boxes the virtual MAC alone nearly always says it all. */
	if (some->flags & NSRP_VSI_SEVERAL_VSDS)
		nsrp_make_linear(skb, NSRP_FLOW_BYTES);
	eth = (void *)(long)skb->data;
	in.end = (void *)(long)skb->data_end;
	if ((const void *)(eth + 1) > in.end)
		return TC_ACT_UNSPEC;
	in.l3 = eth + 1;
	in.ethertype = eth->h_proto;
	in.now = bpf_ktime_get_ns();
	owner = nsrp_find_owner_here(&in, eth);
	if (in.vsi) {
		if (nsrp_is_elsewhere(&owner, in.now) && !nsrp_drains((nsrp_u32)owner.vsd))
			return nsrp_shot(NSRP_CNT_rx_drop_not_master);
		/* To the interface a virtual MAC is somebody else's. */
		bpf_skb_change_type(skb, NSRP_PACKET_HOST);
	}
	if (owner.vsd != NSRP_NOBODY && (some->flags & NSRP_VSI_SEVERAL_VSDS))
		skb->mark = (skb->mark & ~NSRP_MARK_MASK) | (((nsrp_u32)owner.vsd + 1) << NSRP_MARK_SHIFT);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int nsrp_tc_out(struct __sk_buff *skb)
{
	const struct nsrp_vsi *vsi;
	struct ethhdr *eth;
	void *end;

	nsrp_make_linear(skb, NSRP_GUARD_BYTES);
	eth = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if ((void *)(eth + 1) > end)
		return TC_ACT_UNSPEC;
	vsi = nsrp_vsi_of_mac(skb->ifindex, eth->h_source);
	if (vsi) {
		if (skb->mark & NSRP_MARK_HELD)
			return nsrp_guard_held(skb, eth, vsi);
		if (!nsrp_masters(vsi->vsd))
			return nsrp_shot(NSRP_CNT_tx_drop_vmac_source);
		nsrp_count(NSRP_CNT_tx_vmac);
		return TC_ACT_UNSPEC;
	}
	/* A VLAN device on top of this interface has its own addresses, and its own guard. */
	if (skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return nsrp_guard_arp(skb, eth, end);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return nsrp_guard_ipv6(skb, eth, end);
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return TC_ACT_UNSPEC;
		return nsrp_guard_ip(skb, eth, nsrp_addr4(skb->ifindex, ip->saddr), 0);
	}
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
