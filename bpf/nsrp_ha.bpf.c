/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The HA interfaces. nsrp_ha_in (XDP) notices heartbeat frames and takes the tag off data link packets;
 * nsrp_ha_tc (tc ingress) puts those into the stack as if they had come in on their VSI's interface. XDP
 * itself cannot: it can only send a frame out.
 */
#include <linux/pkt_cls.h>

#include "datalink.h"
#include "fastpath.h"

/* What every NSRP frame begins with, whatever its version (docs/protocol.md). */
struct nsrp_frame_head {
	struct ethhdr eth;
	nsrp_u16 magic[2]; /* halfwords: 14 bytes of Ethernet leave it unaligned */
	nsrp_u8 version;
	nsrp_u8 type;
	nsrp_u8 cluster_id;
} __attribute__((packed, aligned(2)));

#define NSRP_FRAME_HEARTBEAT 1

static __always_inline void nsrp_note_heartbeat(const struct ethhdr *eth, const void *end,
						const nsrp_u8 *own_mac)
{
	const struct nsrp_frame_head *frame = (const void *)eth;
	const struct nsrp_data_link *link = nsrp_the_data_link();

	nsrp_count(NSRP_CNT_ha_frames);
	if ((const void *)(frame + 1) > end || !link || frame->cluster_id != link->cluster_id)
		return;
	if (frame->magic[0] != bpf_htons(0x4e53) || frame->magic[1] != bpf_htons(0x5250) ||
	    frame->type != NSRP_FRAME_HEARTBEAT)
		return;
	if (!nsrp_same_mac(eth->h_source, own_mac))
		nsrp_stamp_peer_seen();
}

static __always_inline int nsrp_take_from_peer(struct xdp_md *ctx, const nsrp_u8 *own_mac)
{
	struct nsrp_vlan_frame *frame = (void *)(long)ctx->data;
	struct nsrp_arrival in = {.ctx = ctx, .end = (void *)(long)ctx->data_end};
	struct nsrp_fast_packet packet = {};
	const struct nsrp_vsi *vsi;
	struct nsrp_meta *meta;
	nsrp_u8 source[6] __attribute__((aligned(2))), vmac[6] __attribute__((aligned(2)));
	struct ethhdr *eth;
	nsrp_u32 vid;
	int verdict;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return nsrp_drop(NSRP_CNT_dl_drop_malformed);
	if (!nsrp_same_mac(frame->dest, own_mac))
		return XDP_PASS;
	/* Nobody sends a tagged frame over the data link, and it would enter a VLAN that is not asked about
	 * here. */
	if (nsrp_is_tagged(frame->proto))
		return nsrp_drop(NSRP_CNT_dl_drop_malformed);
	vid = bpf_ntohs(frame->tci) & NSRP_VID_MASK;
	nsrp_copy_mac(source, frame->source);
	in.l3 = frame + 1;
	in.ethertype = frame->proto;
	vsi = nsrp_accept_from_peer(source, vid, &in);
	if (!vsi)
		return XDP_DROP;
	nsrp_copy_mac(vmac, vsi->vmac);
	packet.l3 = frame + 1;
	packet.end = in.end;
	packet.ifindex = vsi->ifindex;
	packet.l2_bytes = sizeof(*frame);
	packet.ethertype = in.ethertype;
	verdict = nsrp_fast_forward(ctx, &packet);
	if (verdict != XDP_PASS) {
		if (verdict == XDP_REDIRECT)
			nsrp_count(NSRP_CNT_fast_crossed);
		return verdict;
	}
	/* A driver without room for metadata leaves the whole work to nsrp_ha_tc, which sees the tag then. */
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_PASS;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return nsrp_drop(NSRP_CNT_dl_drop_malformed);
	meta->magic = NSRP_META_MAGIC;
	meta->vid = vid;
	/* Metadata moves along with the front of the frame. */
	if (bpf_xdp_adjust_head(ctx, 4))
		return nsrp_drop(NSRP_CNT_dl_drop_malformed);
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return nsrp_drop(NSRP_CNT_dl_drop_malformed);
	nsrp_copy_mac(eth->h_dest, vmac);
	/* The peer's MAC as source marks the packet as one that has crossed. */
	nsrp_copy_mac(eth->h_source, source);
	return XDP_PASS;
}

SEC("xdp")
int nsrp_ha_in(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	const struct nsrp_if_config *config;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(NSRP_ETHERTYPE) && eth->h_proto != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	config = nsrp_config_of(ctx->ingress_ifindex);
	if (!config || !(config->flags & NSRP_IF_HA))
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_8021Q))
		return nsrp_take_from_peer(ctx, config->mac);
	nsrp_note_heartbeat(eth, end, config->mac);
	return XDP_PASS;
}

static __always_inline int nsrp_into_stack(nsrp_u32 ifindex)
{
	nsrp_count(NSRP_CNT_dl_rx);
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/* The NIC or the kernel took the tag before XDP could: the same checks, here. */
static __always_inline int nsrp_take_tagged_skb(struct __sk_buff *skb)
{
	const struct nsrp_if_config *config = nsrp_config_of(skb->ifindex);
	struct nsrp_arrival in = {.ctx = skb};
	const struct nsrp_vsi *vsi;
	struct ethhdr *eth;

	nsrp_make_linear(skb, NSRP_FLOW_BYTES);
	eth = (void *)(long)skb->data;
	in.l3 = eth + 1;
	in.end = (void *)(long)skb->data_end;
	if (!config || !(config->flags & NSRP_IF_HA) || (void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (skb->vlan_proto != bpf_htons(ETH_P_8021Q) || !nsrp_same_mac(eth->h_dest, config->mac))
		return TC_ACT_UNSPEC;
	in.ethertype = eth->h_proto;
	if (nsrp_is_tagged(in.ethertype)) {
		nsrp_count(NSRP_CNT_dl_drop_malformed);
		return TC_ACT_SHOT;
	}
	vsi = nsrp_accept_from_peer(eth->h_source, skb->vlan_tci, &in);
	if (!vsi)
		return TC_ACT_SHOT;
	nsrp_copy_mac(eth->h_dest, vsi->vmac);
	if (bpf_skb_vlan_pop(skb)) {
		nsrp_count(NSRP_CNT_dl_drop_malformed);
		return TC_ACT_SHOT;
	}
	return nsrp_into_stack(vsi->ifindex);
}

SEC("tc")
int nsrp_ha_tc(struct __sk_buff *skb)
{
	const struct nsrp_meta *meta = (void *)(long)skb->data_meta;
	const struct nsrp_vsi *vsi;

	if ((const void *)(meta + 1) > (void *)(long)skb->data || meta->magic != NSRP_META_MAGIC)
		return skb->vlan_present ? nsrp_take_tagged_skb(skb) : TC_ACT_UNSPEC;
	vsi = nsrp_vsi_of_vid(meta->vid);
	if (!vsi) {
		nsrp_count(NSRP_CNT_dl_drop_unknown_vid);
		return TC_ACT_SHOT;
	}
	return nsrp_into_stack(vsi->ifindex);
}

char LICENSE[] SEC("license") = "GPL";
