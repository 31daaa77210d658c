/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * nsrp_tc_in and nsrp_tc_out: tc ingress and egress on every traffic interface. Ingress makes the stack
 * accept what was sent to a virtual MAC; egress is the guard of guard.h. Both leave the verdict to later
 * filters.
 */
#include "guard.h"

SEC("tc")
int nsrp_tc_in(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	const struct nsrp_if_config *config;
	const struct nsrp_vsi *vsi;

	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	vsi = nsrp_vsi_of_mac(skb->ifindex, eth->h_dest);
	if (!vsi)
		return TC_ACT_UNSPEC;
	if (!nsrp_masters(vsi->vsd))
		return nsrp_shot(NSRP_CNT_rx_drop_not_master);
	/* To the interface a virtual MAC is somebody else's. */
	bpf_skb_change_type(skb, NSRP_PACKET_HOST);
	config = nsrp_config_of(skb->ifindex);
	if (config && (config->flags & NSRP_IF_MULTI_VSD))
		skb->mark = (skb->mark & ~NSRP_MARK_MASK) | ((vsi->vsd + 1u) << NSRP_MARK_SHIFT);
	return TC_ACT_UNSPEC;
}

/* Enough for every header we look at: Ethernet, IPv6, neighbour solicitation with an option; IPv4 with
 * options, TCP */
#define NSRP_HEADER_BYTES 94

static __always_inline void nsrp_make_headers_linear(struct __sk_buff *skb)
{
	nsrp_u32 want = skb->len < NSRP_HEADER_BYTES ? skb->len : NSRP_HEADER_BYTES;

	if ((void *)(long)skb->data + want > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, want);
}

SEC("tc")
int nsrp_tc_out(struct __sk_buff *skb)
{
	const struct nsrp_vsi *vsi;
	struct ethhdr *eth;
	void *end;

	nsrp_make_headers_linear(skb);
	eth = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if ((void *)(eth + 1) > end)
		return TC_ACT_UNSPEC;
	vsi = nsrp_vsi_of_mac(skb->ifindex, eth->h_source);
	if (vsi) {
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
		return nsrp_guard_ip(skb, eth, end, nsrp_addr4(skb->ifindex, ip->saddr));
	}
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
