/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads what the agent says about this node (map `runtime`). */
#ifndef WEIR_NODE_H
#define WEIR_NODE_H

#include "bpf/address.h"
#include "maps/maps.bpf.h"

static __always_inline struct runtime *runtime_now(void)
{
    __u32 key = 0;

    return bpf_map_lookup_elem(&runtime, &key);
}

static __always_inline __u32 route_generation(void)
{
    struct runtime *now = runtime_now();

    return now ? now->route_generation : 0;
}

/* Finds the node's own address of a family. Returns 0 if the node has none; the address is all zero then. */
static __always_inline int node_address(__u8 family, struct address *address)
{
    struct runtime *now = runtime_now();

    __builtin_memset(address, 0, sizeof(*address));
    if (!now)
        return 0;
    if (family == FAMILY_IPV6)
        *address = now->node6;
    else if (now->node4_be)
        *address = mapped_address(now->node4_be);
    return !is_unset(address);
}

#endif
