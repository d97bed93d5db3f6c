/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow tables' leaves: two tables per family, assured and unassured. The family is chosen here and nowhere above.
 * Slow paths carry a flow as (struct flow6_key, struct flow6) with mapped IPv4 addresses, whatever its family.
 *
 * The family is an argument, not a field of struct packet: the verifier remembers a constant in a register, but (up to
 * Linux 6.7) not one byte of a struct on the stack, and it has to know which table an entry came from.
 */
#ifndef WEIR_FLOW_TABLE_H
#define WEIR_FLOW_TABLE_H

#include "bpf/config.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

enum table { TABLE_ASSURED, TABLE_UNASSURED };

static __always_inline struct flow *flow_find(const struct packet *p, __u8 family, enum table table)
{
    if (family == FAMILY_IPV4)
        return table == TABLE_ASSURED ? bpf_map_lookup_elem(&flows4, &p->key.v4)
                                      : bpf_map_lookup_elem(&flows4_unassured, &p->key.v4);
    return table == TABLE_ASSURED ? bpf_map_lookup_elem(&flows6, &p->key.v6)
                                  : bpf_map_lookup_elem(&flows6_unassured, &p->key.v6);
}

static __always_inline struct flow4_key key4_of(const struct flow6_key *tuple)
{
    struct flow4_key key = {
        .source_be = tuple->source.words_be[3],
        .destination_be = tuple->destination.words_be[3],
        .source_port_be = tuple->source_port_be,
        .destination_port_be = tuple->destination_port_be,
        .protocol = tuple->protocol,
    };
    return key;
}

static __always_inline struct flow *flow_find_tuple(__u8 family, const struct flow6_key *tuple, enum table table)
{
    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return table == TABLE_ASSURED ? bpf_map_lookup_elem(&flows4, &key)
                                      : bpf_map_lookup_elem(&flows4_unassured, &key);
    }
    return table == TABLE_ASSURED ? bpf_map_lookup_elem(&flows6, tuple) : bpf_map_lookup_elem(&flows6_unassured, tuple);
}

static __always_inline long flow_insert_unassured(__u8 family, const struct flow6_key *tuple, const struct flow6 *value,
                                                  __u64 mode)
{
    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        struct flow4 flow = {
            .flow = value->flow,
            .source_be = value->source.words_be[3],
            .destination_be = value->destination.words_be[3],
        };
        return bpf_map_update_elem(&flows4_unassured, &key, &flow, mode);
    }
    return bpf_map_update_elem(&flows6_unassured, tuple, value, mode);
}

static __always_inline int flow_delete_unassured(__u8 family, const struct flow6_key *tuple)
{
    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return !bpf_map_delete_elem(&flows4_unassured, &key);
    }
    return !bpf_map_delete_elem(&flows6_unassured, tuple);
}

/* Answers whether there was one. */
static __always_inline int flow_delete(__u8 family, const struct flow6_key *tuple)
{
    int found = flow_delete_unassured(family, tuple);

    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return !bpf_map_delete_elem(&flows4, &key) || found;
    }
    return !bpf_map_delete_elem(&flows6, tuple) || found;
}

/* The tuple under which the other direction of a flow is found: the rewritten one, turned around. */
static __always_inline void flow_peer_tuple(__u8 family, __u8 protocol, const struct flow *f, struct flow6_key *tuple)
{
    __builtin_memset(tuple, 0, sizeof(*tuple));
    if (family == FAMILY_IPV4) {
        const struct flow4 *f4 = (const struct flow4 *)f;
        tuple->source.words_be[2] = bpf_htonl(0xffff);
        tuple->source.words_be[3] = f4->destination_be;
        tuple->destination.words_be[2] = bpf_htonl(0xffff);
        tuple->destination.words_be[3] = f4->source_be;
    } else {
        const struct flow6 *f6 = (const struct flow6 *)f;
        tuple->source = f6->destination;
        tuple->destination = f6->source;
    }
    tuple->source_port_be = f->destination_port_be;
    tuple->destination_port_be = f->source_port_be;
    tuple->protocol = protocol;
}

/* Moves one entry to the assured table. The copy comes first, so that a packet in between finds one or the other. */
static __always_inline long flow_move_to_assured(__u8 family, const struct flow6_key *tuple, struct flow *f)
{
    long error;

    __sync_fetch_and_or(&f->flags, FLOW_ASSURED);
    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        error = bpf_map_update_elem(&flows4, &key, f, BPF_ANY);
    } else {
        error = bpf_map_update_elem(&flows6, tuple, f, BPF_ANY);
    }
    if (!error)
        flow_delete_unassured(family, tuple);
    return error;
}

static __always_inline struct flow *flow_find_peer(__u8 family, const struct flow6_key *peer)
{
    struct flow *f = flow_find_tuple(family, peer, TABLE_ASSURED);

    return f ? f : flow_find_tuple(family, peer, TABLE_UNASSURED);
}

#endif
