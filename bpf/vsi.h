/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which VSI a MAC, a VID, an address or a VSD names on an interface. */
#ifndef NSRP_BPF_VSI_H
#define NSRP_BPF_VSI_H

#include "maps.h"
#include "parse.h"

static __always_inline const struct nsrp_vsi *nsrp_vsi_of_mac(nsrp_u32 ifindex, const nsrp_u8 *mac)
{
	struct nsrp_mac_key key = {.ifindex = ifindex};

	/* Virtual MACs are unicast and locally administered: most frames need no look-up. */
	if ((mac[0] & 3) != 2)
		return 0;
	nsrp_copy_mac(key.mac, mac);
	return bpf_map_lookup_elem(&vsi_by_mac, &key);
}

static __always_inline const struct nsrp_vsi *nsrp_vsi_of_vid(nsrp_u32 vid)
{
	return bpf_map_lookup_elem(&vsi_by_vid, &vid);
}

static __always_inline const struct nsrp_vsi *nsrp_vsi_of_vsd(nsrp_u32 ifindex, nsrp_u32 vsd)
{
	struct nsrp_vsd_key key = {.ifindex = ifindex, .vsd = vsd};

	return bpf_map_lookup_elem(&vsi_by_vsd, &key);
}

/* The keys of these two are not to stand on the caller's stack: nsrp_tc_out needs all there is for what it
 * calls. */
static __noinline __attribute__((unused)) const struct nsrp_addr *nsrp_addr4(nsrp_u32 ifindex, __be32 addr)
{
	struct nsrp_addr_key key = {.ifindex = ifindex, .family = NSRP_IPV4};

	*(__be32 *)key.addr = addr;
	return bpf_map_lookup_elem(&addr_table, &key);
}

static __noinline __attribute__((unused)) const struct nsrp_addr *nsrp_addr6(nsrp_u32 ifindex,
									     const void *addr)
{
	struct nsrp_addr_key key = {.ifindex = ifindex, .family = NSRP_IPV6};

	nsrp_copy_ip6(key.addr, addr);
	return bpf_map_lookup_elem(&addr_table, &key);
}

/* The VSI an address belongs to, or 0 when it is no VSI's address. */
static __always_inline const struct nsrp_vsi *nsrp_vsi_of_addr(const struct nsrp_addr *addr)
{
	if (!addr || addr->kind != NSRP_ADDR_VSI)
		return 0;
	return nsrp_vsi_of_vid(addr->vid);
}

static __always_inline const struct nsrp_if_config *nsrp_config_of(nsrp_u32 ifindex)
{
	return bpf_map_lookup_elem(&if_config, &ifindex);
}

/* The interface's own MAC; group addresses are not asked for. */
static __always_inline int nsrp_is_own_mac(nsrp_u32 ifindex, const nsrp_u8 *mac)
{
	const struct nsrp_if_config *config;

	if (mac[0] & 1)
		return 0;
	config = nsrp_config_of(ifindex);
	return config && nsrp_same_mac(config->mac, mac);
}

#endif
