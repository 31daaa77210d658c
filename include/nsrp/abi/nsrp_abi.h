/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the BPF programs and user space share: map keys, map values, constants.
 *
 * Rules of this header: fixed-width types, explicit padding, offsets that do not depend on the compiler,
 * every struct static_assert'ed. A change of any layout here raises NSRP_ABI_VERSION; maps are pinned under
 * BPFDIR/v<NSRP_ABI_VERSION>/, so a daemon never opens maps of another layout.
 *
 * Units: times are nanoseconds of CLOCK_MONOTONIC (what bpf_ktime_get_ns() reads) and end in _ns.
 * Addresses and ports are in network byte order; IPv4 addresses sit in the first 4 bytes, the rest is zero.
 */
#ifndef NSRP_ABI_H
#define NSRP_ABI_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define NSRP_STATIC_ASSERT static_assert
typedef uint8_t nsrp_u8;
typedef uint16_t nsrp_u16;
typedef uint32_t nsrp_u32;
typedef uint64_t nsrp_u64;
#else
#define NSRP_STATIC_ASSERT _Static_assert
typedef unsigned char nsrp_u8;
typedef unsigned short nsrp_u16;
typedef unsigned int nsrp_u32;
typedef unsigned long long nsrp_u64;
#endif

enum {
	NSRP_ABI_VERSION = 3,
	NSRP_MAX_VSDS = 64,         /* VSD ids 0..63 */
	NSRP_MAX_INTERFACES = 1024, /* traffic and HA interfaces with our programs */
	NSRP_MAX_VSIS = 4094,       /* one VID each */
	NSRP_MAX_VSI_ADDRS = 16384, /* addresses of VSIs and of this device; most of them stand there twice */
	NSRP_MAX_ROUTES = 16384,    /* routes of VSDs that have a routing table of their own */
	NSRP_MAX_FRAGMENTS = 8192,  /* fragmented packets on their way; the oldest are forgotten first */
	NSRP_MAX_VID = 4095,        /* VIDs 1..4094 name VSIs on the data link */
	NSRP_DEFAULT_MAX_SESSIONS = 262144,
	NSRP_EVENT_RING_BYTES = 4 << 20,
	NSRP_QUIET_FLOWS = 1 << 20, /* a power of two, at most 2^24 */
	NSRP_HELD_GATES = 1 << 12,  /* a power of two */
	NSRP_HELD_BYTES = 9216,     /* the longest frame that is held */
	NSRP_ETHERTYPE = 0x88b5,    /* IEEE 802 local experimental EtherType 1 */
	NSRP_META_MAGIC = 0x4e535250, /* "NSRP": XDP metadata from the data link program to its tc program */
	/* A packet's VSD travels from tc ingress to routing and tc egress in these bits of skb->mark, as
	   (VSD id + 1), and only on boxes with VSIs of more than one VSD. */
	NSRP_MARK_SHIFT = 24,
};
#define NSRP_MARK_MASK 0x7f000000u
/* A held packet on its way out of the daemon. tc egress takes it off again. */
#define NSRP_MARK_HELD 0x80000000u

/*
 * vsd_state[vsd]: mastership as a lease. This box masters the VSD while
 *   now < master_until_ns, and
 *   peer_seen_ns == 0 or alone_grace_ns == 0 or now < peer_seen_ns + alone_grace_ns.
 * The daemon renews master_until_ns with each heartbeat it sends. With no peer alive it grants a long lease and
 * sets alone_grace_ns; the HA program stamps peer_seen_ns on the first heartbeat frame that arrives after a renewal
 * (the daemon clears it when it renews), so that a box whose daemon has died stops being master by itself soon
 * after a peer appears.
 *
 * A planned switch passes through two more states. Until succession_until_ns this box takes what the peer, a master
 * about to hand the VSD over, passes on; the first such packet, noted in took_ns, makes it master in the data path
 * before its daemon has heard of it. Until drain_until_ns what a former master had let in still gets out.
 */
struct nsrp_vsd_state {
	nsrp_u64 master_until_ns; /* 0: not master */
	nsrp_u64 alone_grace_ns;  /* 0: the second condition does not apply */
	nsrp_u64 peer_seen_ns;    /* written by XDP, cleared by the daemon */
	nsrp_u64 term;            /* the mastership's number in the election; informative */
	nsrp_u64 succession_until_ns; /* 0: no successor */
	nsrp_u64 took_ns;         /* written by XDP, cleared by the daemon */
	nsrp_u64 drain_until_ns;  /* 0: nothing to drain */
	nsrp_u64 pad;
};

