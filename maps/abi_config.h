/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the shared ABI (maps/abi.h, which includes it at its end): configuration that is fixed at load, in .rodata of
 * every program.
 */
#ifndef WEIR_MAPS_ABI_CONFIG_H
#define WEIR_MAPS_ABI_CONFIG_H

#ifdef __cplusplus
namespace weir::abi {
#endif

/* One range of addresses: those whose bits under the mask are the base's. An all-zero mask: no range. */
struct address_range {
    struct address base;
    struct address mask;
};

struct datapath_config {
    __u32 seed;          /* of the choice of backends; the same on every node of a cluster */
    __u16 snat_port_min; /* inclusive */
    __u16 snat_port_max; /* inclusive */
    /* timeouts, in ticks */
    __u32 timeout_unassured_tcp;
    __u32 timeout_unassured_udp;
    __u32 timeout_tcp;
    __u32 timeout_closing;
    __u32 timeout_udp;
    __u32 fib_source; /* 1: bpf_fib_lookup tells the preferred source (BPF_FIB_LOOKUP_SRC, Linux >= 6.7) */
    struct address_range service_ranges[2]; /* one of each family at most */
    __u64 netns_cookie;    /* of the node: sockets elsewhere are pods' and left to tc; 0: every socket is translated */
    __u32 unassured_pairs; /* elements of the map `unassured`: a power of two */
    __u32 pad;
    /* CLOCK_MONOTONIC in ns is jiffies * jiffy_ns + jiffy_offset_ns; jiffy_ns 0: not known, ask the clock */
    __u64 jiffy_ns;
    __u64 jiffy_offset_ns;
};
WEIR_STATIC_ASSERT(sizeof(struct datapath_config) == 128, "datapath_config");

#ifdef __cplusplus
}
#endif

#endif
