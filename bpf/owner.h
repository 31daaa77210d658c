/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Whose a packet is: the VSD whose master has to process it. The answer depends on the packet, the
 * configuration, the session table and the routes, and not on who is master of what, so that both boxes
 * give the same one. In this order:
 *
 *   1. an address of this device itself: nobody's, it stays here;
 *   2. a later fragment: what its first fragment was;
 *   3. a session: the VSD of its record; an ICMP error goes with the session it speaks of;
 *   4. the address of a VSI: that VSI's VSD;
 *   5. the VSI through which the packet will leave (manual ch. 1, figure 8);
 *   6. the VSD whose virtual MAC it was sent to.
 */
#ifndef NSRP_BPF_OWNER_H
#define NSRP_BPF_OWNER_H

#include "count.h"
#include "flow.h"
#include "vsd.h"
#include "vsi.h"

enum { NSRP_NOBODY = -1 };

enum nsrp_why { NSRP_BY_MAC, NSRP_BY_SESSION, NSRP_BY_ADDRESS, NSRP_BY_EGRESS };

struct nsrp_owner {
	int vsd;      /* NSRP_NOBODY: of no VSD, the stack has it */
	int why;      /* enum nsrp_why */
	int mastered; /* the lease was found in force: no need to ask again */
};

/* A packet in front of us: where it came in, and what it was sent to. */
struct nsrp_arrival {
	void *ctx;
	const void *l3;
	const void *end;
	const struct nsrp_vsi *vsi; /* whose virtual MAC it was sent to; 0: the interface's own MAC */
	nsrp_u64 now;
	nsrp_u32 ifindex;
	__be16 ethertype;
};

#define NSRP_FRAGMENT_NS 30000000000ull /* reassembly is given up after as long (net.ipv4.ipfrag_time) */
#define NSRP_AF_INET 2
#define NSRP_AF_INET6 10

static __always_inline void nsrp_fragment_key_of(const struct nsrp_flow *flow, struct nsrp_fragment_key *key)
{
	nsrp_copy_ip6(key->saddr, flow->saddr);
	nsrp_copy_ip6(key->daddr, flow->daddr);
	key->id = flow->fragment_id;
	key->proto = flow->family == NSRP_IPV4 ? flow->proto : 0;
	key->family = flow->family;
}

static __always_inline int nsrp_owner_of_fragment(const struct nsrp_flow *flow)
{
	struct nsrp_fragment_key key = {};
	const struct nsrp_fragment *first;

	nsrp_fragment_key_of(flow, &key);
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || bpf_ktime_get_ns() - first->seen_ns > NSRP_FRAGMENT_NS)
		return NSRP_NOBODY;
	return (int)first->vsd;
}

static __always_inline void nsrp_remember_fragment(const struct nsrp_flow *flow, int vsd)
{
	struct nsrp_fragment_key key = {};
	struct nsrp_fragment first = {.seen_ns = bpf_ktime_get_ns(), .vsd = (nsrp_u32)vsd};

	nsrp_fragment_key_of(flow, &key);
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
}

/* Packets come in as one of conntrack's two tuples: the original, or the reply. */
static __always_inline int nsrp_owner_of_session(const struct nsrp_tuple *tuple)
{
	const struct nsrp_session *session = bpf_map_lookup_elem(&sessions, tuple);
	int vsd;

	if (!session) {
		const struct nsrp_tuple *original = bpf_map_lookup_elem(&reply_index, tuple);

		if (!original)
			return NSRP_NOBODY;
		session = bpf_map_lookup_elem(&sessions, original);
		if (!session)
			return NSRP_NOBODY;
	}
	vsd = session->vsd;
	/* Records may outlive their VSD. */
	return nsrp_vsi_of_vsd(NSRP_ANY_INTERFACE, vsd) ? vsd : NSRP_NOBODY;
}

static __always_inline const struct nsrp_addr *nsrp_addr_of(nsrp_u32 ifindex, const struct nsrp_flow *flow)
{
	struct nsrp_addr_key key = {.ifindex = ifindex, .family = flow->family};
	const struct nsrp_addr *found;

	nsrp_copy_ip6(key.addr, flow->daddr);
	found = bpf_map_lookup_elem(&addr_table, &key);
	if (found)
		return found;
	key.ifindex = NSRP_ANY_INTERFACE;
	return bpf_map_lookup_elem(&addr_table, &key);
}

/* The interface to which a VSD's own routing table leads, or 0. */
static __always_inline nsrp_u32 nsrp_own_route(nsrp_u32 vsd, const struct nsrp_flow *flow)
{
	struct nsrp_route_key key = {.vsd = (nsrp_u8)vsd, .family = flow->family};
	const struct nsrp_route *route;

	key.prefix_len = NSRP_ROUTE_FIXED_BITS + (flow->family == NSRP_IPV4 ? 32 : 128);
	nsrp_copy_ip6(key.addr, flow->daddr);
	route = bpf_map_lookup_elem(&vsd_routes, &key);
	return route ? route->ifindex : 0;
}

