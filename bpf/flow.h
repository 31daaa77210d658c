/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What of an arriving packet decides where it belongs: its addresses, the flow it is part of, and whether it
 * is a fragment. Everything is read where it lies; bounds are such that 256 bytes of frame always suffice.
 */
#ifndef NSRP_BPF_FLOW_H
#define NSRP_BPF_FLOW_H

#include "parse.h"

enum {
	NSRP_IPV4_MORE = 0x2000,
	NSRP_IPV4_OFFSET = 0x1fff,
	NSRP_IPV6_MORE = 1,
	NSRP_IPV6_OFFSET = 0xfff8,
	NSRP_MAX_EXTENSIONS = 4,
	NSRP_MAX_EXTENSION_BYTES = 128, /* all of them together */
	NSRP_EXT_HOP_BY_HOP = 0,
	NSRP_EXT_ROUTING = 43,
	NSRP_EXT_FRAGMENT = 44,
	NSRP_EXT_DESTINATION = 60,
};

/* What of a frame is enough for all that is read here. */
#define NSRP_FLOW_BYTES 256

/* Programs see the front of an skb only as far as it lies in one piece. Pointers into it are void afterwards.
 */
static __always_inline void nsrp_make_linear(struct __sk_buff *skb, nsrp_u32 bytes)
{
	nsrp_u32 want = skb->len < bytes ? skb->len : bytes;

	if ((void *)(long)skb->data + want > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, want);
}

enum nsrp_fragment_part { NSRP_WHOLE, NSRP_FIRST_FRAGMENT, NSRP_LATER_FRAGMENT };

struct nsrp_flow {
	/* As conntrack would have it. Of an ICMP error: as the answer to the packet that the error is about,
	   which comes in where the error does. */
	struct nsrp_tuple tuple;
	nsrp_u8 saddr[16] __attribute__((aligned(4)));
	nsrp_u8 daddr[16] __attribute__((aligned(4)));
	nsrp_u32 fragment_id;
	nsrp_u8 family; /* 0: no IP, or cut off */
	nsrp_u8 proto;
	nsrp_u8 part; /* enum nsrp_fragment_part */
	nsrp_u8 has_tuple;
};

static __always_inline int nsrp_is_echo(nsrp_u8 proto, nsrp_u8 type)
{
	return proto == IPPROTO_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;
}

