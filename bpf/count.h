/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Counting: every verdict that is not "somebody else's frame" leaves a number with a name. */
#ifndef NSRP_BPF_COUNT_H
#define NSRP_BPF_COUNT_H

#include "maps.h"

static __always_inline void nsrp_count_more(enum nsrp_counter which, nsrp_u64 more)
{
	nsrp_u32 key = which;
	nsrp_u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += more;
}

static __always_inline void nsrp_count(enum nsrp_counter which)
{
	nsrp_count_more(which, 1);
}

#endif
