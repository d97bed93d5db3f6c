/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hashes a tuple. The hash chooses backends and source ports, and finds unassured flows. */
#ifndef WEIR_HASH_H
#define WEIR_HASH_H

#include "bpf/config.h"
#include "bpf/packet.h"

static __always_inline __u64 hash_mix(__u64 hash, __u64 word)
{
    /* Multiply and fold the high half down: two rounds of this pass as uniform for slot choice and port choice. */
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ (hash >> 32);
}

static __always_inline __u64 hash_of_addresses(const struct flow6_key *tuple)
{
    __u64 hash = config.seed;

    for (int i = 0; i < 4; i++)
        hash = hash_mix(hash, (__u64)tuple->source.words_be[i] << 32 | tuple->destination.words_be[i]);
    return hash;
}

static __always_inline __u64 hash_of_ports(__u64 of_addresses, const struct flow6_key *tuple)
{
    __u64 hash = hash_mix(of_addresses, (__u64)tuple->source_port_be << 32 | (__u64)tuple->destination_port_be << 8 |
                                            tuple->protocol);

    return hash_mix(hash, hash >> 29);
}

/* Hashes the 5-tuple with the seed of the cluster: every node gives the same flow the same number. */
static __always_inline __u64 tuple_hash(const struct flow6_key *tuple)
{
    return hash_of_ports(hash_of_addresses(tuple), tuple);
}

static __always_inline __u64 hash_of_packet(const struct packet *p, __u8 family)
{
    struct flow6_key tuple;

    tuple_of(p, family, &tuple);
    return tuple_hash(&tuple);
}

#endif
