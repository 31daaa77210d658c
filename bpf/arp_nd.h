/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * ARP requests and neighbour solicitations for VSI addresses, answered on the spot. The kernel has the
 * address too, but would answer with the interface's own MAC, and on the backup as well. Both functions
 * return XDP_PASS when the frame is none of our business.
 */
#ifndef NSRP_BPF_ARP_ND_H
#define NSRP_BPF_ARP_ND_H

#include "count.h"
#include "parse.h"
#include "vsd.h"
#include "vsi.h"

static __always_inline int nsrp_answer_arp(struct ethhdr *eth, void *end, nsrp_u32 ifindex)
{
	struct nsrp_arp_head *head = (void *)(eth + 1);
	struct nsrp_arp *arp = (void *)(eth + 1);
	const struct nsrp_vsi *vsi;
	nsrp_u8 asker_ip[4];

	if ((void *)(head + 1) > end)
		goto malformed;
	if (!nsrp_arp_is_ipv4(head))
		return XDP_PASS;
	if ((void *)(arp + 1) > end)
		goto malformed;
	if (arp->operation != bpf_htons(NSRP_ARP_REQUEST))
		return XDP_PASS;
	vsi = nsrp_vsi_of_addr(nsrp_addr4(ifindex, nsrp_arp_ip(arp->target_ip)));
	if (!vsi)
		return XDP_PASS;
	if (!nsrp_masters(vsi->vsd)) {
		nsrp_count(NSRP_CNT_arp_drop_not_master);
		return XDP_DROP;
	}
	/* An address probe (RFC 5227) has sender 0.0.0.0; the reply defends the address, as it must. */
	__builtin_memcpy(asker_ip, arp->sender_ip, 4);
	arp->operation = bpf_htons(NSRP_ARP_REPLY);
	nsrp_copy_mac(eth->h_dest, arp->sender_mac);
	nsrp_copy_mac(eth->h_source, vsi->vmac);
	nsrp_copy_mac(arp->target_mac, arp->sender_mac);
	nsrp_copy_mac(arp->sender_mac, vsi->vmac);
	__builtin_memcpy(arp->sender_ip, arp->target_ip, 4);
	__builtin_memcpy(arp->target_ip, asker_ip, 4);
	nsrp_count(NSRP_CNT_arp_answered);
	return XDP_TX;
malformed:
	nsrp_count(NSRP_CNT_rx_drop_malformed);
	return XDP_DROP;
}

struct nsrp_advert_frame {
	struct ethhdr eth;
	struct ipv6hdr ip6;
	struct nsrp_nd nd;
	struct nsrp_nd_link_option option;
} __attribute__((packed, aligned(2)));

/* What an ICMPv6 checksum covers (RFC 4443, 2.3): pseudo-header, then the message. */
struct nsrp_advert_sum {
	nsrp_u8 source[16];
	nsrp_u8 dest[16];
	__be32 length;
	__be32 next_header;
	struct nsrp_nd nd;
	struct nsrp_nd_link_option option;
} __attribute__((packed, aligned(4)));

static __always_inline __be16 nsrp_fold_checksum(nsrp_u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__be16)~sum;
}

/* Who asked, taken out of the frame before it is rewritten. */
struct nsrp_asker {
	nsrp_u8 mac[6] __attribute__((aligned(2)));
	nsrp_u8 anonymous; /* duplicate address detection: no source address to answer to */
};

static __always_inline void nsrp_fill_advert(struct nsrp_advert_sum *sum, const struct ipv6hdr *ip6,
					     const struct nsrp_nd *solicit, const struct nsrp_vsi *vsi,
					     struct nsrp_asker *asker)
{
	const nsrp_u64 *source = (const void *)&ip6->saddr;

