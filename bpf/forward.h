/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which way out? The kernel's FIB decides on a flow's first packet and after route changes; the flow caches it. */
#ifndef WEIR_FORWARD_H
#define WEIR_FORWARD_H

#include "bpf/config.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

/* The including program has defined `context` and its functions: bpf/xdp_context.h or bpf/tc_context.h. */

/* Linux >= 6.7; Debian 12's headers do not know it yet. */
#define WEIR_FIB_LOOKUP_SOURCE (1U << 4)

enum next_hop_state {
    NEXT_HOP_READY,      /* device and addresses known */
    NEXT_HOP_UNRESOLVED, /* device known, neighbour not: tc can have the kernel resolve it */
    NEXT_HOP_LOCAL,      /* an address of this node, or nothing that is forwarded: the host stack's business */
    NEXT_HOP_TOO_BIG,
    NEXT_HOP_NONE, /* unreachable, blackhole, prohibited, or forwarding is off */
};

struct next_hop {
    struct address source; /* the one that the route, or else the device, prefers; zero: none */
    __u32 state;           /* enum next_hop_state */
    __u32 ifindex;
    __u32 device_flags; /* enum device_flags */
    __u8 destination_mac[6];
    __u8 source_mac[6];
};

#define AF_INET  2
#define AF_INET6 10

/* tuple: the packet as it will be after the rewrite. */
static __noinline int next_hop_find(context *ctx, __u8 family, const struct flow6_key *tuple, struct next_hop *hop)
{
    struct bpf_fib_lookup fib = {
        .l4_protocol = tuple->protocol,
        .sport = tuple->source_port_be,
        .dport = tuple->destination_port_be,
        .ifindex = context_ifindex(ctx),
    };
    __u32 flags = config.fib_source ? WEIR_FIB_LOOKUP_SOURCE : 0;

    if (family == FAMILY_IPV4) {
        fib.family = AF_INET;
        fib.ipv4_src = tuple->source.words_be[3];
        fib.ipv4_dst = tuple->destination.words_be[3];
    } else {
        fib.family = AF_INET6;
        __builtin_memcpy(fib.ipv6_src, &tuple->source, sizeof(fib.ipv6_src));
        __builtin_memcpy(fib.ipv6_dst, &tuple->destination, sizeof(fib.ipv6_dst));
    }

    __builtin_memset(hop, 0, sizeof(*hop));
    switch (bpf_fib_lookup(ctx, &fib, sizeof(fib), flags)) {
    case BPF_FIB_LKUP_RET_SUCCESS:
        hop->state = NEXT_HOP_READY;
        __builtin_memcpy(hop->destination_mac, fib.dmac, sizeof(hop->destination_mac));
        __builtin_memcpy(hop->source_mac, fib.smac, sizeof(hop->source_mac));
        break;
    case BPF_FIB_LKUP_RET_NO_NEIGH:
        hop->state = NEXT_HOP_UNRESOLVED;
        break;
    case BPF_FIB_LKUP_RET_NOT_FWDED:
        hop->state = NEXT_HOP_LOCAL;
        return 0;
    case BPF_FIB_LKUP_RET_FRAG_NEEDED:
        hop->state = NEXT_HOP_TOO_BIG;
        return 0;
    default:
        hop->state = NEXT_HOP_NONE;
        return 0;
    }
    hop->ifindex = fib.ifindex;

    struct device *device = bpf_map_lookup_elem(&devices, &hop->ifindex);
    if (device)
        hop->device_flags = device->flags;
    if (family == FAMILY_IPV4) {
        hop->source.words_be[2] = bpf_htonl(0xffff);
        hop->source.words_be[3] = config.fib_source ? fib.ipv4_src : 0;
        if (!hop->source.words_be[3] && device)
            hop->source.words_be[3] = device->source4_be;
        if (!hop->source.words_be[3])
            hop->source.words_be[2] = 0;
    } else if (config.fib_source) {
        __builtin_memcpy(&hop->source, fib.ipv6_src, sizeof(hop->source));
    } else if (device) {
        hop->source = device->source6;
    }
    return 0;
}

static __always_inline __u32 route_generation(void)
{
    __u32 key = 0;
    struct runtime *now = bpf_map_lookup_elem(&runtime, &key);

    return now ? now->route_generation : 0;
}

static __always_inline void next_hop_cache(struct flow *f, const struct next_hop *hop, __u32 generation)
{
    /* Another CPU may forward by this entry meanwhile: the generation makes it valid last. */
    f->ifindex = hop->ifindex;
    __builtin_memcpy(f->destination_mac, hop->destination_mac, sizeof(f->destination_mac));
    __builtin_memcpy(f->source_mac, hop->source_mac, sizeof(f->source_mac));
    if (hop->device_flags & DEVICE_XDP_XMIT)
        __sync_fetch_and_and(&f->flags, ~FLOW_NO_XDP);
    else
        __sync_fetch_and_or(&f->flags, FLOW_NO_XDP);
    f->route_generation = generation;
}

/* The cached next hop is stale: looks it up again. Answers UNDECIDED when the flow can go on by it. */
static __noinline int next_hop_refresh(context *ctx, struct packet *p, __u8 family, struct flow *f, __u32 generation)
{
    struct flow6_key tuple;
    struct next_hop hop;

    __builtin_memset(&tuple, 0, sizeof(tuple));
    if (family == FAMILY_IPV4) {
        tuple.source.words_be[3] = ((struct flow4 *)f)->source_be;
        tuple.destination.words_be[3] = ((struct flow4 *)f)->destination_be;
    } else {
        tuple.source = ((struct flow6 *)f)->source;
        tuple.destination = ((struct flow6 *)f)->destination;
    }
    tuple.source_port_be = f->source_port_be;
    tuple.destination_port_be = f->destination_port_be;
    tuple.protocol = p->protocol;

    next_hop_find(ctx, family, &tuple, &hop);
    switch (hop.state) {
    case NEXT_HOP_READY:
        next_hop_cache(f, &hop, generation);
        return UNDECIDED;
    case NEXT_HOP_UNRESOLVED:
        if (!CONTEXT_HAS_SKB)
            return VERDICT_PASS_TO_TC;
        p->to_neighbour = 1;
        p->out_ifindex = hop.ifindex;
        return UNDECIDED;
    case NEXT_HOP_TOO_BIG:
        return VERDICT_DROP_TOO_BIG;
    default:
        return VERDICT_DROP_NO_ROUTE;
    }
}

#endif
