/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The maps every object shares. User space pins them by name (userspace/kernel/pins.cc) and hands the same
 * map to each object, so a name means one map on the whole box.
 */
#ifndef NSRP_BPF_MAPS_H
#define NSRP_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "nsrp/abi/nsrp_abi.h"

/* Mapped into the daemon: a renewal is a store, not a system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NSRP_MAX_VSDS);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_vsd_state);
} vsd_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_VSIS);
	__type(key, struct nsrp_mac_key);
	__type(value, struct nsrp_vsi);
} vsi_by_mac SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_VSIS);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_vsi);
} vsi_by_vid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_VSIS + NSRP_MAX_VSDS + NSRP_MAX_INTERFACES);
	__type(key, struct nsrp_vsd_key);
	__type(value, struct nsrp_vsi);
} vsi_by_vsd SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_VSI_ADDRS);
	__type(key, struct nsrp_addr_key);
	__type(value, struct nsrp_addr);
} addr_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_INTERFACES);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_if_config);
} if_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NSRP_MAX_ROUTES);
	__type(key, struct nsrp_route_key);
	__type(value, struct nsrp_route);
} vsd_routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NSRP_MAX_FRAGMENTS);
	__type(key, struct nsrp_fragment_key);
	__type(value, struct nsrp_fragment);
} fragments SEC(".maps");

/* How many entries these two and fast_flows really have is said when they are made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_DEFAULT_MAX_SESSIONS);
	__type(key, struct nsrp_tuple);
	__type(value, struct nsrp_session);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_DEFAULT_MAX_SESSIONS);
	__type(key, struct nsrp_tuple);
	__type(value, struct nsrp_tuple);
} reply_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NSRP_QUIET_FLOWS);
	__type(key, nsrp_u32);
	__type(value, nsrp_u64);
} quiet_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_fast_config);
} fast_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, nsrp_u32);
	__type(value, nsrp_u64);
} fast_permit SEC(".maps");

/* Two for each session, of which only busy ones need any: memory is taken as they come. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * NSRP_DEFAULT_MAX_SESSIONS);
	__type(key, struct nsrp_tuple);
	__type(value, struct nsrp_fast_flow);
} fast_flows SEC(".maps");

/* Interfaces that XDP can send to, by ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, NSRP_MAX_INTERFACES);
	__type(key, nsrp_u32);
	__type(value, nsrp_u32);
} fast_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSRP_MAX_INTERFACES);
	__type(key, struct nsrp_vlan_key);
	__type(value, nsrp_u32);
} vlan_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, nsrp_u32);
	__type(value, struct nsrp_data_link);
} data_link SEC(".maps");

/* Key 0: the data link. A redirect through a devmap is sent in bulk, a plain one frame by frame. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, nsrp_u32);
	__type(value, nsrp_u32);
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NSRP_CNT_MAX);
	__type(key, nsrp_u32);
	__type(value, nsrp_u64);
} counters SEC(".maps");

#endif