	asker->anonymous = !(source[0] | source[1]);
	nsrp_copy_ip6(sum->source, solicit->target);
	if (asker->anonymous) {
		/* RFC 4861, 7.2.4: to all nodes, and not "solicited" */
		sum->dest[0] = 0xff;
		sum->dest[1] = 0x02;
		sum->dest[15] = 0x01;
	} else {
		nsrp_copy_ip6(sum->dest, &ip6->saddr);
	}
	sum->length = bpf_htonl(sizeof(sum->nd) + sizeof(sum->option));
	sum->next_header = bpf_htonl(IPPROTO_ICMPV6);
	sum->nd.type = NSRP_ND_ADVERT;
	sum->nd.flags = asker->anonymous ? 0xa0 : 0xe0; /* router, override; solicited */
	nsrp_copy_ip6(sum->nd.target, solicit->target);
	sum->option.type = NSRP_ND_OPT_TARGET;
	sum->option.length = 1;
	nsrp_copy_mac(sum->option.mac, vsi->vmac);
	sum->nd.checksum = nsrp_fold_checksum(bpf_csum_diff(0, 0, (void *)sum, sizeof(*sum), 0));
}

static __always_inline int nsrp_send_advert(struct xdp_md *ctx, const struct nsrp_advert_sum *sum,
					    const struct nsrp_asker *asker)
{
	static const nsrp_u8 all_nodes[6] __attribute__((aligned(2))) = {0x33, 0x33, 0, 0, 0, 1};
	int surplus = (int)((long)ctx->data_end - (long)ctx->data) - (int)sizeof(struct nsrp_advert_frame);
	struct nsrp_advert_frame *out;

	/* The whole frame is written anew, so the front can grow or shrink; every driver with XDP can do
	 * that. */
	if (surplus && bpf_xdp_adjust_head(ctx, surplus))
		return XDP_DROP;
	out = (void *)(long)ctx->data;
	if ((void *)(out + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	nsrp_copy_mac(out->eth.h_dest, asker->anonymous ? all_nodes : asker->mac);
	nsrp_copy_mac(out->eth.h_source, sum->option.mac);
	out->eth.h_proto = bpf_htons(ETH_P_IPV6);
	__builtin_memset(&out->ip6, 0, sizeof(out->ip6));
	out->ip6.version = 6;
	out->ip6.payload_len = bpf_htons(sizeof(out->nd) + sizeof(out->option));
	out->ip6.nexthdr = IPPROTO_ICMPV6;
	out->ip6.hop_limit = NSRP_ND_HOP_LIMIT;
	nsrp_copy_ip6(&out->ip6.saddr, sum->source);
	nsrp_copy_ip6(&out->ip6.daddr, sum->dest);
	out->nd = sum->nd;
	out->option = sum->option;
	nsrp_count(NSRP_CNT_nd_answered);
	return XDP_TX;
}

static __always_inline int nsrp_answer_solicitation(struct xdp_md *ctx, struct ethhdr *eth, void *end,
						    nsrp_u32 ifindex)
{
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct nsrp_nd *solicit = (void *)(ip6 + 1);
	struct nsrp_advert_sum sum = {};
	struct nsrp_asker asker = {};
	const struct nsrp_vsi *vsi;

	if ((void *)(ip6 + 1) > end || ip6->nexthdr != IPPROTO_ICMPV6)
		return XDP_PASS;
	if ((void *)solicit + 1 > end || solicit->type != NSRP_ND_SOLICIT)
		return XDP_PASS;
	if ((void *)(solicit + 1) > end || bpf_ntohs(ip6->payload_len) < sizeof(*solicit) ||
	    !nsrp_l3_is_whole(eth, end)) {
		nsrp_count(NSRP_CNT_rx_drop_malformed);
		return XDP_DROP;
	}
	/* Not a valid solicitation (RFC 4861, 7.1.1): the stack drops it and counts it. */
	if (ip6->hop_limit != NSRP_ND_HOP_LIMIT || solicit->code != 0)
		return XDP_PASS;
	vsi = nsrp_vsi_of_addr(nsrp_addr6(ifindex, solicit->target));
	if (!vsi)
		return XDP_PASS;
	if (!nsrp_masters(vsi->vsd)) {
		nsrp_count(NSRP_CNT_nd_drop_not_master);
		return XDP_DROP;
	}
	nsrp_copy_mac(asker.mac, eth->h_source);
	nsrp_fill_advert(&sum, ip6, solicit, vsi, &asker);
	return nsrp_send_advert(ctx, &sum, &asker);
}

#endif
