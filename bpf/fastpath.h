/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The fast path: packets of established TCP and UDP sessions, forwarded by XDP while their permit lasts
 * (fastpath_permit.h grants it). Whatever is unusual is left to the stack, untouched. Whenever a permit has
 * run out, each direction of a session sends packets through the stack, so that conntrack and neighbours stay
 * fresh, and what nftables no longer allows ends.
 */
#ifndef NSRP_BPF_FASTPATH_H
#define NSRP_BPF_FASTPATH_H

#include <linux/tcp.h>
#include <linux/udp.h>

#include "count.h"
#include "flow.h"
#include "vsd.h"
#include "vsi.h"

/*
 * Back from the stack to the fast path a packet could overtake its predecessor. It waits for a gap as long as
 * the stack may need, but not for ever: a sender that leaves no gaps would stay slow.
 */
#define NSRP_FAST_GAP_NS 50000ull
#define NSRP_FAST_GAP_WAIT_NS 5000000
enum { NSRP_FAST_GRANTED_SHIFT = 10 };

enum { NSRP_FAST_TCP_STOPS = 7 }; /* FIN, SYN, RST */

/* A packet before the fast path; its Ethernet header, tag included, has l2_bytes. */
struct nsrp_fast_packet {
	struct nsrp_tuple tuple;
	void *l3;
	const void *end;
	nsrp_u32 ifindex;
	nsrp_u32 l2_bytes;
	nsrp_u32 bytes; /* from the IP header on, as that says */
	__be16 ethertype;
	nsrp_u8 hops; /* TTL or hop limit */
	nsrp_u8 tcp_flags;
};

static __always_inline const struct nsrp_fast_config *nsrp_the_fast_config(void)
{
	nsrp_u32 key = 0;

	return bpf_map_lookup_elem(&fast_config, &key);
}

static __always_inline int nsrp_fast_takes(const struct nsrp_fast_config *config, nsrp_u8 proto)
{
	nsrp_u32 taken = config ? NSRP_READ_ONCE(config->protocols) : 0;

	return (proto == IPPROTO_TCP && (taken & NSRP_FAST_TCP)) ||
	       (proto == IPPROTO_UDP && (taken & NSRP_FAST_UDP));
}

/* Left to the stack, which is XDP_PASS here: the ordinary way goes on. */
static __always_inline int nsrp_slow(enum nsrp_counter reason)
{
	nsrp_count(reason);
	return XDP_PASS;
}

static __always_inline int nsrp_fast_read_l4(const void *l4, nsrp_u32 l4_bytes,
					     struct nsrp_fast_packet *packet)
{
	const struct tcphdr *tcp = l4;
	const struct udphdr *udp = l4;

	if (packet->tuple.proto == IPPROTO_TCP) {
		if ((const void *)(tcp + 1) > packet->end || l4_bytes < sizeof(*tcp))
			return 0;
		packet->tcp_flags = ((const nsrp_u8 *)l4)[13] & NSRP_FAST_TCP_STOPS;
	} else if ((const void *)(udp + 1) > packet->end || l4_bytes < sizeof(*udp)) {
		return 0;
	}
	packet->tuple.sport = udp->source;
	packet->tuple.dport = udp->dest;
	return 1;
}

static __always_inline int nsrp_fast_read4(struct nsrp_fast_packet *packet)
{
	const struct iphdr *ip = packet->l3;

	if ((const void *)(ip + 1) > packet->end || ip->version != 4)
		return 0;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return 0;
	if (ip->ihl != 5) {
		nsrp_count(NSRP_CNT_fast_stack_options);
		return 0;
	}
	if (ip->frag_off & bpf_htons(NSRP_IPV4_MORE | NSRP_IPV4_OFFSET)) {
		nsrp_count(NSRP_CNT_fast_stack_fragment);
		return 0;
	}
	packet->bytes = bpf_ntohs(ip->tot_len);
	if (packet->bytes < sizeof(*ip) || packet->bytes > (nsrp_u64)(packet->end - packet->l3))
		return 0;
	packet->hops = ip->ttl;
	packet->tuple.family = NSRP_IPV4;
	packet->tuple.proto = ip->protocol;
	*(__be32 *)packet->tuple.saddr = ip->saddr;
	*(__be32 *)packet->tuple.daddr = ip->daddr;
	return nsrp_fast_read_l4(ip + 1, packet->bytes - (nsrp_u32)sizeof(*ip), packet);
}

