/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The egress guard: which virtual MAC a frame leaves with, and whether it may leave at all. It sees every
 * frame, also those of AF_PACKET sockets. The functions return TC_ACT_UNSPEC for "go on" and TC_ACT_SHOT for
 * "dropped, counted".
 */
#ifndef NSRP_BPF_GUARD_H
#define NSRP_BPF_GUARD_H

#include <linux/pkt_cls.h>

#include "count.h"
#include "defer.h"
#include "parse.h"
#include "refusal.h"
#include "vsd.h"
#include "vsi.h"

static __always_inline int nsrp_shot(enum nsrp_counter reason)
{
	nsrp_count(reason);
	return TC_ACT_SHOT;
}

/*
 * Writes the virtual MAC, which only the master may do. What was in the stack when the VSD was handed over
 * leaves as it is, with the interface's own MAC: nobody learns an address from it, and it is not lost.
 */
static __always_inline int nsrp_leave_as(struct ethhdr *eth, const struct nsrp_vsi *vsi, int tells_addresses,
					 nsrp_u64 now)
{
	if (!vsi || !nsrp_masters_at(vsi->vsd, now)) {
		if (!vsi || tells_addresses || !nsrp_drains(vsi->vsd))
			return nsrp_shot(NSRP_CNT_tx_drop_not_master);
		nsrp_count(NSRP_CNT_tx_drained);
		return TC_ACT_UNSPEC;
	}
	nsrp_copy_mac(eth->h_source, vsi->vmac);
	nsrp_count(NSRP_CNT_tx_vmac);
	return TC_ACT_UNSPEC;
}

/* What the daemon sends of the packets it was given to hold: it has been through all of this before. */
static __always_inline int nsrp_guard_held(struct __sk_buff *skb, struct ethhdr *eth,
					   const struct nsrp_vsi *vsi)
{
	const struct nsrp_if_config *config;

	if (nsrp_masters(vsi->vsd)) {
		nsrp_count(NSRP_CNT_held_sent);
	} else {
		config = nsrp_config_of(skb->ifindex);
		if (!config || !nsrp_drains(vsi->vsd))
			return nsrp_shot(NSRP_CNT_tx_drop_vmac_source);
		nsrp_copy_mac(eth->h_source, config->mac);
		nsrp_count(NSRP_CNT_tx_drained);
	}
	skb->mark &= ~NSRP_MARK_HELD;
	return TC_ACT_UNSPEC;
}

static __always_inline int nsrp_guard_arp(struct __sk_buff *skb, struct ethhdr *eth, void *end)
{
	struct nsrp_arp *arp = (void *)(eth + 1);
	const struct nsrp_addr *sender;
	const struct nsrp_vsi *vsi;

	if ((void *)(arp + 1) > end || !nsrp_arp_is_ipv4((const void *)arp))
		return TC_ACT_UNSPEC;
	sender = nsrp_addr4(skb->ifindex, nsrp_arp_ip(arp->sender_ip));
	if (!sender || sender->kind != NSRP_ADDR_VSI)
		return TC_ACT_UNSPEC;
	vsi = nsrp_vsi_of_vid(sender->vid);
	if (nsrp_leave_as(eth, vsi, 1, bpf_ktime_get_ns()) == TC_ACT_SHOT || !vsi)
		return TC_ACT_SHOT;
	nsrp_copy_mac(arp->sender_mac, vsi->vmac);
	return TC_ACT_UNSPEC;
}

/*
 * The VSI a forwarded packet leaves through: the only one here, or that of the VSD it came in for, which its
 * mark says (interfaces of several VSDs) or the interface it came in on.
 */
static __always_inline const struct nsrp_vsi *nsrp_vsi_of_forwarded(const struct __sk_buff *skb,
								    const struct nsrp_if_config *config)
{
	const struct nsrp_if_config *came_in;
	const struct nsrp_vsi *vsi;
	nsrp_u32 marked = (skb->mark & NSRP_MARK_MASK) >> NSRP_MARK_SHIFT;

	if (config->only_vid)
		return nsrp_vsi_of_vid(config->only_vid);
	if (marked)
		return nsrp_vsi_of_vsd(skb->ifindex, marked - 1);
	came_in = nsrp_config_of(skb->ingress_ifindex);
	if (!came_in || !came_in->only_vid)
		return 0;
	vsi = nsrp_vsi_of_vid(came_in->only_vid);
	return vsi ? nsrp_vsi_of_vsd(skb->ifindex, vsi->vsd) : 0;
}

