/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The data link: what a non-master receives for a VSD goes to the master behind one 802.1Q tag whose VID
 * names the VSI (docs/protocol.md), and leaves the tag there. A packet crosses at most once.
 */
#ifndef NSRP_BPF_DATALINK_H
#define NSRP_BPF_DATALINK_H

#include "owner.h"

static __always_inline const struct nsrp_data_link *nsrp_the_data_link(void)
{
	nsrp_u32 key = 0;

	return bpf_map_lookup_elem(&data_link, &key);
}

static __always_inline int nsrp_drop(enum nsrp_counter reason)
{
	nsrp_count(reason);
	return XDP_DROP;
}

static __always_inline enum nsrp_counter nsrp_counter_of(int why)
{
	switch (why) {
	case NSRP_BY_SESSION:
		return NSRP_CNT_rx_to_peer_session;
	case NSRP_BY_ADDRESS:
		return NSRP_CNT_rx_to_peer_address;
	case NSRP_BY_EGRESS:
		return NSRP_CNT_rx_to_peer_egress;
	default:
		return NSRP_CNT_rx_to_peer;
	}
}

/*
 * The VSI a packet is sent as: that of its owner on the interface it came in on. Where the owner has none
 * there, another one of that interface, and the other side finds out the owner for itself.
 */
static __always_inline const struct nsrp_vsi *nsrp_vsi_to_send_as(const struct nsrp_arrival *in, int vsd)
{
	const struct nsrp_vsi *vsi = nsrp_vsi_of_vsd(in->ifindex, (nsrp_u32)vsd);

	if (vsi)
		return vsi;
	return in->vsi ? in->vsi : nsrp_vsi_of_vsd(in->ifindex, NSRP_ANY_VSD);
}

/* Whether the frame has come over the data link already: then its source is still the peer's HA MAC. */
static __always_inline int nsrp_has_crossed(const struct ethhdr *eth)
{
	const struct nsrp_data_link *link = nsrp_the_data_link();

	return link && link->ifindex && nsrp_same_mac(eth->h_source, link->peer_mac);
}

/* Of a packet that came in on a traffic interface; whether it has crossed matters to boxes of several VSDs
 * only. */
static __always_inline struct nsrp_owner nsrp_find_owner_here(const struct nsrp_arrival *in,
							      const struct ethhdr *eth)
{
	return nsrp_find_owner(in,
			       in->vsi && (in->vsi->flags & NSRP_VSI_SEVERAL_VSDS) && nsrp_has_crossed(eth));
}

/* The packet belongs to a VSD that this box does not master. */
static __always_inline int nsrp_send_to_peer(struct xdp_md *ctx, const struct ethhdr *eth,
					     const struct nsrp_arrival *in, const struct nsrp_owner *owner)
{
	const struct nsrp_vsi *vsi = nsrp_vsi_to_send_as(in, owner->vsd);
	const struct nsrp_data_link *link = nsrp_the_data_link();
	struct nsrp_vlan_frame *frame;
	nsrp_u32 mtu = 0, vid;

	if (!vsi || !link || !link->ifindex)
		return nsrp_drop(NSRP_CNT_rx_drop_no_data_link);
	if (!link->data_forwarding)
		return nsrp_drop(NSRP_CNT_rx_drop_forwarding_off);
	/* With generic XDP a packet from the data link meets us again on its VSI's interface. If mastership
	   was lost in between, it must not go back. */
	if (nsrp_same_mac(eth->h_source, link->peer_mac))
		return nsrp_drop(NSRP_CNT_dl_drop_not_master);
	/* The kernel allows the tag on top of the MTU. What is longer it would drop where no counter of ours
	   sees it. */
	if (bpf_check_mtu(ctx, link->ifindex, &mtu, 0, 0) == BPF_MTU_CHK_RET_FRAG_NEEDED)
		return nsrp_drop(NSRP_CNT_rx_drop_data_link_mtu);
	vid = vsi->vid;
	if (bpf_xdp_adjust_head(ctx, -4))
		return nsrp_drop(NSRP_CNT_xdp_redirect_error);
	frame = (void *)(long)ctx->data;
	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return nsrp_drop(NSRP_CNT_xdp_redirect_error);
	/* The four new bytes in front push the EtherType to where it belongs behind a tag. */
	nsrp_copy_mac(frame->dest, link->peer_mac);
	nsrp_copy_mac(frame->source, link->own_mac);
	frame->tpid = bpf_htons(ETH_P_8021Q);
	frame->tci = bpf_htons(vid & NSRP_VID_MASK);
	if (bpf_redirect_map(&tx_ports, 0, 0) != XDP_REDIRECT)
		return nsrp_drop(NSRP_CNT_xdp_redirect_error);
	nsrp_count(nsrp_counter_of(owner->why));
	return XDP_REDIRECT;
}

/*
 * Whether a packet on our HA interface may enter as the VSI of this number: 0 and counted when not. The
 * packet's headers lie where `in` says; the rest of `in` is filled here.
 */
static __always_inline const struct nsrp_vsi *nsrp_accept_from_peer(const nsrp_u8 *source, nsrp_u32 vid,
								    struct nsrp_arrival *in)
{
	const struct nsrp_data_link *link = nsrp_the_data_link();
	struct nsrp_owner owner;

	if (!link || !nsrp_same_mac(source, link->peer_mac)) {
		nsrp_count(NSRP_CNT_dl_drop_bad_peer);
		return 0;
	}
	in->vsi = nsrp_vsi_of_vid(vid & NSRP_VID_MASK);
	if (!in->vsi) {
		nsrp_count(NSRP_CNT_dl_drop_unknown_vid);
		return 0;
	}
	in->ifindex = in->vsi->ifindex;
	in->now = bpf_ktime_get_ns();
	owner = nsrp_find_owner(in, 1);
	if (owner.vsd != NSRP_NOBODY && !owner.mastered &&
	    !nsrp_takes_from_peer((nsrp_u32)owner.vsd, in->vsi->vsd == owner.vsd)) {
		nsrp_count(NSRP_CNT_dl_drop_not_master);
		return 0;
	}
	return in->vsi;
}

#endif