enum nsrp_vsi_flags {
	NSRP_VSI_SEVERAL_VSDS = 1, /* this box has VSIs of more than one VSD: a virtual MAC alone does not say
				      whose a packet is */
	NSRP_VSI_DEFERS = 2,       /* first packets of its VSD's sessions wait for the peer, see struct nsrp_defer */
};

/* Identity of a VSI. vid names it on the data link and is equal on all members. */
struct nsrp_vsi {
	nsrp_u32 ifindex;
	nsrp_u16 vid;
	nsrp_u8 vsd;
	nsrp_u8 flags; /* enum nsrp_vsi_flags */
	nsrp_u8 vmac[6];
	nsrp_u8 pad[2];
};

/* key of vsi_by_mac */
struct nsrp_mac_key {
	nsrp_u32 ifindex;
	nsrp_u8 mac[6];
	nsrp_u8 pad[2];
};

enum { NSRP_ANY_INTERFACE = 0, NSRP_ANY_VSD = 255 };

/*
 * key of vsi_by_vsd: the VSI of a VSD on an interface; also some VSI of a VSD (NSRP_ANY_INTERFACE), and some VSI on
 * an interface (NSRP_ANY_VSD)
 */
struct nsrp_vsd_key {
	nsrp_u32 ifindex;
	nsrp_u32 vsd;
};

/*
 * key of addr_table: an address of this box on one traffic interface; all but link-local ones also for packets that
 * come in elsewhere (NSRP_ANY_INTERFACE)
 */
struct nsrp_addr_key {
	nsrp_u32 ifindex;
	nsrp_u8 family; /* NSRP_IPV4 or NSRP_IPV6 */
	nsrp_u8 pad[3];
	nsrp_u8 addr[16];
};

enum { NSRP_IPV4 = 4, NSRP_IPV6 = 6 };

enum nsrp_addr_kind {
	NSRP_ADDR_VSI = 1,    /* belongs to the VSI `vid`: answered with its virtual MAC by the master only */
	NSRP_ADDR_DEVICE = 2, /* manage IP or another address of this device: own MAC, always local */
};

/* value of addr_table */
struct nsrp_addr {
	nsrp_u16 kind; /* enum nsrp_addr_kind */
	nsrp_u16 vid;  /* of the VSI, else 0 */
};

enum nsrp_if_flags {
	NSRP_IF_TRAFFIC = 1, /* carries VSIs */
	NSRP_IF_HA = 2,      /* zone ha */
	NSRP_IF_MULTI_VSD = 4, /* carries VSIs of more than one VSD: the mark tells packets apart, see NSRP_MARK_SHIFT */
};

/* value of if_config[ifindex] */
struct nsrp_if_config {
	nsrp_u32 flags; /* enum nsrp_if_flags */
	nsrp_u16 only_vid; /* the VSI on this interface when there is exactly one, else 0 */
	nsrp_u8 mac[6];    /* the interface's own MAC */
	nsrp_u32 lower_ifindex; /* of a VLAN device: the interface it stands on; else 0 */
	nsrp_u16 vlan_vid;      /* and its 802.1Q tag */
	nsrp_u8 pad[2];
};

/* key of vlan_devices: a tag on an interface; value: ifindex of the VLAN device that has the packet */
struct nsrp_vlan_key {
	nsrp_u32 ifindex;
	nsrp_u32 vid;
};

/* data_link[0]: where packets of VSDs mastered elsewhere go. ifindex 0: no data link */
struct nsrp_data_link {
	nsrp_u32 ifindex;
	nsrp_u8 own_mac[6];
	nsrp_u8 peer_mac[6];
	nsrp_u8 cluster_id;
	nsrp_u8 data_forwarding; /* 0 after `unset nsrp data-forwarding`: such packets are dropped */
	nsrp_u8 pad[6];
};

/* A flow's addresses, as they stand in a packet or in a conntrack tuple. */
struct nsrp_tuple {
	nsrp_u8 saddr[16];
	nsrp_u8 daddr[16];
	nsrp_u16 sport; /* ICMP echo: identifier */
	nsrp_u16 dport; /* ICMP echo: 0 */
	nsrp_u8 proto;
	nsrp_u8 family; /* NSRP_IPV4 or NSRP_IPV6 */
	nsrp_u16 zone;  /* conntrack zone; 0 */
} __attribute__((aligned(8))); /* BPF copies and compares it word by word */

