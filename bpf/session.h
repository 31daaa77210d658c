/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Sessions recorded from the packets this box forwards: when a packet reaches tc egress, conntrack has
 * confirmed its flow and the NAT is final. A record that has settled costs one or two hash look-ups per
 * packet; conntrack is read only while something can still change. What the peer must know goes to a ring;
 * when that is full, the record stays dirty and the daemon's sweep finds it, so that overload delays and
 * never loses.
 */
#ifndef NSRP_BPF_SESSION_H
#define NSRP_BPF_SESSION_H

#include "conntrack.h"
#include "count.h"
#include "fastpath_permit.h"
#include "flow.h"
#include "quiet.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, NSRP_EVENT_RING_BYTES);
} session_events SEC(".maps");

#define NSRP_SEEN_EVERY_NS 100000000ull	    /* last_seen_ns is not finer: it spares a cache line per packet */
#define NSRP_EXPORT_EVERY_NS 30000000000ull /* how stale the peer's copy of a busy session may get */
#define NSRP_SETTLE_NS 2000000000ull	    /* conntrack calls a UDP flow a stream after as long */

enum { NSRP_TCP_FIN = 1, NSRP_TCP_SYN = 2, NSRP_TCP_RST = 4 };
enum { NSRP_STATUS_EXPORTED = NSRP_IPS_SEEN_REPLY | NSRP_IPS_ASSURED };

/* A packet as the session code needs it. */
struct nsrp_wire {
	struct nsrp_tuple
		swapped;   /* as the answer to this packet would look: one of conntrack's two tuples */
	nsrp_u8 tcp_flags; /* of SYN, FIN, RST */
};

/*
 * What nsrp_track_session() says of a flow whose session the peer may not have yet, and whose VSD defers: 0
 * for all others. Where it stands in held_gates is above these bits.
 */
enum { NSRP_YOUNG = 1, NSRP_YOUNG_FIRST = 2, NSRP_YOUNG_SHIFT = 2 }; /* first: it has made the record */

static __always_inline int nsrp_young(const struct nsrp_tuple *key, int first)
{
	nsrp_u32 gate = (nsrp_u32)nsrp_flow_number(key, 0, 0) & (NSRP_HELD_GATES - 1);

	return (int)(gate << NSRP_YOUNG_SHIFT) | (first ? NSRP_YOUNG_FIRST : NSRP_YOUNG);
}

static __always_inline int nsrp_same_tuple(const struct nsrp_tuple *a, const struct nsrp_tuple *b)
{
	const nsrp_u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4];
}

static __always_inline int nsrp_read_ports(void *l4, const void *end, struct nsrp_wire *wire)
{
	const __be16 *ports = l4;
	const nsrp_u8 *bytes = l4;

	switch (wire->swapped.proto) {
	case IPPROTO_TCP:
		if ((const void *)(bytes + 14) > end)
			return 0;
		wire->tcp_flags = bytes[13] & (NSRP_TCP_FIN | NSRP_TCP_SYN | NSRP_TCP_RST);
		break;
	case IPPROTO_UDP:
		if ((const void *)(bytes + 8) > end)
			return 0;
		break;
	case IPPROTO_ICMP:
		if ((const void *)(bytes + 8) > end || (bytes[0] != 8 && bytes[0] != 0))
			return 0;
		wire->swapped.sport = ports[2];
		return 1;
	case IPPROTO_ICMPV6:
		if ((const void *)(bytes + 8) > end || (bytes[0] != 128 && bytes[0] != 129))
			return 0;
		wire->swapped.sport = ports[2];
		return 1;
	case IPPROTO_GRE: /* PPTP has call ids, of which a packet holds one: conntrack knows the other */
	case IPPROTO_ESP:
		return 1;
	default:
		return 0;
	}
	wire->swapped.sport = ports[1];
	wire->swapped.dport = ports[0];
	return 1;
}

/* The only extension header that is looked through is the one Linux writes itself: of a large packet it
   forwards, which conntrack has put together, every fragment has one. */
