/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Sessions that this box's own stack would end. A packet of a translated session is for a VSI address; when
 * conntrack does not take it for the session's (the entry has not arrived yet, or is so far behind that the
 * segment counts as invalid), it is not translated back but delivered here, where no socket has that port:
 * the stack answers with a TCP reset (RFC 9293, 3.10.7.1) or a port unreachable (RFC 1122, 4.1.3.1), and the
 * server gives up a connection that is alive. Dropped, the same packet is sent again, and finds the session.
 */
#ifndef NSRP_BPF_REFUSAL_H
#define NSRP_BPF_REFUSAL_H

#include "session.h"

enum { NSRP_TCP_TIME_WAIT = 7, NSRP_ICMP_UNREACHABLE = 3, NSRP_ICMP_PORT = 3 };
enum { NSRP_ICMPV6_UNREACHABLE = 1, NSRP_ICMPV6_PORT = 4 };

/* Once both sides have said their last, a reset harms nobody. */
static __always_inline int nsrp_still_talks(const struct nsrp_tuple *tuple)
{
	struct nsrp_tuple key;
	int is_reply;
	const struct nsrp_session *session = nsrp_find_record(tuple, &key, &is_reply);

	return session && session->tcp_state < NSRP_TCP_TIME_WAIT;
}

/* The packet quoted in a port unreachable, as it came in; false for every other message. */
static __always_inline int nsrp_read_refused(struct ethhdr *eth, const void *end, struct nsrp_tuple *refused)
{
	const nsrp_u8 *message, *quoted, *l4;

	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = (void *)(eth + 1), *inner;

		if ((const void *)(ip + 1) > end || ip->protocol != IPPROTO_ICMP || ip->ihl != 5)
			return 0;
		message = (const nsrp_u8 *)(ip + 1);
		quoted = message + 8;
		inner = (const void *)quoted;
		if ((const void *)(inner + 1) > end || message[0] != NSRP_ICMP_UNREACHABLE ||
		    message[1] != NSRP_ICMP_PORT || inner->ihl != 5)
			return 0;
		refused->family = NSRP_IPV4;
		refused->proto = inner->protocol;
		*(__be32 *)refused->saddr = inner->saddr;
		*(__be32 *)refused->daddr = inner->daddr;
		l4 = (const nsrp_u8 *)(inner + 1);
	} else {
		const struct ipv6hdr *ip6 = (void *)(eth + 1), *inner;

		if ((const void *)(ip6 + 1) > end || ip6->nexthdr != IPPROTO_ICMPV6)
			return 0;
		message = (const nsrp_u8 *)(ip6 + 1);
		quoted = message + 8;
		inner = (const void *)quoted;
		if ((const void *)(inner + 1) > end || message[0] != NSRP_ICMPV6_UNREACHABLE ||
		    message[1] != NSRP_ICMPV6_PORT)
			return 0;
		refused->family = NSRP_IPV6;
		refused->proto = inner->nexthdr;
		nsrp_copy_ip6(refused->saddr, &inner->saddr);
		nsrp_copy_ip6(refused->daddr, &inner->daddr);
		l4 = (const nsrp_u8 *)(inner + 1);
	}
	if (refused->proto != IPPROTO_UDP || (const void *)(l4 + 4) > end)
		return 0;
	refused->sport = ((const __be16 *)l4)[0];
	refused->dport = ((const __be16 *)l4)[1];
	return 1;
}

/* Whether a packet this box itself sends from a VSI address refuses one of a session that stands. A function
 * of its own to the verifier, like nsrp_track_session(). */
__noinline int nsrp_refuses_session(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;
	struct nsrp_tuple refused = {};
	struct nsrp_wire wire = {};

	if (!nsrp_sessions_enabled || (const void *)(eth + 1) > end)
		return 0;
	if (nsrp_read_wire(eth, end, &wire))
		return (wire.tcp_flags & NSRP_TCP_RST) && nsrp_still_talks(&wire.swapped);
	return nsrp_read_refused(eth, end, &refused) && nsrp_still_talks(&refused);
}

#endif
