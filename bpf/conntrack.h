/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Reading the conntrack entry a packet carries. The kfunc bpf_skb_ct_lookup() would look it up again in
 * conntrack's hash (hundreds of nanoseconds), and knows TCP and UDP only; the skb already points to its entry
 * and holds a reference to it. Fields are found by CO-RE in the running kernel's BTF, also where conntrack is
 * a module.
 */
#ifndef NSRP_BPF_CONNTRACK_H
#define NSRP_BPF_CONNTRACK_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "nsrp/abi/nsrp_abi.h"

/* Set by user space before loading. When conntrack is not to be read, the verifier never sees this code. */
const volatile nsrp_u8 nsrp_sessions_enabled = 0;
const volatile nsrp_u32 nsrp_kernel_hz = 250;

/* The kernel's enum ip_conntrack_status and enum tcp_conntrack, as far as we look at them */
enum {
	NSRP_IPS_SEEN_REPLY = 1 << 1,
	NSRP_IPS_ASSURED = 1 << 2,
	NSRP_IPS_CONFIRMED = 1 << 3,
	NSRP_IPS_SEQ_ADJUST = 1 << 6,
	NSRP_IPS_DYING = 1 << 9,
	NSRP_IPS_TEMPLATE = 1 << 11,
	NSRP_TCP_ESTABLISHED = 3,
};

/* Its enum ip_conntrack_info, and the bits of sk_buff._nfct where it stands */
enum { NSRP_CT_ESTABLISHED = 0, NSRP_CT_RELATED = 1, NSRP_CT_NEW = 2, NSRP_CT_ESTABLISHED_REPLY = 3 };
#define NSRP_CT_INFO 7ull

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

union nf_inet_addr {
	nsrp_u32 all[4];
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union {
		nsrp_u16 all;
	} u;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			nsrp_u16 all;
		} u;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conntrack_zone {
	nsrp_u16 id;
};

struct ip_ct_tcp {
	nsrp_u8 state;
};

union nf_conntrack_proto {
	struct ip_ct_tcp tcp;
};

/* Offsets of the extensions an entry has; the first is that of a helper. */
struct nf_ct_ext {
	nsrp_u8 offset[1];
};

struct nf_conn {
	nsrp_u32 timeout;
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	nsrp_u32 mark;
	struct nf_ct_ext *ext;
	union nf_conntrack_proto proto;
};

struct dst_entry {
	unsigned long _metrics;
};

struct sk_buff {
	unsigned long _nfct;
	unsigned long _skb_refdst;
	nsrp_u8 ip_summed : 2;
	nsrp_u8 csum_not_inet : 1;
	nsrp_u16 csum_start;
	nsrp_u16 csum_offset;
	nsrp_u16 mac_header;
};

#pragma clang attribute pop

#define nsrp_ct_read(dst, field) bpf_core_read(dst, sizeof(*(dst)), field)

/* The address of the packet's entry, 0 without one, and in its low bits in which state the packet found it.
 */
static __always_inline nsrp_u64 nsrp_ct_entry(struct __sk_buff *skb)
{
	/* The context of a tc program *is* the kernel's sk_buff; only reads through a helper may see it that
	 * way. */
	const struct sk_buff *kernel_skb = (const void *)skb;
	unsigned long entry = 0;

	nsrp_ct_read(&entry, &kernel_skb->_nfct);
	return entry;
}

/* Nothing of its flow has been answered yet. */
static __always_inline int nsrp_ct_is_first(nsrp_u64 entry)
{
	return (entry & NSRP_CT_INFO) == NSRP_CT_NEW || (entry & NSRP_CT_INFO) == NSRP_CT_RELATED;
}

/* The confirmed entry in the default zone, or 0. */
static __always_inline const struct nf_conn *nsrp_ct_of(nsrp_u64 entry, nsrp_u32 *status)
{
	const struct nf_conn *ct = (const void *)(entry & ~NSRP_CT_INFO);
	unsigned long bits = 0;
	nsrp_u16 zone = 0;

	if (!ct)
		return 0;
	nsrp_ct_read(&bits, &ct->status);
	if (!(bits & NSRP_IPS_CONFIRMED) || (bits & (NSRP_IPS_DYING | NSRP_IPS_TEMPLATE)))
		return 0;
	if (bpf_core_field_exists(ct->zone))
		nsrp_ct_read(&zone, &ct->zone.id);
	*status = (nsrp_u32)bits;
	return zone ? 0 : ct;
}

