/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the ports of a fragment. Only the first fragment of a datagram has them, and leaves them here for the others.
 * One that overtakes the first is passed untouched, and its datagram is lost: we hold no packet back.
 */
#ifndef WEIR_FRAGMENT_H
#define WEIR_FRAGMENT_H

#include "bpf/packet.h"
#include "maps/maps.bpf.h"

static __always_inline void fragment_key_of(const struct packet *p, __u8 family, const struct flow6_key *tuple,
                                            struct fragment_key *key)
{
    __builtin_memset(key, 0, sizeof(*key));
    key->source = tuple->source;
    key->destination = tuple->destination;
    key->id_be = p->fragment_id_be;
    /* RFC 791 tells datagrams apart by protocol too, RFC 8200 does not. */
    if (family == FAMILY_IPV4)
        key->protocol = p->protocol;
}

/* Remembers the ports of a first fragment. The caller does so for translated ones only, so that no refused packet takes
 * an entry. */
static __noinline int fragment_remember(const struct packet *p, __u8 family)
{
    struct fragment_key key;
    struct flow6_key tuple;

    tuple_of(p, family, &tuple);
    fragment_key_of(p, family, &tuple, &key);
    struct fragment ports = {
        .source_port_be = tuple.source_port_be,
        .destination_port_be = tuple.destination_port_be,
        .protocol = p->protocol,
    };
    return bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
}

/* Completes the 5-tuple of a later fragment. Returns UNDECIDED when the packet has one. */
static __noinline int fragment_ports(struct packet *p, __u8 family)
{
    struct fragment_key key;
    struct flow6_key tuple;

    if (p->kind == PACKET_FIRST_FRAGMENT)
        return UNDECIDED;
    tuple_of(p, family, &tuple);
    fragment_key_of(p, family, &tuple, &key);
    struct fragment *ports = bpf_map_lookup_elem(&fragments, &key);
    if (!ports)
        return VERDICT_PASS_FRAGMENT;
    p->protocol = ports->protocol;
    if (family == FAMILY_IPV4) {
        p->key.v4.source_port_be = ports->source_port_be;
        p->key.v4.destination_port_be = ports->destination_port_be;
    } else {
        p->key.v6.protocol = ports->protocol;
        p->key.v6.source_port_be = ports->source_port_be;
        p->key.v6.destination_port_be = ports->destination_port_be;
    }
    return UNDECIDED;
}

#endif
