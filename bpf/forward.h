/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds the next hop of a flow. The kernel's FIB decides on the first packet and after route changes; the flow caches
 * it. */
#ifndef WEIR_FORWARD_H
#define WEIR_FORWARD_H

#include "bpf/config.h"
#include "bpf/node.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

/* The including program has defined `context` and its functions: bpf/xdp_context.h or bpf/tc_context.h. */

/* Known since Linux 6.7, but not to the headers of Debian 12 (6.1). */
#define WEIR_FIB_LOOKUP_SOURCE (1U << 4)
#define WEIR_FIB_NO_SOURCE     9

enum next_hop_state {
    NEXT_HOP_READY,      /* device and addresses known */
    NEXT_HOP_UNRESOLVED, /* device known, neighbour not: tc can have the kernel resolve it */
    NEXT_HOP_LOCAL,      /* an address of this node, or nothing that is forwarded: the host stack's business */
    NEXT_HOP_NONE,       /* unreachable, blackhole, prohibited, or forwarding is off */
};

struct next_hop {
    struct address source; /* the one that the route, or else the device, prefers; zero: none */
    __u32 state;           /* enum next_hop_state */
    __u32 ifindex;
    __u32 device_flags; /* enum device_flags */
    __u32 mtu;          /* octets from L3 on; 0: not known */
    __u8 destination_mac[6];
    __u8 source_mac[6];
};

#define AF_INET  2
#define AF_INET6 10

static __always_inline long fib_lookup(context *ctx, __u8 family, const struct flow6_key *tuple, __u32 flags,
                                       struct bpf_fib_lookup *fib)
{
    __builtin_memset(fib, 0, sizeof(*fib));
    fib->l4_protocol = tuple->protocol;
    fib->sport = tuple->source_port_be;
    fib->dport = tuple->destination_port_be;
    fib->ifindex = context_ifindex(ctx);
    /* With the least length, in place of the packet's, the kernel always finds the route and tells its MTU. */
    fib->tot_len = 1;
    if (family == FAMILY_IPV4) {
        fib->family = AF_INET;
        fib->ipv4_src = tuple->source.words_be[3];
        fib->ipv4_dst = tuple->destination.words_be[3];
    } else {
        fib->family = AF_INET6;
        __builtin_memcpy(fib->ipv6_src, &tuple->source, sizeof(fib->ipv6_src));
        __builtin_memcpy(fib->ipv6_dst, &tuple->destination, sizeof(fib->ipv6_dst));
    }
    return bpf_fib_lookup(ctx, fib, sizeof(*fib), flags);
}

/*
 * Asks the kernel for the next hop of a packet. tuple: the packet's after the rewrite.
 *
 * Global, as the other slow steps are: the verifier looks at such a function once, not once for each call of it.
 */
__noinline int next_hop_find(context *ctx, __u32 family, const struct flow6_key *tuple, struct next_hop *hop)
{
    struct bpf_fib_lookup fib;
    int told_source = config.fib_source;

    if (!tuple || !hop)
        return -1;
    long result = fib_lookup(ctx, family, tuple, told_source ? WEIR_FIB_LOOKUP_SOURCE : 0, &fib);

    if (result == WEIR_FIB_NO_SOURCE) {
        told_source = 0;
        result = fib_lookup(ctx, family, tuple, 0, &fib);
    }
    __builtin_memset(hop, 0, sizeof(*hop));
    switch (result) {
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
    default:
        hop->state = NEXT_HOP_NONE;
        return 0;
    }
    hop->ifindex = fib.ifindex;
    /* The MTU comes back in place of tot_len; without one our 1 is still there. */
    if (fib.mtu_result > 1)
        hop->mtu = fib.mtu_result;

    __u32 ifindex = fib.ifindex;
    struct device *device = bpf_map_lookup_elem(&devices, &ifindex);
    if (device)
        hop->device_flags = device->flags;
    if (family == FAMILY_IPV4) {
        __be32 source = told_source ? fib.ipv4_src : device ? device->source4_be : 0;
        if (source)
            hop->source = mapped_address(source);
    } else if (told_source) {
        __builtin_memcpy(&hop->source, fib.ipv6_src, sizeof(hop->source));
    } else if (device) {
        hop->source = device->source6;
    }
    return 0;
}