static __always_inline int nsrp_fast_read6(struct nsrp_fast_packet *packet)
{
	const struct ipv6hdr *ip6 = packet->l3;
	nsrp_u32 payload;

	if ((const void *)(ip6 + 1) > packet->end || ip6->version != 6)
		return 0;
	if (ip6->nexthdr == NSRP_EXT_FRAGMENT) {
		nsrp_count(NSRP_CNT_fast_stack_fragment);
		return 0;
	}
	if (ip6->nexthdr == NSRP_EXT_HOP_BY_HOP || ip6->nexthdr == NSRP_EXT_ROUTING ||
	    ip6->nexthdr == NSRP_EXT_DESTINATION) {
		nsrp_count(NSRP_CNT_fast_stack_options);
		return 0;
	}
	if (ip6->nexthdr != IPPROTO_TCP && ip6->nexthdr != IPPROTO_UDP)
		return 0;
	payload = bpf_ntohs(ip6->payload_len);
	packet->bytes = payload + (nsrp_u32)sizeof(*ip6);
	if (packet->bytes > (nsrp_u64)(packet->end - packet->l3))
		return 0;
	packet->hops = ip6->hop_limit;
	packet->tuple.family = NSRP_IPV6;
	packet->tuple.proto = ip6->nexthdr;
	nsrp_copy_ip6(packet->tuple.saddr, &ip6->saddr);
	nsrp_copy_ip6(packet->tuple.daddr, &ip6->daddr);
	return nsrp_fast_read_l4(ip6 + 1, payload, packet);
}

/* False for what is not TCP or UDP, or out of the ordinary. */
static __always_inline int nsrp_fast_read(struct nsrp_fast_packet *packet)
{
	if (packet->ethertype == bpf_htons(ETH_P_IP))
		return nsrp_fast_read4(packet);
	if (packet->ethertype == bpf_htons(ETH_P_IPV6))
		return nsrp_fast_read6(packet);
	return 0;
}

/* One's complement sums: RFC 1624. */
static __always_inline nsrp_u16 nsrp_fast_fold(nsrp_u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (nsrp_u16)sum;
}

static __always_inline nsrp_u32 nsrp_fast_change(nsrp_u16 from, nsrp_u16 to)
{
	return (nsrp_u32)(nsrp_u16)~from + to;
}

/* False, here and below, when the frame is too short after all: the verifier wants to know where it writes.
 */
static __always_inline int nsrp_fast_rewrite_l4(void *l4, const struct nsrp_fast_packet *packet,
						const struct nsrp_fast_flow *flow)
{
	struct udphdr *udp = l4; /* the ports of TCP are at the same place */
	struct tcphdr *tcp = l4;
	nsrp_u32 change;

	if ((const void *)(udp + 1) > packet->end)
		return 0;
	change = nsrp_fast_change(udp->source, flow->sport) + nsrp_fast_change(udp->dest, flow->dport) +
		 flow->address_delta;
	if (packet->tuple.proto == IPPROTO_TCP) {
		if ((const void *)(tcp + 1) > packet->end)
			return 0;
		tcp->check = (nsrp_u16)~nsrp_fast_fold((nsrp_u16)~tcp->check + change);
	} else if (udp->check) { /* 0: the sender made none (RFC 768) */
		nsrp_u16 check = (nsrp_u16)~nsrp_fast_fold((nsrp_u16)~udp->check + change);

		udp->check = check ? check : 0xffff;
	}
	udp->source = flow->sport;
	udp->dest = flow->dport;
	return 1;
}

/* Everything behind the Ethernet header. */
static __always_inline int nsrp_fast_rewrite(const struct nsrp_fast_packet *packet,
					     const struct nsrp_fast_flow *flow)
{
	if (packet->tuple.family == NSRP_IPV4) {
		struct iphdr *ip = packet->l3;
		/* The TTL, one less, is the upper half of its word. */
		nsrp_u32 change = nsrp_fast_change(bpf_htons(0x0100), 0) + flow->address_delta;

		if ((const void *)(ip + 1) > packet->end)
			return 0;
		ip->ttl--;
		ip->check = (nsrp_u16)~nsrp_fast_fold((nsrp_u16)~ip->check + change);
		ip->saddr = *(const __be32 *)flow->saddr;
		ip->daddr = *(const __be32 *)flow->daddr;
		return nsrp_fast_rewrite_l4(ip + 1, packet, flow);
	} else {
		struct ipv6hdr *ip6 = packet->l3;

		if ((const void *)(ip6 + 1) > packet->end)
			return 0;
		ip6->hop_limit--;
		nsrp_copy_ip6(&ip6->saddr, flow->saddr);
		nsrp_copy_ip6(&ip6->daddr, flow->daddr);
		return nsrp_fast_rewrite_l4(ip6 + 1, packet, flow);
	}
}