/* Errors, that is messages about another packet: RFC 792, RFC 4443. */
static __always_inline int nsrp_is_icmp_error(nsrp_u8 proto, nsrp_u8 type)
{
	if (proto == IPPROTO_ICMP)
		return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

static __always_inline int nsrp_is_icmp(nsrp_u8 family, nsrp_u8 proto)
{
	return proto == (family == NSRP_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Ports, or the identifier of an echo; false for what conntrack records of ours never name. */
static __always_inline int nsrp_flow_ports(const nsrp_u8 *l4, const void *end, struct nsrp_tuple *tuple)
{
	const __be16 *words = (const void *)l4;

	if ((const void *)(l4 + 8) > end)
		return 0;
	if (tuple->proto == IPPROTO_TCP || tuple->proto == IPPROTO_UDP) {
		tuple->sport = words[0];
		tuple->dport = words[1];
		return 1;
	}
	if (!nsrp_is_icmp(tuple->family, tuple->proto) || !nsrp_is_echo(tuple->proto, l4[0]))
		return 0;
	tuple->sport = words[2];
	return 1;
}

/* The packet quoted in an ICMP error, turned round. IPv6 extension headers in it are not looked through. */
static __always_inline int nsrp_flow_quoted(const nsrp_u8 *quoted, const void *end, struct nsrp_flow *flow)
{
	struct nsrp_tuple *tuple = &flow->tuple;
	const nsrp_u8 *l4;
	nsrp_u16 sport;

	if (flow->family == NSRP_IPV4) {
		const struct iphdr *ip = (const void *)quoted;

		if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 ||
		    (ip->frag_off & bpf_htons(NSRP_IPV4_OFFSET)))
			return 0;
		tuple->proto = ip->protocol;
		*(__be32 *)tuple->saddr = ip->daddr;
		*(__be32 *)tuple->daddr = ip->saddr;
		l4 = quoted + ip->ihl * 4;
	} else {
		const struct ipv6hdr *ip6 = (const void *)quoted;

		if ((const void *)(ip6 + 1) > end || ip6->version != 6)
			return 0;
		tuple->proto = ip6->nexthdr;
		nsrp_copy_ip6(tuple->saddr, &ip6->daddr);
		nsrp_copy_ip6(tuple->daddr, &ip6->saddr);
		l4 = (const nsrp_u8 *)(ip6 + 1);
	}
	if (!nsrp_flow_ports(l4, end, tuple))
		return 0;
	if (tuple->proto == IPPROTO_TCP || tuple->proto == IPPROTO_UDP) {
		sport = tuple->sport;
		tuple->sport = tuple->dport;
		tuple->dport = sport;
	}
	return 1;
}

static __always_inline void nsrp_read_l4(const nsrp_u8 *l4, const void *end, struct nsrp_flow *flow)
{
	struct nsrp_tuple *tuple = &flow->tuple;

	tuple->family = flow->family;
	if (nsrp_is_icmp(flow->family, flow->proto) && (const void *)(l4 + 8) <= end &&
	    nsrp_is_icmp_error(flow->proto, l4[0])) {
		flow->has_tuple = nsrp_flow_quoted(l4 + 8, end, flow);
		return;
	}
	tuple->proto = flow->proto;
	nsrp_copy_ip6(tuple->saddr, flow->saddr);
	nsrp_copy_ip6(tuple->daddr, flow->daddr);
	flow->has_tuple = nsrp_flow_ports(l4, end, tuple);
}

static __always_inline void nsrp_read_ipv4(const struct iphdr *ip, const void *end, struct nsrp_flow *flow)
{
	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return;
	flow->family = NSRP_IPV4;
	flow->proto = ip->protocol;
	*(__be32 *)flow->saddr = ip->saddr;
	*(__be32 *)flow->daddr = ip->daddr;
	if (ip->frag_off & bpf_htons(NSRP_IPV4_MORE | NSRP_IPV4_OFFSET)) {
		flow->fragment_id = ip->id;
		flow->part = ip->frag_off & bpf_htons(NSRP_IPV4_OFFSET) ? NSRP_LATER_FRAGMENT
									: NSRP_FIRST_FRAGMENT;
	}
	if (flow->part != NSRP_LATER_FRAGMENT)
		nsrp_read_l4((const nsrp_u8 *)ip + ip->ihl * 4, end, flow);
}

struct nsrp_ip6_fragment {
	nsrp_u8 next;
	nsrp_u8 reserved;
	__be16 offset_more;
	__be16 id[2]; /* halfwords: the header lies on an even address, and not always on more */
} __attribute__((packed, aligned(2)));

/* The upper layer behind extension headers, or 0: later fragments, more headers than we follow, or cut off.
 */
static __always_inline const nsrp_u8 *nsrp_skip_extensions(const nsrp_u8 *at, const void *end,
							   struct nsrp_flow *flow)
{
	nsrp_u32 passed = 0;

#pragma unroll
	for (int i = 0; i <= NSRP_MAX_EXTENSIONS; i++) {
		const struct nsrp_ip6_fragment *fragment = (const void *)at;
		nsrp_u32 length = 8;

		if (flow->proto != NSRP_EXT_HOP_BY_HOP && flow->proto != NSRP_EXT_ROUTING &&
		    flow->proto != NSRP_EXT_DESTINATION && flow->proto != NSRP_EXT_FRAGMENT)
			return at;
		if (i == NSRP_MAX_EXTENSIONS || (const void *)(fragment + 1) > end)
			return 0;
		if (flow->proto != NSRP_EXT_FRAGMENT) {
			length = (at[1] + 1u) * 8;
		} else if (fragment->offset_more & bpf_htons(NSRP_IPV6_OFFSET | NSRP_IPV6_MORE)) {
			flow->fragment_id = ((nsrp_u32)fragment->id[0] << 16) | fragment->id[1];
			flow->part = fragment->offset_more & bpf_htons(NSRP_IPV6_OFFSET)
					     ? NSRP_LATER_FRAGMENT
					     : NSRP_FIRST_FRAGMENT;
			if (flow->part == NSRP_LATER_FRAGMENT)
				return 0;
		}
		passed += length;
		if (passed > NSRP_MAX_EXTENSION_BYTES)
			return 0;
		flow->proto = at[0];
		at += length;
	}
	return 0;
}

static __always_inline void nsrp_read_ipv6(const struct ipv6hdr *ip6, const void *end, struct nsrp_flow *flow)
{
	const nsrp_u8 *l4;

	if ((const void *)(ip6 + 1) > end || ip6->version != 6)
		return;
	flow->family = NSRP_IPV6;
	flow->proto = ip6->nexthdr;
	nsrp_copy_ip6(flow->saddr, &ip6->saddr);
	nsrp_copy_ip6(flow->daddr, &ip6->daddr);
	l4 = nsrp_skip_extensions((const nsrp_u8 *)(ip6 + 1), end, flow);
	if (l4)
		nsrp_read_l4(l4, end, flow);
}

static __always_inline void nsrp_read_flow(__be16 ethertype, const void *l3, const void *end,
					   struct nsrp_flow *flow)
{
	if (ethertype == bpf_htons(ETH_P_IP))
		nsrp_read_ipv4(l3, end, flow);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		nsrp_read_ipv6(l3, end, flow);
}

/* An address that one host beyond the link can have. */
static __always_inline int nsrp_is_host(nsrp_u8 family, const nsrp_u8 *address)
{
	if (family == NSRP_IPV4)
		return (address[0] & 0xf0) != 0xe0 && address[0] != 0xff && address[0] != 0 &&
		       address[0] != 127;
	return address[0] != 0xff && !(address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

/* From one host to another: only such packets can be forwarded, and are looked up further. */
static __always_inline int nsrp_is_routable(const struct nsrp_flow *flow)
{
	return nsrp_is_host(flow->family, flow->saddr) && nsrp_is_host(flow->family, flow->daddr);
}

#endif