/* The interface to which the main table leads, or 0; whether through a gateway. */
static __always_inline nsrp_u32 nsrp_main_route(const struct nsrp_arrival *in, const struct nsrp_flow *flow,
						int *gateway)
{
	struct bpf_fib_lookup fib = {.ifindex = in->ifindex};
	nsrp_u32 *dst = fib.ipv6_dst;
	const nsrp_u32 *to = (const void *)flow->daddr;
	long result;

	if (flow->family == NSRP_IPV4) {
		fib.family = NSRP_AF_INET;
		fib.ipv4_src = *(const __be32 *)flow->saddr;
		fib.ipv4_dst = to[0];
	} else {
		fib.family = NSRP_AF_INET6;
		nsrp_copy_ip6(fib.ipv6_src, flow->saddr);
		nsrp_copy_ip6(fib.ipv6_dst, flow->daddr);
	}
	fib.l4_protocol = flow->proto;
	result = bpf_fib_lookup(in->ctx, &fib, sizeof(fib), 0);
	/* Without a neighbour yet the route is known all the same. */
	if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH)
		return 0;
	/* The destination now says the next hop. */
	if (flow->family == NSRP_IPV4)
		*gateway = fib.family != NSRP_AF_INET || fib.ipv4_dst != to[0];
	else
		*gateway = dst[0] != to[0] || dst[1] != to[1] || dst[2] != to[2] || dst[3] != to[3];
	return fib.ifindex;
}

/*
 * The VSI through which a packet of this VSD leaves. Routes of the main table belong to VSD 0, except those
 * to neighbours: every VSI is on its own subnet. An interface without VSIs is nobody's: 0.
 */
static __always_inline const struct nsrp_vsi *nsrp_egress_vsi(const struct nsrp_arrival *in, nsrp_u32 vsd,
							      const struct nsrp_flow *flow)
{
	const struct nsrp_vsi *vsi = 0;
	int gateway = 0;
	nsrp_u32 out = vsd ? nsrp_own_route(vsd, flow) : 0;

	if (!out)
		out = nsrp_main_route(in, flow, &gateway);
	if (!out)
		return 0;
	if (!gateway)
		vsi = nsrp_vsi_of_vsd(out, vsd);
	if (!vsi)
		vsi = nsrp_vsi_of_vsd(out, 0);
	if (!vsi)
		vsi = nsrp_vsi_of_vsd(out, vsd);
	if (!vsi)
		vsi = nsrp_vsi_of_vsd(out, NSRP_ANY_VSD);
	return vsi;
}

static __always_inline struct nsrp_owner nsrp_classify(const struct nsrp_arrival *in)
{
	const struct nsrp_vsi *some = in->vsi ? in->vsi : nsrp_vsi_of_vsd(in->ifindex, NSRP_ANY_VSD);
	struct nsrp_owner owner = {.vsd = in->vsi ? in->vsi->vsd : NSRP_NOBODY, .why = NSRP_BY_MAC};
	const struct nsrp_addr *addr;
	const struct nsrp_vsi *vsi;
	struct nsrp_flow flow = {};
	int vsd = NSRP_NOBODY;

	nsrp_read_flow(in->ethertype, in->l3, in->end, &flow);
	if (!flow.family || !nsrp_is_routable(&flow))
		return owner;
	addr = nsrp_addr_of(in->ifindex, &flow);
	if (addr && addr->kind == NSRP_ADDR_DEVICE) {
		owner.vsd = NSRP_NOBODY;
		return owner;
	}
	if (flow.part == NSRP_LATER_FRAGMENT) {
		vsd = nsrp_owner_of_fragment(&flow);
		if (vsd == NSRP_NOBODY)
			nsrp_count(NSRP_CNT_rx_fragment_unknown);
	} else if (flow.has_tuple) {
		vsd = nsrp_owner_of_session(&flow.tuple);
	}
	if (vsd != NSRP_NOBODY) {
		owner.vsd = vsd;
		owner.why = NSRP_BY_SESSION;
	} else if (addr) {
		vsi = nsrp_vsi_of_vid(addr->vid);
		if (vsi) {
			owner.vsd = vsi->vsd;
			owner.why = NSRP_BY_ADDRESS;
		}
	} else if (some) {
		vsi = nsrp_egress_vsi(in, some->vsd, &flow);
		if (vsi) {
			owner.vsd = vsi->vsd;
			owner.why = NSRP_BY_EGRESS;
		}
	}
	if (flow.part == NSRP_FIRST_FRAGMENT && owner.vsd != NSRP_NOBODY)
		nsrp_remember_fragment(&flow, owner.vsd);
	if (in->vsi && owner.vsd == in->vsi->vsd)
		owner.why = NSRP_BY_MAC;
	return owner;
}

/*
 * The common cases first: on a box with VSIs of one VSD only, the virtual MAC of a VSD mastered here says
 * all; and what has crossed the data link was classified by the peer, which put it on the right VSI if it
 * could.
 */
static __always_inline struct nsrp_owner nsrp_find_owner(const struct nsrp_arrival *in, int crossed)
{
	struct nsrp_owner owner = {.why = NSRP_BY_MAC};

	if (in->vsi && (crossed || !(in->vsi->flags & NSRP_VSI_SEVERAL_VSDS)) &&
	    nsrp_masters_at(in->vsi->vsd, in->now)) {
		owner.vsd = in->vsi->vsd;
		owner.mastered = 1;
		return owner;
	}
	return nsrp_classify(in);
}

/* Whether the packet is for a VSD that another box masters. */
static __always_inline int nsrp_is_elsewhere(const struct nsrp_owner *owner, nsrp_u64 now)
{
	return owner->vsd != NSRP_NOBODY && !owner->mastered && !nsrp_masters_at((nsrp_u32)owner->vsd, now);
}

#endif