enum nsrp_session_flags {
	NSRP_SESSION_DIRTY = 1,     /* changed, and the ring was full: the sweep exports it */
	NSRP_SESSION_FROM_PEER = 2, /* installed by RTO sync; cleared by the first packet this box forwards */
	NSRP_SESSION_SETTLED = 4,   /* conntrack state is final until a FIN, RST or the end: no look-up per packet */
	NSRP_SESSION_FAST = 8,      /* fast_flows has had a direction of it */
};

/*
 * sessions[original tuple]: one record per conntrack entry; reply_index[reply tuple] leads to it.
 * Written by tc egress (local flows) and by the daemon (flows of the peer).
 */
struct nsrp_session {
	struct nsrp_tuple reply; /* conntrack's reply tuple: with the key, the whole NAT */
	nsrp_u64 created_ns;
	nsrp_u64 last_seen_ns;
	nsrp_u64 exported_ns;   /* when the record last went to the ring */
	nsrp_u32 generation;    /* grows with each exported change */
	nsrp_u32 ct_status;     /* IPS_* bits of conntrack */
	nsrp_u32 ct_mark;
	nsrp_u32 timeout_s;     /* what was left in conntrack when exported */
	nsrp_u8 tcp_state;      /* enum tcp_conntrack */
	nsrp_u8 vsd;
	nsrp_u16 flags;         /* enum nsrp_session_flags */
	nsrp_u32 pad;
};

/* What tc egress puts into the ring `session_events`. */
struct nsrp_session_event {
	struct nsrp_tuple key;
	struct nsrp_session session;
};

/*
 * defers[vsd]: packets of new sessions are held, and given to the daemon, until the peer has the session. Both times
 * are renewed by the daemon again and again, so that nothing waits for one that is not there.
 */
struct nsrp_defer {
	nsrp_u64 until_ns;       /* the first packet of a session is held until then */
	nsrp_u64 behind_until_ns; /* and packets of its session that come behind one that is held */
};

/*
 * held_gates[low bits of the flow's number]: how many of its packets, and of flows with the same gate, are held. As long
 * as there are any, what follows of a young session is held too: packets of a session keep their order.
 */
#define NSRP_YOUNG_NS 1000000000ull /* longer than any packet is held */

/* What tc egress puts into `held_packets`; the frame, `length` bytes of it, follows. */
struct nsrp_held_packet {
	nsrp_u64 held_ns;
	nsrp_u32 ifindex; /* where it leaves, with the virtual MAC as its source already */
	nsrp_u32 mark;
	nsrp_u32 gate;
	nsrp_u32 length;
	nsrp_u16 checksum_start;  /* 0: the checksum is complete; else the sum from here on is still to be put, */
	nsrp_u16 checksum_offset; /* complemented, as many bytes behind that */
	nsrp_u8 vsd;
	nsrp_u8 first; /* of its session */
	nsrp_u8 pad[2];
};

enum nsrp_fast_protocols { NSRP_FAST_TCP = 1, NSRP_FAST_UDP = 2 };

/* fast_config[0]: what the fast path may take. All zeros: it is off */
struct nsrp_fast_config {
	nsrp_u32 protocols;  /* enum nsrp_fast_protocols */
	nsrp_u32 generation; /* permits of another generation are void: routes, neighbours, links or rules changed */
};

/*
 * fast_flows[tuple as it comes in]: one direction of a session, ready to be forwarded by XDP. tc egress writes it
 * from a packet that the stack has let through: the frame that leaves says where to and from which MAC, and proves
 * that rules and conntrack agree. The permit runs out after the time in fast_permit; the next packet then goes through
 * the stack again, and renews it or not.
 */
struct nsrp_fast_flow {
	nsrp_u64 permit_until_ns;
	nsrp_u64 stack_ns;  /* when a packet last went to the stack for want of a permit */
	nsrp_u64 packets;   /* forwarded by the fast path */
	nsrp_u64 bytes;     /* of these, IP headers included */
	nsrp_u32 generation;
	nsrp_u32 in_ifindex;  /* where the packets come in; over the data link: the VSI's interface */
	nsrp_u32 out_ifindex; /* where they leave, a key of fast_ports */
	nsrp_u16 out_vid;     /* behind this tag; 0: none */
	nsrp_u16 mtu;
	nsrp_u8 dmac[6]; /* of the next hop */
	nsrp_u8 smac[6]; /* the virtual MAC */
	nsrp_u8 vsd;     /* forwarded only while mastered here */
	nsrp_u8 pad;
	nsrp_u16 address_delta; /* what the new addresses change in a one's complement sum */
	nsrp_u8 saddr[16];      /* addresses and ports after NAT */
	nsrp_u8 daddr[16];
	nsrp_u16 sport;
	nsrp_u16 dport;
	nsrp_u32 granted;       /* when, in units of 2^10 ns, modulo 2^32 */
};