static __always_inline int nsrp_read_wire6(struct ipv6hdr *ip6, const void *end, struct nsrp_wire *wire)
{
	struct nsrp_ip6_fragment *fragment = (void *)(ip6 + 1);
	void *l4 = fragment;

	if ((void *)(ip6 + 1) > end)
		return 0;
	wire->swapped.family = NSRP_IPV6;
	wire->swapped.proto = ip6->nexthdr;
	if (ip6->nexthdr == NSRP_EXT_FRAGMENT) {
		if ((const void *)(fragment + 1) > end ||
		    (fragment->offset_more & bpf_htons(NSRP_IPV6_OFFSET)))
			return 0;
		wire->swapped.proto = fragment->next;
		l4 = fragment + 1;
	}
	if (wire->swapped.proto == IPPROTO_ICMP)
		return 0;
	nsrp_copy_ip6(wire->swapped.saddr, &ip6->daddr);
	nsrp_copy_ip6(wire->swapped.daddr, &ip6->saddr);
	return nsrp_read_ports(l4, end, wire);
}

/* False for what is not recorded: other protocols, later fragments, other IPv6 extension headers. */
static __always_inline int nsrp_read_wire(struct ethhdr *eth, const void *end, struct nsrp_wire *wire)
{
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end || ip->ihl < 5 || (ip->frag_off & bpf_htons(0x1fff)))
			return 0;
		wire->swapped.family = NSRP_IPV4;
		wire->swapped.proto = ip->protocol;
		*(__be32 *)wire->swapped.saddr = ip->daddr;
		*(__be32 *)wire->swapped.daddr = ip->saddr;
		if (ip->protocol == IPPROTO_ICMPV6)
			return 0;
		return nsrp_read_ports((void *)ip + ip->ihl * 4, end, wire);
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return nsrp_read_wire6((void *)(eth + 1), end, wire);
	return 0;
}

