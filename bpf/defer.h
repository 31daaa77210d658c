/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The first packets of a session wait until the peer has the session, where their VSD wants that: what nobody
 * outside has seen nobody answers, so a crash of this box leaves no answer without a session. The daemon gets
 * a copy of the frame, and sends it when it is time; nsrp_guard_held() lets it out.
 *
 * Whatever is in the way of that, the packet goes on at once: nobody there to read the copy (the kernel takes
 * the places in held_packets away with the process that made them), no room, no peer, or a daemon that has
 * stopped to renew its times.
 */
#ifndef NSRP_BPF_DEFER_H
#define NSRP_BPF_DEFER_H

#include <linux/pkt_cls.h>

#include "count.h"
#include "session.h"
#include "vsd.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(nsrp_u32));
	__uint(value_size, sizeof(nsrp_u32));
} held_packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NSRP_MAX_VSDS);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_defer);
} defers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NSRP_HELD_GATES);
	__type(key, nsrp_u32);
	__type(value, nsrp_u64);
} held_gates SEC(".maps");

enum { NSRP_CHECKSUM_PARTIAL = 3, NSRP_ENOENT = 2 }; /* as the kernel has them */

/* Where the interface is to put a checksum. False: it has to put one that nobody else can. */
static __always_inline int nsrp_read_checksum(struct __sk_buff *skb, struct nsrp_held_packet *held)
{
	const struct sk_buff *kernel_skb = (const void *)skb;
	nsrp_u16 frame = 0;

	if (BPF_CORE_READ_BITFIELD_PROBED(kernel_skb, ip_summed) != NSRP_CHECKSUM_PARTIAL)
		return 1;
	if (bpf_core_field_exists(kernel_skb->csum_not_inet) &&
	    BPF_CORE_READ_BITFIELD_PROBED(kernel_skb, csum_not_inet))
		return 0;
	/* Both count from where the buffer begins. */
	nsrp_ct_read(&frame, &kernel_skb->mac_header);
	nsrp_ct_read(&held->checksum_start, &kernel_skb->csum_start);
	nsrp_ct_read(&held->checksum_offset, &kernel_skb->csum_offset);
	held->checksum_start -= frame;
	return 1;
}

/*
 * `young`: what nsrp_track_session() said. TC_ACT_STOLEN: the daemon has the packet. A function of its own to
 * the verifier, like that one.
 */
__noinline int nsrp_hold(struct __sk_buff *skb, nsrp_u32 vsd, nsrp_u32 young)
{
	nsrp_u64 now = bpf_ktime_get_ns();
	struct nsrp_held_packet held = {.held_ns = now,
					.ifindex = skb->ifindex,
					.mark = skb->mark,
					.gate = young >> NSRP_YOUNG_SHIFT,
					.length = skb->len,
					.vsd = (nsrp_u8)vsd,
					.first = (young & NSRP_YOUNG_FIRST) != 0};
	const struct nsrp_defer *defer = bpf_map_lookup_elem(&defers, &vsd);
	nsrp_u64 *gate = bpf_map_lookup_elem(&held_gates, &held.gate);
	long failure;

	if (!nsrp_sessions_enabled || !defer || !gate)
		return TC_ACT_UNSPEC;
	if (held.first && now >= NSRP_READ_ONCE(defer->until_ns)) {
		nsrp_count(NSRP_CNT_hold_nobody);
		return TC_ACT_UNSPEC;
	}
	if (!held.first && (!NSRP_READ_ONCE(*gate) || now >= NSRP_READ_ONCE(defer->behind_until_ns)))
		return TC_ACT_UNSPEC;
	if (skb->gso_size || held.length > NSRP_HELD_BYTES || !nsrp_read_checksum(skb, &held)) {
		nsrp_count(NSRP_CNT_hold_unfit);
		return TC_ACT_UNSPEC;
	}
	__sync_fetch_and_add(gate, 1);
	failure = bpf_perf_event_output(skb, &held_packets, BPF_F_CURRENT_CPU | ((nsrp_u64)held.length << 32),
					&held, sizeof(held));
	if (failure) {
		__sync_fetch_and_add(gate, -1);
		nsrp_count(failure == -NSRP_ENOENT ? NSRP_CNT_hold_nobody : NSRP_CNT_hold_full);
		return TC_ACT_UNSPEC;
	}
	nsrp_count(NSRP_CNT_held);
	return TC_ACT_STOLEN;
}

#endif
