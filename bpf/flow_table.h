/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The leaves of the tables of assured flows. There is one per family for TCP, whose flows are proven, and one for UDP
 * and SCTP, where spoofed packets may make a stream: no flood of those evicts a connection of TCP. Which one it is, is
 * chosen here and nowhere above. Slow paths carry a flow as (struct flow6_key, struct flow6) with mapped IPv4
 * addresses, whatever its family.
 *
 * The family is an argument, not a field of struct packet: the verifier remembers a constant in a register, but (up to
 * Linux 6.7) not one byte of a struct on the stack, and it has to know which table an entry came from.
 */
#ifndef WEIR_FLOW_TABLE_H
#define WEIR_FLOW_TABLE_H

#include "bpf/config.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

#define EEXIST 17

/*
 * A call for each table, kept apart by what follows one of them: were clang to make one call of two with either map in
 * a register, the kernel could not inline the lookup.
 */
static __always_inline struct flow *assured_lookup(__u8 family, __u8 protocol, const void *key)
{
    struct flow *f;

    if (protocol == IPPROTO_TCP) {
        f = family == FAMILY_IPV4 ? bpf_map_lookup_elem(&flows4, key) : bpf_map_lookup_elem(&flows6, key);
        barrier_var(f);
        return f;
    }
    return family == FAMILY_IPV4 ? bpf_map_lookup_elem(&flows4_udp, key) : bpf_map_lookup_elem(&flows6_udp, key);
}

static __always_inline struct flow *assured_of_packet(const struct packet *p, __u8 family)
{
    return assured_lookup(family, p->protocol, &p->key);
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

static __always_inline struct flow *assured_find(__u8 family, const struct flow6_key *tuple)
{
    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return assured_lookup(family, tuple->protocol, &key);
    }
    return assured_lookup(family, tuple->protocol, tuple);
}

/*
 * f has the layout of its family. int: up to Linux 6.3 the upper half of what an update gives back is not the sign's
 * (map operations returned int, and calls to them are direct), so a comparison of 64 bits misses every error.
 */
static __always_inline int assured_insert(__u8 family, const struct flow6_key *tuple, const struct flow6 *f, __u64 mode)
{
    int is_tcp = tuple->protocol == IPPROTO_TCP;

    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return is_tcp ? bpf_map_update_elem(&flows4, &key, f, mode) : bpf_map_update_elem(&flows4_udp, &key, f, mode);
    }
    return is_tcp ? bpf_map_update_elem(&flows6, tuple, f, mode) : bpf_map_update_elem(&flows6_udp, tuple, f, mode);
}

/* Answers whether there was one. */
static __always_inline int assured_delete(__u8 family, const struct flow6_key *tuple)
{
    int is_tcp = tuple->protocol == IPPROTO_TCP;

    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return !(is_tcp ? bpf_map_delete_elem(&flows4, &key) : bpf_map_delete_elem(&flows4_udp, &key));
    }
    return !(is_tcp ? bpf_map_delete_elem(&flows6, tuple) : bpf_map_delete_elem(&flows6_udp, tuple));
}

/* The tuple under which the other direction of a flow is found: the rewritten one, turned around. */
static __always_inline void flow_peer_tuple(__u8 family, __u8 protocol, const struct flow *f, struct flow6_key *tuple)
{
    __builtin_memset(tuple, 0, sizeof(*tuple));
    if (family == FAMILY_IPV4) {
        const struct flow4 *f4 = (const struct flow4 *)f;
        tuple->source = mapped_address(f4->destination_be);
        tuple->destination = mapped_address(f4->source_be);
    } else {
        const struct flow6 *f6 = (const struct flow6 *)f;
        tuple->source = f6->destination;
        tuple->destination = f6->source;
    }
    tuple->source_port_be = f->destination_port_be;
    tuple->destination_port_be = f->source_port_be;
    tuple->protocol = protocol;
}

/* Is the tuple the other direction of this flow? The protocol is the caller's to compare. */
static __always_inline int is_peer_tuple(__u8 family, const struct flow *f, const struct flow6_key *tuple)
{
    if (f->destination_port_be != tuple->source_port_be || f->source_port_be != tuple->destination_port_be)
        return 0;
    if (family == FAMILY_IPV4) {
        const struct flow4 *f4 = (const struct flow4 *)f;
        return f4->destination_be == tuple->source.words_be[3] && f4->source_be == tuple->destination.words_be[3];
    }
    const struct flow6 *f6 = (const struct flow6 *)f;
    return same_address(&f6->destination, &tuple->source) && same_address(&f6->source, &tuple->destination);
}

#endif