static __always_inline void next_hop_cache(struct flow *f, const struct next_hop *hop, __u32 generation)
{
    /* Another CPU may forward by this entry meanwhile, so the generation that makes it valid is written last. */
    f->ifindex = hop->ifindex;
    __builtin_memcpy(f->destination_mac, hop->destination_mac, sizeof(f->destination_mac));
    __builtin_memcpy(f->source_mac, hop->source_mac, sizeof(f->source_mac));
    if (hop->device_flags & DEVICE_XDP_XMIT)
        __sync_fetch_and_and(&f->flags, ~FLOW_NO_XDP);
    else
        __sync_fetch_and_or(&f->flags, FLOW_NO_XDP);
    f->mtu = hop->mtu > 0xffff ? 0 : hop->mtu;
    f->route_generation = generation;
}

/* Lies in a map, because the whole call chain has 512 bytes of stack. */
struct next_hop_query {
    struct flow6_key tuple;
    struct next_hop hop;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct next_hop_query);
} next_hop_space SEC(".maps");

/* Looks the next hop up again, because the cached one is stale. Returns UNDECIDED when the flow can go on by it. */
static __noinline int next_hop_refresh(context *ctx, const struct packet *p, struct decision *d, __u8 family,
                                       struct flow *f)
{
    __u32 zero = 0;
    /* Read before the route is: if that changes meanwhile, the next packet finds what is cached here stale. */
    __u32 generation = route_generation();
    struct next_hop_query *query = bpf_map_lookup_elem(&next_hop_space, &zero);

    if (!query)
        return VERDICT_DROP_NO_ROUTE;
    __builtin_memset(query, 0, sizeof(*query));
    if (family == FAMILY_IPV4) {
        query->tuple.source.words_be[3] = ((struct flow4 *)f)->source_be;
        query->tuple.destination.words_be[3] = ((struct flow4 *)f)->destination_be;
    } else {
        query->tuple.source = ((struct flow6 *)f)->source;
        query->tuple.destination = ((struct flow6 *)f)->destination;
    }
    query->tuple.source_port_be = f->source_port_be;
    query->tuple.destination_port_be = f->destination_port_be;
    query->tuple.protocol = p->protocol;

    next_hop_find(ctx, family, &query->tuple, &query->hop);
    switch (query->hop.state) {
    case NEXT_HOP_READY:
        next_hop_cache(f, &query->hop, generation);
        return UNDECIDED;
    case NEXT_HOP_UNRESOLVED:
        if (!CONTEXT_HAS_SKB)
            return VERDICT_PASS_TO_TC;
        d->to_neighbour = 1;
        d->out_ifindex = query->hop.ifindex;
        return UNDECIDED;
    default:
        return VERDICT_DROP_NO_ROUTE;
    }
}

/*
 * Decides how a packet gets to the flow's next hop. Returns UNDECIDED when it may go; the next hop that f has cached is
 * fresh then, or d->to_neighbour is set.
 */
static __always_inline int next_hop_ready(context *ctx, const struct packet *p, struct decision *d, __u8 family,
                                          struct flow *f)
{
    if (f->route_generation != route_generation()) {
        int verdict = next_hop_refresh(ctx, p, d, family, f);
        if (verdict != UNDECIDED)
            return verdict;
    }
    if (!CONTEXT_HAS_SKB && f->flags & FLOW_NO_XDP)
        return VERDICT_PASS_TO_TC;
    if (p->ttl <= 1)
        return VERDICT_ANSWER_TTL;
    __u32 mtu = f->mtu;
    /* Without a neighbour nothing was cached: the MTU is still that of the way before. */
    if (mtu && p->end - ETH_HLEN > mtu && !d->to_neighbour && context_segment(ctx, p) > mtu) {
        d->mtu = mtu;
        return VERDICT_ANSWER_TOO_BIG;
    }
    if (!d->to_neighbour)
        d->out_ifindex = f->ifindex;
    return UNDECIDED;
}

#endif
