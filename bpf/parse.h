/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Header layouts, and whether a frame is as long as its headers say. */
#ifndef NSRP_BPF_PARSE_H
#define NSRP_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "nsrp/abi/nsrp_abi.h"

/* ARP for IPv4 over Ethernet (RFC 826) */
struct nsrp_arp {
	__be16 hardware_type;
	__be16 protocol_type;
	nsrp_u8 hardware_len;
	nsrp_u8 protocol_len;
	__be16 operation;
	nsrp_u8 sender_mac[6];
	nsrp_u8 sender_ip[4];
	nsrp_u8 target_mac[6];
	nsrp_u8 target_ip[4];
} __attribute__((packed, aligned(2)));

/* Its part that says what follows */
struct nsrp_arp_head {
	__be16 hardware_type;
	__be16 protocol_type;
	nsrp_u8 hardware_len;
	nsrp_u8 protocol_len;
	__be16 operation;
} __attribute__((packed, aligned(2)));

/* Neighbour solicitation or advertisement (RFC 4861, 4.3 and 4.4) */
struct nsrp_nd {
	nsrp_u8 type;
	nsrp_u8 code;
	__be16 checksum;
	nsrp_u8 flags; /* advertisement: R, S, O */
	nsrp_u8 reserved[3];
	nsrp_u8 target[16];
} __attribute__((packed, aligned(2)));

struct nsrp_nd_link_option {
	nsrp_u8 type;
	nsrp_u8 length; /* in units of 8 octets */
	nsrp_u8 mac[6];
} __attribute__((packed, aligned(2)));

struct nsrp_vlan_frame {
	nsrp_u8 dest[6];
	nsrp_u8 source[6];
	__be16 tpid;
	__be16 tci;
	__be16 proto;
} __attribute__((packed, aligned(2)));

enum {
	NSRP_ARP_REQUEST = 1,
	NSRP_ARP_REPLY = 2,
	NSRP_ND_SOLICIT = 135,
	NSRP_ND_ADVERT = 136,
	NSRP_ND_OPT_SOURCE = 1,
	NSRP_ND_OPT_TARGET = 2,
	NSRP_ND_HOP_LIMIT = 255, /* RFC 4861, 7.1.1: proves that no router forwarded it */
	NSRP_VID_MASK = 0xfff,
	NSRP_PACKET_HOST = 0, /* the kernel's PACKET_HOST */
};

/*
 * The BPF target has no memcmp(), and expands memcpy() from a void pointer byte by byte. What these move is
 * aligned as their types say: Ethernet starts 2 bytes before a 4-byte boundary.
 */
static __always_inline int nsrp_same_mac(const void *a, const void *b)
{
	const nsrp_u16 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline void nsrp_copy_mac(void *to, const void *from)
{
	nsrp_u16 *x = to;
	const nsrp_u16 *y = from;

	x[0] = y[0];
	x[1] = y[1];
	x[2] = y[2];
}

static __always_inline void nsrp_copy_ip6(void *to, const void *from)
{
	nsrp_u32 *x = to;
	const nsrp_u32 *y = from;

	x[0] = y[0];
	x[1] = y[1];
	x[2] = y[2];
	x[3] = y[3];
}

/* In ARP the addresses are not aligned. */
static __always_inline __be32 nsrp_arp_ip(const nsrp_u8 *bytes)
{
	__be32 ip;

	__builtin_memcpy(&ip, bytes, sizeof(ip));
	return ip;
}

static __always_inline int nsrp_arp_is_ipv4(const struct nsrp_arp_head *arp)
{
	return arp->hardware_type == bpf_htons(1) && arp->protocol_type == bpf_htons(ETH_P_IP) &&
	       arp->hardware_len == 6 && arp->protocol_len == 4;
}

static __always_inline int nsrp_is_tagged(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/*
 * False when the IP header is cut off or claims more bytes than the frame has. Padding after the packet is
 * fine; total length 0 is what segmentation offload leaves in frames beyond 64 KiB.
 */
static __always_inline int nsrp_l3_is_whole(const struct ethhdr *eth, const void *end)
{
	const void *l3 = eth + 1;

	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = l3;
		nsrp_u32 total;

		if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
			return 0;
		total = bpf_ntohs(ip->tot_len);
		return total == 0 || (total >= ip->ihl * 4u && total <= (nsrp_u64)(end - l3));
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip6 = l3;

		if ((const void *)(ip6 + 1) > end || ip6->version != 6)
			return 0;
		return bpf_ntohs(ip6->payload_len) + sizeof(*ip6) <= (nsrp_u64)(end - l3);
	}
	return 1;
}

#endif