static __always_inline nsrp_u8 nsrp_ct_tcp_state(const struct nf_conn *ct)
{
	nsrp_u8 state = 0;

	nsrp_ct_read(&state, &ct->proto.tcp.state);
	return state;
}

static __always_inline nsrp_u32 nsrp_ct_mark(const struct nf_conn *ct)
{
	nsrp_u32 mark = 0;

	if (bpf_core_field_exists(ct->mark))
		nsrp_ct_read(&mark, &ct->mark);
	return mark;
}

/* Whether its packets have to pass conntrack one by one: a helper reads them, or sequence numbers are mended.
 */
static __always_inline int nsrp_ct_reads_packets(const struct nf_conn *ct, nsrp_u32 status)
{
	const struct nf_ct_ext *ext = 0;
	nsrp_u8 helper = 0;

	nsrp_ct_read(&ext, &ct->ext);
	if (ext)
		nsrp_ct_read(&helper, &ext->offset);
	return helper || (status & NSRP_IPS_SEQ_ADJUST);
}

/* The MTU set on the route this packet takes, or 0. */
static __always_inline nsrp_u32 nsrp_route_mtu(struct __sk_buff *skb)
{
	enum { MTU = 2 }; /* RTAX_MTU; numbers start at 1 */
	const struct sk_buff *kernel_skb = (const void *)skb;
	unsigned long tagged = 0, metrics = 0;
	nsrp_u32 mtu = 0;

	nsrp_ct_read(&tagged, &kernel_skb->_skb_refdst);
	if (!(tagged & ~1ul)) /* the low bit says who holds it */
		return 0;
	nsrp_ct_read(&metrics, &((const struct dst_entry *)(tagged & ~1ul))->_metrics);
	metrics &= ~3ul;
	if (metrics)
		bpf_probe_read_kernel(&mtu, sizeof(mtu), (const nsrp_u32 *)metrics + MTU - 1);
	return mtu;
}

/* Conntrack counts in jiffies, 32 bits of them. */
static __always_inline nsrp_u32 nsrp_ct_timeout_s(const struct nf_conn *ct)
{
	nsrp_u32 timeout = 0;
	int left;

	nsrp_ct_read(&timeout, &ct->timeout);
	left = (int)(timeout - (nsrp_u32)bpf_jiffies64());
	return left > 0 && nsrp_kernel_hz ? (nsrp_u32)left / nsrp_kernel_hz : 0;
}

static __always_inline void nsrp_ct_tuple(const struct nf_conn *ct, int reply, struct nsrp_tuple *out)
{
	const struct nf_conntrack_tuple *tuple =
		reply ? __builtin_preserve_access_index(&ct->tuplehash[1].tuple)
		      : __builtin_preserve_access_index(&ct->tuplehash[0].tuple);

	bpf_core_read(out->saddr, sizeof(out->saddr), &tuple->src.u3);
	bpf_core_read(out->daddr, sizeof(out->daddr), &tuple->dst.u3);
	bpf_core_read(&out->sport, sizeof(out->sport), &tuple->src.u.all);
	/* For ICMP these are type and code, which differ between the directions and name no flow. */
	if (out->proto != IPPROTO_ICMP && out->proto != IPPROTO_ICMPV6)
		bpf_core_read(&out->dport, sizeof(out->dport), &tuple->dst.u.all);
}

/* The original and the reply tuple. */
static __always_inline void nsrp_ct_tuples(const struct nf_conn *ct, struct nsrp_tuple *key,
					   struct nsrp_tuple *reply, nsrp_u8 family, nsrp_u8 proto)
{
	key->family = reply->family = family;
	key->proto = reply->proto = proto;
	nsrp_ct_tuple(ct, 0, key);
	nsrp_ct_tuple(ct, 1, reply);
}

#endif
