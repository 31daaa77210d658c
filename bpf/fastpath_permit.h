/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Permits of the fast path, given at tc egress. A packet that is about to leave here has been let through by
 * nftables, conntrack and routing, its NAT is done, its next hop resolved: the frame itself says all that XDP
 * has to write into the ones that follow. A packet that never gets here renews nothing, and its session is
 * fast no longer.
 */
#ifndef NSRP_BPF_FASTPATH_PERMIT_H
#define NSRP_BPF_FASTPATH_PERMIT_H

#include "conntrack.h"
#include "fastpath.h"

static __always_inline void nsrp_fast_revoke_one(const struct nsrp_tuple *incoming)
{
	struct nsrp_fast_flow *flow = bpf_map_lookup_elem(&fast_flows, incoming);

	if (!flow || !NSRP_READ_ONCE(flow->permit_until_ns))
		return;
	*(volatile nsrp_u64 *)&flow->permit_until_ns = 0;
	nsrp_count(NSRP_CNT_fast_revoked);
}

/* Both directions of a session. */
static __always_inline void nsrp_fast_revoke(const struct nsrp_tuple *key, const struct nsrp_tuple *reply)
{
	nsrp_fast_revoke_one(key);
	nsrp_fast_revoke_one(reply);
}

/* Whether this direction of a session goes fast already, or is not to at all: then tc egress has nothing to
 * do. */
static __always_inline int nsrp_fast_wants_permit(const struct nsrp_tuple *incoming, nsrp_u64 now)
{
	const struct nsrp_fast_config *config = nsrp_the_fast_config();
	const struct nsrp_fast_flow *flow;

	if (!nsrp_fast_takes(config, incoming->proto))
		return 0;
	flow = bpf_map_lookup_elem(&fast_flows, incoming);
	return !flow || now >= NSRP_READ_ONCE(flow->permit_until_ns) ||
	       NSRP_READ_ONCE(flow->generation) != NSRP_READ_ONCE(config->generation);
}

/* The longest packet that may leave here: the interface's limit, or the route's. */
static __always_inline nsrp_u16 nsrp_fast_mtu(struct __sk_buff *skb)
{
	nsrp_u32 device = 0, route = nsrp_route_mtu(skb);

	if (bpf_check_mtu(skb, 0, &device, 0, 0) < 0)
		return 0;
	if (route && route < device)
		device = route;
	return device > 0xffff ? 0xffff : (nsrp_u16)device;
}

/* As the packet before us leaves, so will the ones that come in like it. `outgoing`: its addresses, turned
 * round. */
static __always_inline int nsrp_fast_describe(struct __sk_buff *skb, const struct ethhdr *eth,
					      const struct nsrp_tuple *incoming,
					      const struct nsrp_tuple *outgoing, nsrp_u8 vsd,
					      struct nsrp_fast_flow *flow)
{
	const struct nsrp_if_config *out = nsrp_config_of(skb->ifindex);

	/* What drains after a handover leaves with the interface's own MAC, and is no example to follow. */
	if (!out || !nsrp_vsi_of_mac(skb->ifindex, eth->h_source))
		return 0;
	flow->in_ifindex = skb->ingress_ifindex;
	flow->out_ifindex = out->lower_ifindex ? out->lower_ifindex : skb->ifindex;
	flow->out_vid = out->vlan_vid;
	flow->mtu = nsrp_fast_mtu(skb);
	flow->vsd = vsd;
	nsrp_copy_mac(flow->dmac, eth->h_dest);
	nsrp_copy_mac(flow->smac, eth->h_source);
	nsrp_copy_ip6(flow->saddr, outgoing->daddr);
	nsrp_copy_ip6(flow->daddr, outgoing->saddr);
	flow->sport = outgoing->dport;
	flow->dport = outgoing->sport;
	/* Source and destination stand side by side in both. */
	flow->address_delta = nsrp_fast_fold(
		(nsrp_u32)bpf_csum_diff((void *)incoming->saddr, 32, (void *)flow->saddr, 32, 0));
	return 1;
}

/* From `in_ifindex` on: what stands before are the counters that XDP keeps, what stands last is when. */
static __always_inline int nsrp_fast_same(const struct nsrp_fast_flow *a, const struct nsrp_fast_flow *b)
{
	const nsrp_u32 *x = &a->in_ifindex, *y = &b->in_ifindex;
	nsrp_u32 differing = 0;

#pragma unroll
	for (int i = 0; i < (int)((__builtin_offsetof(struct nsrp_fast_flow, granted) -
				   __builtin_offsetof(struct nsrp_fast_flow, in_ifindex)) /
				  4);
	     i++)
		differing |= x[i] ^ y[i];
	return !differing;
}

/*
 * For how long. Conntrack's entry must not run out meanwhile; and what has been granted at once, when rules
 * have changed, is not to be renewed all at once.
 */
static __always_inline nsrp_u64 nsrp_fast_duration(nsrp_u32 timeout_s)
{
	nsrp_u32 key = 0;
	const nsrp_u64 *paced = bpf_map_lookup_elem(&fast_permit, &key);
	nsrp_u64 permit = paced ? NSRP_READ_ONCE(*paced) : 0, half = timeout_s * 500000000ull;

	if (permit <= NSRP_FAST_PERMIT_NS)
		permit = NSRP_FAST_PERMIT_NS;
	else
		permit -= (permit * (bpf_get_prandom_u32() & 0xff)) >> 9;
	return permit < half ? permit : half;
}

/*
 * A direction that leaves as before gets its permit in place; one that leaves otherwise gets a new entry, so
 * that XDP on another CPU never sees half of each.
 */
static __always_inline int nsrp_fast_grant(struct __sk_buff *skb, const struct ethhdr *eth,
					   const struct nsrp_tuple *incoming,
					   const struct nsrp_tuple *outgoing, nsrp_u8 vsd, nsrp_u32 timeout_s,
					   nsrp_u64 now)
{
	const struct nsrp_fast_config *config = nsrp_the_fast_config();
	struct nsrp_fast_flow fresh = {};
	struct nsrp_fast_flow *flow;

	if (!config || !nsrp_fast_describe(skb, eth, incoming, outgoing, vsd, &fresh))
		return 0;
	fresh.generation = NSRP_READ_ONCE(config->generation);
	fresh.permit_until_ns = now + nsrp_fast_duration(timeout_s);
	fresh.granted = (nsrp_u32)(now >> NSRP_FAST_GRANTED_SHIFT);
	flow = bpf_map_lookup_elem(&fast_flows, incoming);
	if (flow && nsrp_fast_same(flow, &fresh)) {
		*(volatile nsrp_u32 *)&flow->generation = fresh.generation;
		*(volatile nsrp_u32 *)&flow->granted = fresh.granted;
		*(volatile nsrp_u64 *)&flow->permit_until_ns = fresh.permit_until_ns;
	} else {
		fresh.stack_ns = now;
		if (flow) {
			fresh.packets = flow->packets;
			fresh.bytes = flow->bytes;
		}
		if (bpf_map_update_elem(&fast_flows, incoming, &fresh, BPF_ANY)) {
			nsrp_count(NSRP_CNT_fast_map_full);
			return 0;
		}
	}
	nsrp_count(NSRP_CNT_fast_granted);
	return NSRP_SESSION_FAST;
}

#endif