/*
 * fast_permit[0]: how long permits last, in ns; 0: NSRP_FAST_PERMIT_NS. Longer the more sessions there are, so that
 * renewing them never takes more of the stack than NSRP_FAST_RENEWALS packets a second, up to NSRP_FAST_PERMIT_MAX_NS.
 */
#define NSRP_FAST_PERMIT_NS 900000000ull
#define NSRP_FAST_PERMIT_MAX_NS 20000000000ull
enum { NSRP_FAST_RENEWALS = 16384 };

/* key of vsd_routes, a longest-prefix table: where a VSD's own routing table leads */
struct nsrp_route_key {
	nsrp_u32 prefix_len; /* in bits, NSRP_ROUTE_FIXED_BITS included */
	nsrp_u8 vsd;
	nsrp_u8 family; /* NSRP_IPV4 or NSRP_IPV6 */
	nsrp_u8 pad[2];
	nsrp_u8 addr[16];
};

enum { NSRP_ROUTE_FIXED_BITS = 32 };

/* value of vsd_routes */
struct nsrp_route {
	nsrp_u32 ifindex; /* out of which packets go */
};

/* key of fragments: what the fragments of one packet have in common */
struct nsrp_fragment_key {
	nsrp_u8 saddr[16];
	nsrp_u8 daddr[16];
	nsrp_u32 id;
	nsrp_u8 proto; /* IPv6: 0 */
	nsrp_u8 family; /* NSRP_IPV4 or NSRP_IPV6 */
	nsrp_u8 pad[2];
};

/* value of fragments: the VSD the first one was found to belong to */
struct nsrp_fragment {
	nsrp_u64 seen_ns;
	nsrp_u32 vsd;
	nsrp_u32 pad;
};

