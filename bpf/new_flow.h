/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Holds a flow while it is being made, and writes both directions of its pair. */
#ifndef WEIR_NEW_FLOW_H
#define WEIR_NEW_FLOW_H

#include "bpf/checksum.h"
#include "bpf/forward.h"
#include "bpf/service.h"
#include "bpf/unassured.h"
#include "bpf/way.h"

/* The flows that hold candidates for the source port and would give one up (bpf/claim.h). */
struct yielders {
    __u32 count;      /* candidates that unassured pairs hold */
    __u32 oldest_age; /* of the oldest of these pairs */
    __u32 oldest_sequence;
    /* Ticks since the last packet of the closed connection that is closed longest; 0: none is closed long enough. */
    __u32 closed_age;
    __be16 oldest_port_be;
    __be16 closed_port_be;
};

/* A flow that is being made. `from` and `to` are its tuples before and after the forward rewrite. */
struct new_flow {
    struct flow6_key from; /* client -> frontend */
    struct flow6_key to;   /* new source -> backend */
    __u64 hash;            /* of `from` */
    struct choice choice;
    enum flow_way way;
    __u32 sequence;      /* of its pair */
    struct next_hop hop; /* of the forward direction */
    struct yielders yielders;
    struct flow6_key reply; /* backend -> new source: `to`, turned around */
    __u64 reply_hash;
    struct flow6_key back; /* frontend -> client: `from`, turned around */
};

/*
 * A chain of calls has 512 bytes of stack, and a new flow's tuples take most of that. One CPU makes one flow at a time:
 * XDP and tc programs run with bottom halves off.
 */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct new_flow);
} new_flow_space SEC(".maps");

static __always_inline struct new_flow *new_flow_now(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&new_flow_space, &zero);
}

/* Writes one direction. Its packets leave as `to`. */
static __always_inline void flow_write(__u8 family, struct flow6 *value, const struct flow6_key *to,
                                       __u16 address_delta, __u32 flags, __u32 backend_id, __u32 now)
{
    struct flow *f = &value->flow;

    f->source_port_be = to->source_port_be;
    f->destination_port_be = to->destination_port_be;
    f->address_delta = address_delta;
    f->mtu = 0;
    f->flags = flags;
    f->last_seen = now;
    f->route_generation = 0;
    f->ifindex = 0;
    __builtin_memset(f->destination_mac, 0, sizeof(f->destination_mac) + sizeof(f->source_mac));
    f->backend_id = backend_id;
    f->packets = 0;
    f->octets = 0;
    if (family == FAMILY_IPV4) {
        ((struct flow4 *)value)->source_be = to->source.words_be[3];
        ((struct flow4 *)value)->destination_be = to->destination.words_be[3];
    } else {
        value->source = to->source;
        value->destination = to->destination;
    }
}

/* Writes both directions. What one adds to a checksum, the other takes away. */
static __always_inline void pair_write(__u8 family, struct flow_pair *pair, const struct new_flow *flow)
{
    const struct flow6_key *from = &flow->from, *to = &flow->to;
    __u32 now = now_ticks(), id = flow->choice.backend_id;

    __u64 sum = csum_difference(0, &from->source, &to->source);
    __u16 addresses = csum_fold(csum_difference(sum, &from->destination, &to->destination));
    __u32 affinity = flow->choice.by_affinity ? FLOW_AFFINITY : 0;
    flow_write(family, &pair->forward, to, addresses, way_flags(flow->way, affinity), id, now);
    flow_write(family, &pair->reply, &flow->back, ~addresses, way_flags(flow->way, FLOW_REPLY), id, now);
    pair->protocol = from->protocol;
    pair->reply_syn = 0;
    pair->reply_sequence = 0;
    pair->made = now;
    barrier();
    pair->family = family;
}

#endif