static __always_inline int nsrp_guard_ip(struct __sk_buff *skb, struct ethhdr *eth,
					 const struct nsrp_addr *source, int tells_addresses)
{
	const struct nsrp_if_config *config;
	const struct nsrp_vsi *vsi;
	nsrp_u64 now;
	int young;

	if (source && source->kind == NSRP_ADDR_DEVICE)
		return TC_ACT_UNSPEC;
	if (source) {
		vsi = nsrp_vsi_of_vid(source->vid);
		if (!skb->ingress_ifindex && nsrp_refuses_session(skb))
			return nsrp_shot(NSRP_CNT_tx_drop_refusal);
	} else {
		if (!skb->ingress_ifindex)
			return TC_ACT_UNSPEC; /* our own packet, and not from a VSI */
		config = nsrp_config_of(skb->ifindex);
		if (!config || !(config->only_vid || (config->flags & NSRP_IF_MULTI_VSD)))
			return TC_ACT_UNSPEC; /* an interface without VSIs */
		vsi = nsrp_vsi_of_forwarded(skb, config);
		if (!vsi)
			return nsrp_shot(NSRP_CNT_tx_drop_no_vsd);
	}
	now = bpf_ktime_get_ns();
	if (nsrp_leave_as(eth, vsi, tells_addresses, now) == TC_ACT_SHOT || !vsi)
		return TC_ACT_SHOT;
	if (!skb->ingress_ifindex)
		return TC_ACT_UNSPEC;
	young = nsrp_track_session(skb, vsi->vsd, vsi->flags & NSRP_VSI_DEFERS, now);
	/* What drains after a handover is nothing to wait for. */
	if (young && nsrp_same_mac(eth->h_source, vsi->vmac))
		return nsrp_hold(skb, vsi->vsd, (nsrp_u32)young);
	return TC_ACT_UNSPEC;
}

/* A solicitation from a VSI address names the sender's MAC in its first option, where the kernel puts its
 * own. */
static __always_inline void nsrp_rewrite_solicitation(struct __sk_buff *skb, struct ethhdr *eth, void *end)
{
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct nsrp_nd *solicit = (void *)(ip6 + 1);
	struct nsrp_nd_link_option *option = (void *)(solicit + 1);
	const nsrp_u32 checksum_at =
		sizeof(*eth) + sizeof(*ip6) + __builtin_offsetof(struct nsrp_nd, checksum);
	struct nsrp_nd_link_option before, after;

	if ((void *)(option + 1) > end || option->type != NSRP_ND_OPT_SOURCE || option->length != 1)
		return;
	before = *option;
	after = before;
	nsrp_copy_mac(after.mac, eth->h_source);
	*option = after;
	bpf_l4_csum_replace(skb, checksum_at, 0,
			    bpf_csum_diff((void *)&before, sizeof(before), (void *)&after, sizeof(after), 0),
			    0);
}

/* RFC 4861: router and neighbour solicitations and advertisements, redirects */
static __always_inline int nsrp_is_neighbour_discovery(nsrp_u8 icmp_type)
{
	return icmp_type >= 133 && icmp_type <= 137;
}

static __always_inline int nsrp_guard_ipv6(struct __sk_buff *skb, struct ethhdr *eth, void *end)
{
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct nsrp_nd *nd = (void *)(ip6 + 1);
	const struct nsrp_addr *source;
	nsrp_u8 nd_type = 0;
	int verdict;

	if ((void *)(ip6 + 1) > end)
		return TC_ACT_UNSPEC;
	if (ip6->nexthdr == IPPROTO_ICMPV6 && (void *)(nd + 1) <= end)
		nd_type = nd->type;
	/* The kernel knows the address too and would give away the wrong MAC; XDP has answered. Our own
	   unsolicited advertisements come from a packet socket and carry the virtual MAC already. */
	if (nd_type == NSRP_ND_ADVERT && nsrp_vsi_of_addr(nsrp_addr6(skb->ifindex, nd->target)))
		return nsrp_shot(NSRP_CNT_tx_drop_kernel_na);
	source = nsrp_addr6(skb->ifindex, &ip6->saddr);
	verdict = nsrp_guard_ip(skb, eth, source, nsrp_is_neighbour_discovery(nd_type));
	if (verdict != TC_ACT_SHOT && nd_type == NSRP_ND_SOLICIT && source && source->kind == NSRP_ADDR_VSI)
		nsrp_rewrite_solicitation(skb, eth, end);
	return verdict;
}

#endif