static __always_inline void nsrp_export(const struct nsrp_tuple *key, struct nsrp_session *session,
					nsrp_u64 now)
{
	struct nsrp_session_event *event;

	session->generation++;
	session->exported_ns = now;
	event = bpf_ringbuf_reserve(&session_events, sizeof(*event), 0);
	if (!event) {
		session->flags |= NSRP_SESSION_DIRTY;
		nsrp_count(NSRP_CNT_session_ring_full);
		return;
	}
	session->flags &= ~NSRP_SESSION_DIRTY;
	event->key = *key;
	event->session = *session;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int nsrp_has_settled(const struct nsrp_session *session, nsrp_u8 proto, nsrp_u64 now)
{
	if (proto == IPPROTO_TCP)
		return (session->ct_status & NSRP_IPS_ASSURED) && session->tcp_state == NSRP_TCP_ESTABLISHED;
	if (session->ct_status & NSRP_IPS_ASSURED)
		return 1;
	return (session->ct_status & NSRP_IPS_SEEN_REPLY) && now - session->created_ns > NSRP_SETTLE_NS;
}

/* Takes over what conntrack says now; true when the peer must hear of it. */
static __always_inline int nsrp_update_record(struct nsrp_session *session, const struct nf_conn *ct,
					      nsrp_u32 status, nsrp_u8 proto, nsrp_u64 now)
{
	nsrp_u8 tcp_state = proto == IPPROTO_TCP ? nsrp_ct_tcp_state(ct) : 0;
	nsrp_u32 mark = nsrp_ct_mark(ct);
	int changed = ((session->ct_status ^ status) & NSRP_STATUS_EXPORTED) ||
		      session->tcp_state != tcp_state || session->ct_mark != mark;

	session->ct_status = status;
	session->tcp_state = tcp_state;
	session->ct_mark = mark;
	session->timeout_s = nsrp_ct_timeout_s(ct);
	session->flags &= ~(NSRP_SESSION_FROM_PEER | NSRP_SESSION_SETTLED);
	if (nsrp_has_settled(session, proto, now))
		session->flags |= NSRP_SESSION_SETTLED;
	return changed;
}

/* A new record, or one in place of an ended flow that had the same original tuple. */
static __always_inline struct nsrp_session *
nsrp_create_record(const struct nsrp_tuple *key, const struct nsrp_tuple *reply, nsrp_u8 vsd, nsrp_u64 now)
{
	struct nsrp_session fresh = {};

	fresh.reply = *reply;
	fresh.created_ns = now;
	fresh.last_seen_ns = now;
	fresh.vsd = vsd;
	if (bpf_map_update_elem(&sessions, key, &fresh, BPF_ANY)) {
		nsrp_count(NSRP_CNT_session_map_full);
		return 0;
	}
	if (bpf_map_update_elem(&reply_index, reply, key, BPF_ANY)) {
		bpf_map_delete_elem(&sessions, key);
		nsrp_count(NSRP_CNT_session_map_full);
		return 0;
	}
	return bpf_map_lookup_elem(&sessions, key);
}

/* The flow's tuples are read from conntrack: for a flow that is new, or that may have replaced another. */
static __always_inline int nsrp_record_flow(const struct nf_conn *ct, nsrp_u32 status, nsrp_u8 vsd, int due,
					    int defers, const struct nsrp_wire *wire, nsrp_u64 now)
{
	nsrp_u8 family = wire->swapped.family, proto = wire->swapped.proto;
	struct nsrp_tuple key = {}, reply = {};
	struct nsrp_session *session;
	nsrp_u32 generation = 0;
	int created = 0;

	nsrp_ct_tuples(ct, &key, &reply, family, proto);
	session = bpf_map_lookup_elem(&sessions, &key);
	if (session && !nsrp_same_tuple(&session->reply, &reply)) {
		struct nsrp_tuple old = session->reply;

		nsrp_fast_revoke(&key, &old);
		generation = session->generation; /* records never go backwards, also for the peer's copy */
		bpf_map_delete_elem(&reply_index, &old);
		session = 0;
	}
	if (!session) {
		session = nsrp_create_record(&key, &reply, vsd, now);
		if (!session)
			return 0;
		session->generation = generation;
		created = 1;
	}
	session->vsd = vsd;
	if (nsrp_update_record(session, ct, status, proto, now) || created || due)
		nsrp_export(&key, session, now);
	nsrp_count(created ? NSRP_CNT_session_created : NSRP_CNT_session_updated);
	if (!created || !defers)
		return 0;
	/* Where even the news of it has to wait for the sweep, its packet would wait in vain. */
	if (session->flags & NSRP_SESSION_DIRTY) {
		nsrp_count(NSRP_CNT_hold_full);
		return 0;
	}
	return nsrp_young(&key, 1);
}

/* The record a packet belongs to; *key is its original tuple. */
static __always_inline struct nsrp_session *nsrp_find_record(const struct nsrp_tuple *swapped,
							     struct nsrp_tuple *key, int *is_reply)
{
	struct nsrp_session *session = bpf_map_lookup_elem(&sessions, swapped);
	const struct nsrp_tuple *original;

	*is_reply = session != 0;
	if (session) {
		*key = *swapped;
		return session;
	}
	original = bpf_map_lookup_elem(&reply_index, swapped);
	if (!original)
		return 0;
	*key = *original;
	return bpf_map_lookup_elem(&sessions, key);
}

/* Each packet that follows may change the record: the last one of a connection is a bare ACK. */
static __always_inline void nsrp_end_quiet(const struct nsrp_tuple *key, const struct nsrp_tuple *reply,
					   nsrp_u64 entry, nsrp_u64 term)
{
	entry &= ~NSRP_CT_INFO;
	nsrp_end_quiet_of(nsrp_flow_number(reply, entry | NSRP_CT_ESTABLISHED, term));
	nsrp_end_quiet_of(nsrp_flow_number(key, entry | NSRP_CT_ESTABLISHED_REPLY, term));
}

/*
 * Called for each forwarded packet on its way out of a VSI this box masters. A function of its own to the
 * verifier as well: it looks through this once, and not once for each way that leads here.
 */
__noinline int nsrp_track_session(struct __sk_buff *skb, nsrp_u32 vsd, nsrp_u32 defers, nsrp_u64 now)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	const void *end = (const void *)(long)skb->data_end;
	struct nsrp_wire wire = {};
	struct nsrp_tuple key = {}, incoming = {};
	struct nsrp_session *session;
	const struct nf_conn *ct;
	int is_reply = 0, fresh_look = 0, due = 0, wants_permit = 0, young = 0;
	nsrp_u64 entry, term, number;
	nsrp_u32 status;

	if (!nsrp_sessions_enabled || (const void *)(eth + 1) > end || !nsrp_read_wire(eth, end, &wire))
		return 0;
	entry = nsrp_ct_entry(skb);
	if (!(entry & ~NSRP_CT_INFO))
		return 0;
	term = nsrp_term_of(vsd);
	number = nsrp_flow_number(&wire.swapped, entry, term);
	if (!wire.tcp_flags && nsrp_is_quiet(number, now))
		return 0;
	session = nsrp_find_record(&wire.swapped, &key, &is_reply);
	if (session) {
		int seen_long_ago = now - session->last_seen_ns > NSRP_SEEN_EVERY_NS;
		int from_peer = session->flags & NSRP_SESSION_FROM_PEER;
		int first_reply = is_reply && !(session->ct_status & NSRP_IPS_SEEN_REPLY);

		if (seen_long_ago)
			session->last_seen_ns = now;
		/* A busy session is told to the peer again and again. Not at once after a takeover: the peer
		   is gone then, and it would be all sessions in one burst. */
		if (from_peer)
			session->exported_ns = now;
		else
			due = now - session->exported_ns > NSRP_EXPORT_EVERY_NS;
		/* Of a session that stands conntrack says nothing of the kind: it has forgotten that one. */
		int is_another = (session->flags & NSRP_SESSION_SETTLED) && nsrp_ct_is_first(entry);

		if (is_another)
			session->created_ns = now;
		if (defers && now - session->created_ns < NSRP_YOUNG_NS)
			young = nsrp_young(&key, is_another);
		fresh_look = due || from_peer || is_another || (wire.tcp_flags & NSRP_TCP_SYN);
		incoming = is_reply ? session->reply : key;
		if (wire.tcp_flags) {
			nsrp_fast_revoke(&key, &session->reply);
			nsrp_end_quiet(&key, &session->reply, entry, term);
		} else {
			wants_permit = session->vsd == vsd && nsrp_fast_wants_permit(&incoming, now);
		}
		if (!fresh_look && !wants_permit) {
			if ((session->flags & NSRP_SESSION_SETTLED) && !wire.tcp_flags) {
				/* What may go fast asks for a permit as soon as it needs one. */
				if (!nsrp_fast_takes(nsrp_the_fast_config(), wire.swapped.proto))
					nsrp_keep_quiet(number, now);
				return young;
			}
			if (wire.swapped.proto != IPPROTO_TCP && !seen_long_ago && !first_reply)
				return young;
		}
	}
	ct = nsrp_ct_of(entry, &status);
	if (!ct)
		return young;
	if (!session || fresh_look) {
		int made = nsrp_record_flow(ct, status, vsd, due, defers != 0, &wire, now);

		return made ? made : young;
	}
	if (nsrp_update_record(session, ct, status, wire.swapped.proto, now)) {
		nsrp_export(&key, session, now);
		nsrp_count(NSRP_CNT_session_updated);
	}
	if (wants_permit && (session->flags & NSRP_SESSION_SETTLED) && !nsrp_ct_reads_packets(ct, status))
		session->flags |=
			nsrp_fast_grant(skb, eth, &incoming, &wire.swapped, vsd, session->timeout_s, now);
	return young;
}

#endif
