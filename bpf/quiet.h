/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Flows of which nothing needs to be written down for the next moment: their record has settled, and its
 * last_seen_ns is fresh. Finding that out from the record takes three look-ups in tables too large for a
 * processor's caches; here it is one line of memory, of which eight flows share each.
 *
 * A flow is known by a number made of its tuple, its conntrack entry and the mastership it is forwarded in,
 * so that one which takes over another's addresses and ports is another flow. Where two flows meet in one
 * place, or two processors write at once, the worst is that a record is looked at too often, or as much later
 * as a flow stays quiet, NSRP_QUIET_NS.
 */
#ifndef NSRP_BPF_QUIET_H
#define NSRP_BPF_QUIET_H

#include "maps.h"
#include "vsd.h"

/* Set by user space before loading: nobody outside can tell which flows meet in one place. */
const volatile nsrp_u64 nsrp_flow_seed = 0;

#define NSRP_QUIET_NS 2000000000ull
enum {
	NSRP_QUIET_SHIFT = 20,
	NSRP_QUIET_TIME = 0xffffff
}; /* until when: in units of 2^20 ns, 24 bits of them */

/* `entry`: sk_buff._nfct, which also says the direction. */
static __always_inline nsrp_u64 nsrp_flow_number(const struct nsrp_tuple *tuple, nsrp_u64 entry,
						 nsrp_u64 term)
{
	const nsrp_u64 *words = (const void *)tuple;
	nsrp_u64 number = nsrp_flow_seed ^ entry ^ (term << 48);

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*tuple) / sizeof(*words)); i++) {
		number = (number ^ words[i]) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio: mixes upwards */
		number ^= number >> 32;
	}
	return number;
}

/* The upper bits of the number that stands there, and until when; the place is the number's lower bits. */
static __always_inline nsrp_u64 *nsrp_quiet_place(nsrp_u64 number)
{
	nsrp_u32 place = (nsrp_u32)number & (NSRP_QUIET_FLOWS - 1);

	return bpf_map_lookup_elem(&quiet_flows, &place);
}

static __always_inline int nsrp_is_quiet(nsrp_u64 number, nsrp_u64 now)
{
	const nsrp_u64 *place = nsrp_quiet_place(number);
	nsrp_u64 found = place ? NSRP_READ_ONCE(*place) : 0, left;

	if (!found || (found ^ number) & ~(nsrp_u64)NSRP_QUIET_TIME)
		return 0;
	/* What stands there since the clock of 24 bits went round is not ahead of us by so little. */
	left = (found - (now >> NSRP_QUIET_SHIFT)) & NSRP_QUIET_TIME;
	return left && left <= (NSRP_QUIET_NS >> NSRP_QUIET_SHIFT);
}

static __always_inline void nsrp_keep_quiet(nsrp_u64 number, nsrp_u64 now)
{
	nsrp_u64 *place = nsrp_quiet_place(number), until = (now + NSRP_QUIET_NS) >> NSRP_QUIET_SHIFT;

	if (place)
		*(volatile nsrp_u64 *)place =
			(number & ~(nsrp_u64)NSRP_QUIET_TIME) | (until & NSRP_QUIET_TIME);
}

static __always_inline void nsrp_end_quiet_of(nsrp_u64 number)
{
	nsrp_u64 *place = nsrp_quiet_place(number);

	if (place)
		*(volatile nsrp_u64 *)place = 0;
}

#endif
