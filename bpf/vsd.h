/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Mastership as the data path sees it: the lease of struct nsrp_vsd_state, and both sides of a planned
 * switch.
 */
#ifndef NSRP_BPF_VSD_H
#define NSRP_BPF_VSD_H

#include "count.h"
#include "maps.h"

/* The daemon stores to this memory while we read it; one load per field, and no second look. */
#define NSRP_READ_ONCE(field) (*(const volatile __typeof__(field) *)&(field))

static __always_inline int nsrp_lease_in_force(const struct nsrp_vsd_state *state, nsrp_u64 now)
{
	nsrp_u64 until = NSRP_READ_ONCE(state->master_until_ns), seen, grace;

	if (now >= until)
		return 0;
	seen = NSRP_READ_ONCE(state->peer_seen_ns);
	grace = NSRP_READ_ONCE(state->alone_grace_ns);
	return seen == 0 || grace == 0 || now < seen + grace;
}

static __always_inline int nsrp_masters_at(nsrp_u32 vsd, nsrp_u64 now)
{
	const struct nsrp_vsd_state *state = bpf_map_lookup_elem(&vsd_state, &vsd);

	if (!state)
		return 0;
	if (nsrp_lease_in_force(state, now))
		return 1;
	return NSRP_READ_ONCE(state->took_ns) && now < NSRP_READ_ONCE(state->succession_until_ns);
}

/* The mastership's number: another one each time a VSD changes hands. */
static __always_inline nsrp_u64 nsrp_term_of(nsrp_u32 vsd)
{
	const struct nsrp_vsd_state *state = bpf_map_lookup_elem(&vsd_state, &vsd);

	return state ? NSRP_READ_ONCE(state->term) : 0;
}

static __always_inline int nsrp_masters(nsrp_u32 vsd)
{
	return nsrp_masters_at(vsd, bpf_ktime_get_ns());
}

/* The VSD was handed over a moment ago: what had come in before goes its way. */
static __always_inline int nsrp_drains(nsrp_u32 vsd)
{
	const struct nsrp_vsd_state *state = bpf_map_lookup_elem(&vsd_state, &vsd);
	nsrp_u64 until = state ? NSRP_READ_ONCE(state->drain_until_ns) : 0;

	return until && bpf_ktime_get_ns() < until;
}

/*
 * The peer has passed on a packet of this VSD. If it is about to hand the VSD over to us, that says that it
 * has: what it masters it keeps. Not, however, if it may have taken the packet for another VSD's.
 */
static __always_inline int nsrp_takes_from_peer(nsrp_u32 vsd, int certain)
{
	struct nsrp_vsd_state *state;
	nsrp_u64 now;

	if (nsrp_masters(vsd) || nsrp_drains(vsd))
		return 1;
	state = bpf_map_lookup_elem(&vsd_state, &vsd);
	if (!state || !certain || !NSRP_READ_ONCE(state->succession_until_ns))
		return 0;
	now = bpf_ktime_get_ns();
	if (now >= NSRP_READ_ONCE(state->succession_until_ns))
		return 0;
	*(volatile nsrp_u64 *)&state->took_ns = now;
	nsrp_count(NSRP_CNT_dl_succeeded);
	return 1;
}

/* A heartbeat of the peer has arrived: the grace of every lease that was granted to a lonely box starts now.
 */
static __always_inline void nsrp_stamp_peer_seen(void)
{
	nsrp_u64 now = bpf_ktime_get_ns();

	for (nsrp_u32 vsd = 0; vsd < NSRP_MAX_VSDS; vsd++) {
		/* The map may keep the key's address: give it its own copy, so that the loop stays bounded.
		 */
		nsrp_u32 key = vsd;
		struct nsrp_vsd_state *state = bpf_map_lookup_elem(&vsd_state, &key);

		if (state && NSRP_READ_ONCE(state->alone_grace_ns) && !NSRP_READ_ONCE(state->peer_seen_ns))
			*(volatile nsrp_u64 *)&state->peer_seen_ns = now;
	}
}

#endif
