/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Flows of which nothing needs to be written down for the next moment: their record has settled, and its
 * last_seen_ns is fresh. Finding that out from the record takes three look-ups in tables too large for a
 * processor's caches; here it is one line of memory, of which four flows share each.
 *
 * A flow is known by a number made of its tuple. Where two flows have the same number, or two processors
 * write at once, or a flow ends and another one takes its addresses and ports, the worst is that a record is
 * as much later as a flow stays quiet, NSRP_SEEN_EVERY_NS.
 */
#ifndef NSRP_BPF_QUIET_H
#define NSRP_BPF_QUIET_H

#include "maps.h"
#include "vsd.h"

/* Set by user space before loading: nobody outside can tell which flows meet in one place. */
const volatile nsrp_u64 nsrp_flow_seed = 0;

static __always_inline nsrp_u64 nsrp_flow_number(const struct nsrp_tuple *tuple)
{
	const nsrp_u64 *words = (const void *)tuple;
	nsrp_u64 number = nsrp_flow_seed;

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*tuple) / sizeof(*words)); i++) {
		number = (number ^ words[i]) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio: mixes upwards */
		number ^= number >> 32;
	}
	return number;
}

static __always_inline struct nsrp_quiet_flow *nsrp_quiet_place(nsrp_u64 number)
{
	nsrp_u32 place = (nsrp_u32)number & (NSRP_QUIET_FLOWS - 1);

	return bpf_map_lookup_elem(&quiet_flows, &place);
}

static __always_inline int nsrp_is_quiet(nsrp_u64 number, nsrp_u64 now)
{
	const struct nsrp_quiet_flow *flow = nsrp_quiet_place(number);

	return flow && NSRP_READ_ONCE(flow->number) == number && now < NSRP_READ_ONCE(flow->until_ns);
}

static __always_inline void nsrp_keep_quiet(nsrp_u64 number, nsrp_u64 until)
{
	struct nsrp_quiet_flow *flow = nsrp_quiet_place(number);

	if (!flow)
		return;
	*(volatile nsrp_u64 *)&flow->until_ns = until;
	*(volatile nsrp_u64 *)&flow->number = number;
}

/* Each packet that follows may change the record: the last one of a connection is a bare ACK. */
static __always_inline void nsrp_end_quiet(const struct nsrp_tuple *key, const struct nsrp_tuple *reply)
{
	nsrp_keep_quiet(nsrp_flow_number(key), 0);
	nsrp_keep_quiet(nsrp_flow_number(reply), 0);
}

#endif