/* The new Ethernet header, with or without a tag, in front of the same packet. Pointers into it are void
 * then. */
static __always_inline int nsrp_fast_put_head(struct xdp_md *ctx, const struct nsrp_fast_packet *packet,
					      const struct nsrp_fast_flow *flow)
{
	const nsrp_u32 out_bytes = flow->out_vid ? sizeof(struct nsrp_vlan_frame) : sizeof(struct ethhdr);
	__be16 ethertype = packet->ethertype;
	struct ethhdr *eth;

	if (packet->l2_bytes != out_bytes && bpf_xdp_adjust_head(ctx, (int)packet->l2_bytes - (int)out_bytes))
		return 0;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	nsrp_copy_mac(eth->h_dest, flow->dmac);
	nsrp_copy_mac(eth->h_source, flow->smac);
	eth->h_proto = ethertype;
	if (flow->out_vid) {
		struct nsrp_vlan_frame *frame = (void *)(long)ctx->data;

		if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
			return 0;
		frame->tpid = bpf_htons(ETH_P_8021Q);
		frame->tci = bpf_htons(flow->out_vid);
		frame->proto = ethertype;
	}
	return 1;
}

/* Whether now is the time to go fast; the reason is counted when not. */
static __always_inline int nsrp_fast_may(struct nsrp_fast_flow *flow, const struct nsrp_fast_config *config,
					 nsrp_u64 now)
{
	nsrp_u64 until = NSRP_READ_ONCE(flow->permit_until_ns);

	if (NSRP_READ_ONCE(flow->generation) != NSRP_READ_ONCE(config->generation)) {
		nsrp_count(NSRP_CNT_fast_stack_generation);
	} else if (now < until) {
		if ((long long)(now - flow->stack_ns) > (long long)NSRP_FAST_GAP_NS ||
		    (int)((nsrp_u32)(now >> NSRP_FAST_GRANTED_SHIFT) - NSRP_READ_ONCE(flow->granted)) >
			    NSRP_FAST_GAP_WAIT_NS >> NSRP_FAST_GRANTED_SHIFT)
			return 1;
		nsrp_count(NSRP_CNT_fast_stack_permit);
	} else {
		nsrp_count(NSRP_CNT_fast_stack_permit);
	}
	flow->stack_ns = now;
	return 0;
}

/*
 * XDP_REDIRECT: on its way. XDP_PASS: not for the fast path, untouched. XDP_DROP: the driver gave no room for
 * the new header, counted.
 */
static __always_inline int nsrp_fast_forward(struct xdp_md *ctx, struct nsrp_fast_packet *packet)
{
	const struct nsrp_fast_config *config = nsrp_the_fast_config();
	struct nsrp_fast_flow *flow;
	nsrp_u64 now;

	if (!config || !NSRP_READ_ONCE(config->protocols) || !nsrp_fast_read(packet) ||
	    !nsrp_fast_takes(config, packet->tuple.proto))
		return XDP_PASS;
	flow = bpf_map_lookup_elem(&fast_flows, &packet->tuple);
	if (!flow)
		return XDP_PASS;
	if (packet->tcp_flags)
		return nsrp_slow(NSRP_CNT_fast_stack_tcp_flags);
	if (packet->hops <= 1)
		return nsrp_slow(NSRP_CNT_fast_stack_hop_limit);
	if (packet->ifindex != flow->in_ifindex)
		return nsrp_slow(NSRP_CNT_fast_stack_interface);
	if (packet->bytes > flow->mtu)
		return nsrp_slow(NSRP_CNT_fast_stack_mtu);
	now = bpf_ktime_get_ns();
	/* The ordinary way knows where to send what is not ours. */
	if (!nsrp_masters_at(flow->vsd, now))
		return XDP_PASS;
	if (!nsrp_fast_may(flow, config, now))
		return XDP_PASS;
	if (bpf_redirect_map(&fast_ports, flow->out_ifindex, 0) != XDP_REDIRECT)
		return nsrp_slow(NSRP_CNT_fast_stack_port);
	if (!nsrp_fast_rewrite(packet, flow) || !nsrp_fast_put_head(ctx, packet, flow)) {
		nsrp_count(NSRP_CNT_xdp_redirect_error);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&flow->packets, 1);
	__sync_fetch_and_add(&flow->bytes, packet->bytes);
	nsrp_count(NSRP_CNT_fast_forwarded);
	nsrp_count_more(NSRP_CNT_fast_bytes, packet->bytes);
	return XDP_REDIRECT;
}

#endif
