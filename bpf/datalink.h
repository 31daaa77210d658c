/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The data link: what a non-master receives for a VSD goes to the master behind one 802.1Q tag whose VID
 * names the VSI (docs/protocol.md), and leaves the tag there. A packet crosses at most once.
 */
#ifndef NSRP_BPF_DATALINK_H
#define NSRP_BPF_DATALINK_H

#include "count.h"
#include "parse.h"
#include "vsd.h"
#include "vsi.h"

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

/* The frame came in for a VSI whose VSD this box does not master. */
static __always_inline int nsrp_send_to_peer(struct xdp_md *ctx, const struct ethhdr *eth, nsrp_u32 vid)
{
	const struct nsrp_data_link *link = nsrp_the_data_link();
	struct nsrp_vlan_frame *frame;

	if (!link || !link->ifindex)
		return nsrp_drop(NSRP_CNT_rx_drop_no_data_link);
	if (!link->data_forwarding)
		return nsrp_drop(NSRP_CNT_rx_drop_forwarding_off);
	/* With generic XDP a packet from the data link meets us again on its VSI's interface. If mastership
	   was lost in between, it must not go back. */
	if (nsrp_same_mac(eth->h_source, link->peer_mac))
		return nsrp_drop(NSRP_CNT_dl_drop_not_master);
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
	nsrp_count(NSRP_CNT_rx_to_peer);
	return XDP_REDIRECT;
}

/* Whether a tagged frame to our HA interface may enter: the VSI it is for, or 0 and it has been counted. */
static __always_inline const struct nsrp_vsi *nsrp_accept_from_peer(const nsrp_u8 *source, nsrp_u32 vid)
{
	const struct nsrp_data_link *link = nsrp_the_data_link();
	const struct nsrp_vsi *vsi;

	if (!link || !nsrp_same_mac(source, link->peer_mac)) {
		nsrp_count(NSRP_CNT_dl_drop_bad_peer);
		return 0;
	}
	vsi = nsrp_vsi_of_vid(vid & NSRP_VID_MASK);
	if (!vsi) {
		nsrp_count(NSRP_CNT_dl_drop_unknown_vid);
		return 0;
	}
	if (!nsrp_masters(vsi->vsd)) {
		nsrp_count(NSRP_CNT_dl_drop_not_master);
		return 0;
	}
	return vsi;
}

#endif
