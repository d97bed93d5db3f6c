/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend? Frontend lookup, scope, slot choice: touched once per flow, one form for both families. */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H

#include "bpf/config.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

enum scope { SCOPE_CLUSTER, SCOPE_EXTERNAL };

static __always_inline __u64 hash_mix(__u64 hash, __u64 word)
{
    /* Multiply and fold the high half down: two rounds of this pass as uniform for slot choice and port choice. */
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ (hash >> 32);
}

/* Over the 5-tuple with the cluster-wide seed: every node gives the same flow the same number. */
static __always_inline __u64 tuple_hash(const struct flow6_key *tuple)
{
    __u64 hash = config.seed;

    for (int i = 0; i < 4; i++)
        hash = hash_mix(hash, (__u64)tuple->source.words_be[i] << 32 | tuple->destination.words_be[i]);
    hash =
        hash_mix(hash, (__u64)tuple->source_port_be << 32 | (__u64)tuple->destination_port_be << 8 | tuple->protocol);
    return hash_mix(hash, hash >> 29);
}

static __always_inline struct frontend *frontend_find(const struct flow6_key *tuple)
{
    struct frontend_key key = {
        .address = tuple->destination,
        .port_be = tuple->destination_port_be,
        .protocol = tuple->protocol,
    };
    return bpf_map_lookup_elem(&frontends, &key);
}

/* Decides for the packet's scope, and chooses a slot's backend. Answers UNDECIDED with *backend and *id set. */
static __always_inline int backend_choose(const struct frontend *fe, enum scope scope, __u64 hash,
                                          struct backend **backend, __u32 *id)
{
    const struct slot_range *range = scope == SCOPE_CLUSTER ? &fe->cluster : &fe->external;
    __u8 action = scope == SCOPE_CLUSTER ? fe->cluster_action : fe->external_action;

    switch (action) {
    case SCOPE_BALANCE:
        break;
    case SCOPE_NO_LOCAL:
        return VERDICT_DROP_NO_LOCAL_BACKEND;
    case SCOPE_CLOSED:
        return VERDICT_DROP_CLOSED_FRONTEND;
    default:
        return VERDICT_DROP_NO_BACKEND;
    }

    __u32 slot = range->offset + (__u32)(((hash >> 32) * range->length) >> 32);
    __u32 line_index = slot / SLOTS_PER_LINE;
    struct slot_line *line = bpf_map_lookup_elem(&slots, &line_index);
    if (!line)
        return VERDICT_DROP_STALE_BACKEND;
    *id = line->backend_id[slot % SLOTS_PER_LINE];
    *backend = bpf_map_lookup_elem(&backends, id);
    if (!*backend || !((*backend)->flags & BACKEND_IN_USE))
        return VERDICT_DROP_STALE_BACKEND;
    return UNDECIDED;
}

#endif
