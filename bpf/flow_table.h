/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads and writes the tables of assured flows. Each family has one for TCP, whose flows are proven, and one for UDP
 * and SCTP, where spoofed packets may make a stream: so no flood of those evicts a TCP connection. This file alone
 * chooses among the tables. Slow paths carry a flow of either family as struct flow6_key and struct flow6, with mapped
 * IPv4 addresses.
 *
 * The family is an argument, not a field of struct packet. The verifier has to know which table an entry came from, and
 * it remembers a constant in a register, but up to Linux 6.7 not one octet of a struct on the stack.
 */
#ifndef WEIR_FLOW_TABLE_H
#define WEIR_FLOW_TABLE_H

#include "bpf/config.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

#define EEXIST 17

/*
 * Makes a call of its own for each table, and the barrier behind one keeps them apart: clang would merge two into one
 * call with either map in a register, which the kernel cannot inline.
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
 * Inserts f, which has the layout of its family. Returns 0 or a negative error. The result is an int because up to
 * Linux 6.3 map operations returned int and the verifier calls them directly: the upper half of the register is not the
 * sign's, and a comparison of 64 bits would miss every error.
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

/* Returns whether there was an entry to delete. */
static __always_inline int assured_delete(__u8 family, const struct flow6_key *tuple)
{
    int is_tcp = tuple->protocol == IPPROTO_TCP;

    if (family == FAMILY_IPV4) {
        struct flow4_key key = key4_of(tuple);
        return !(is_tcp ? bpf_map_delete_elem(&flows4, &key) : bpf_map_delete_elem(&flows4_udp, &key));
    }
    return !(is_tcp ? bpf_map_delete_elem(&flows6, tuple) : bpf_map_delete_elem(&flows6_udp, tuple));
}

/* Writes the tuple under which the other direction of a flow is found: the rewritten one, turned around. */
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

/* Is this the tuple of the flow's other direction? The caller compares the protocol. */
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