/* counters[reason], per CPU. X(name, what it means). The order is ABI: append only. */
#define NSRP_COUNTERS(X) \
	X(rx_own, "frames to the virtual MAC of the VSD they belong to, mastered here, passed to the stack") \
	X(rx_to_peer, "frames to the virtual MAC of the VSD they belong to, mastered elsewhere, sent over the data link") \
	X(rx_drop_no_data_link, "frames of a VSD mastered elsewhere, dropped: there is no data link") \
	X(rx_drop_forwarding_off, "frames of a VSD mastered elsewhere, dropped: data-forwarding is unset") \
	X(rx_drop_own_vmac_source, "frames from outside with a virtual MAC of a VSD mastered here as source, dropped") \
	X(rx_drop_malformed, "frames too short for what their header says, dropped") \
	X(arp_answered, "ARP requests for a VSI address, answered as master") \
	X(arp_drop_not_master, "ARP requests for a VSI address, dropped on a non-master") \
	X(nd_answered, "neighbour solicitations for a VSI address, answered as master") \
	X(nd_drop_not_master, "neighbour solicitations for a VSI address, dropped on a non-master") \
	X(dl_rx, "packets taken over the data link and given to the stack") \
	X(dl_drop_bad_peer, "data link frames not from the learned peer, dropped") \
	X(dl_drop_unknown_vid, "data link frames for an unknown VSI, dropped") \
	X(dl_drop_not_master, "data link frames for a VSD not mastered here either, dropped: never forwarded twice") \
	X(dl_drop_malformed, "data link frames too short, or with no VLAN tag or with two, dropped") \
	X(ha_frames, "NSRP frames seen on HA links") \
	X(tx_vmac, "frames sent with a virtual MAC") \
	X(tx_drop_not_master, "frames of a VSI that is inactive here, dropped by the egress guard") \
	X(tx_drop_vmac_source, "frames with a virtual MAC as source while not master, dropped by the egress guard") \
	X(tx_drop_kernel_na, "neighbour advertisements of the kernel for a VSI address, dropped: XDP answers") \
	X(tx_drop_no_vsd, "forwarded packets that leave through an interface of several VSDs and belong to none") \
	X(session_created, "sessions recorded") \
	X(session_updated, "session changes recorded") \
	X(session_map_full, "sessions not recorded: the map is full") \
	X(session_ring_full, "session events left to the sweep: the ring was full") \
	X(xdp_redirect_error, "packets that could not be given to the data link") \
	X(rx_drop_not_master, "frames to a virtual MAC that passed XDP just before mastership was lost, dropped") \
	X(rx_own_steered, "frames to the virtual MAC of another VSD that session, destination or egress keep here") \
	X(rx_to_peer_session, "frames sent over the data link: their session is of a VSD mastered elsewhere") \
	X(rx_to_peer_address, "frames sent over the data link: they are for the address of a VSI that is inactive here") \
	X(rx_to_peer_egress, "frames sent over the data link: their route leaves through a VSI that is inactive here") \
	X(rx_drop_data_link_mtu, "frames of a VSD mastered elsewhere, dropped: too long for the data link") \
	X(rx_fragment_unknown, "later fragments whose first one has not passed here: only their addresses count") \
	X(tx_drop_refusal, "resets and port unreachables of this box's own stack for sessions that stand, dropped") \
	X(rx_tagged, "frames with a VLAN tag, or several, left to the VLAN device on top") \
	X(dl_succeeded, "VSDs taken over by a packet their master passed on, before its word for it came") \
	X(tx_drained, "frames that were in the stack when their VSD was handed over, sent with the interface's own MAC") \
	X(fast_forwarded, "packets forwarded by the fast path") \
	X(fast_bytes, "bytes of these packets, IP headers included") \
	X(fast_crossed, "packets from the data link among those forwarded by the fast path") \
	X(fast_granted, "permits given to one direction of a session, or renewed") \
	X(fast_revoked, "permits taken back: the session ends or has changed") \
	X(fast_map_full, "directions of sessions left to the stack: the map of the fast path is full") \
	X(fast_stack_permit, "packets of fast sessions given to the stack: their permit has run out or is being renewed") \
	X(fast_stack_generation, "packets of fast sessions given to the stack: routes, neighbours, links or rules changed") \
	X(fast_stack_interface, "packets of fast sessions given to the stack: they came in elsewhere") \
	X(fast_stack_port, "packets of fast sessions given to the stack: XDP cannot send to their interface") \
	X(fast_stack_tcp_flags, "packets of fast sessions given to the stack: SYN, FIN or RST") \
	X(fast_stack_hop_limit, "packets of fast sessions given to the stack: their TTL or hop limit ends here") \
	X(fast_stack_mtu, "packets of fast sessions given to the stack: too long for where they leave") \
	X(fast_stack_options, "packets with IP options or extension headers, not for the fast path") \
	X(fast_stack_fragment, "fragments, not for the fast path") \
	X(port_drop_not_master, "frames that came in at a port of the transparent device, dropped on a non-master") \
	X(port_tx_drop_not_master, "frames to leave a port of the transparent device, dropped on a non-master") \
	X(held, "packets of new sessions held until the peer has the session") \
	X(held_sent, "held packets that the daemon has sent") \
	X(hold_nobody, "first packets of sessions not held: no active peer, or no daemon that would send them") \
	X(hold_full, "packets of new sessions not held: too many are") \
	X(hold_unfit, "packets of new sessions not held: too long, or the interface has to finish them")

enum nsrp_counter {
#define NSRP_X(name, text) NSRP_CNT_##name,
	NSRP_COUNTERS(NSRP_X)
#undef NSRP_X
	NSRP_CNT_MAX,
};

/* XDP metadata between the data link's XDP and tc programs */
struct nsrp_meta {
	nsrp_u32 magic;
	nsrp_u32 vid;
};

NSRP_STATIC_ASSERT(sizeof(struct nsrp_vsd_state) == 64, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_vsi) == 16, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_mac_key) == 12, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_vsd_key) == 8, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_addr_key) == 24, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_addr) == 4, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_if_config) == 20, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_data_link) == 24, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_tuple) == 40, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_session) == 88, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_session_event) == 128, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_defer) == 16, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_held_packet) == 32, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_vlan_key) == 8, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_fast_config) == 8, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_fast_flow) == 104, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_route_key) == 24, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_route) == 4, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_fragment_key) == 40, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_fragment) == 16, "layout");
NSRP_STATIC_ASSERT(sizeof(struct nsrp_meta) == 8, "layout");

#endif
