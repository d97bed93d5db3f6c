/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Chooses the backend of a new flow: frontend, scope, source ranges, affinity, slot. One form serves both families. */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H

#include "bpf/config.h"
#include "bpf/hash.h"
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

enum scope { SCOPE_CLUSTER, SCOPE_EXTERNAL };

/* The backend that a new flow gets. */
struct choice {
    struct address address;
    __be16 port_be;
    __u16 by_affinity; /* 1: the client's last backend; 0: that of the hash */
    __u32 backend_id;
    __u32 affinity_service; /* the service port that its client is to stay with; 0: none */
};

static __always_inline int in_service_range(const struct address *address)
{
    for (int r = 0; r < 2; r++) {
        const volatile struct address_range *range = &config.service_ranges[r];
        __be32 outside = 0, mask = 0;
        for (int i = 0; i < 4; i++) {
            mask |= range->mask.words_be[i];
            outside |= (address->words_be[i] ^ range->base.words_be[i]) & range->mask.words_be[i];
        }
        if (mask && !outside)
            return 1;
    }
    return 0;
}

/* Finds the frontend that a packet is for. Returns UNDECIDED with *frontend set. */
static __always_inline int frontend_find(const struct flow6_key *tuple, enum scope scope, struct frontend **frontend)
{
    struct vip *vip = bpf_map_lookup_elem(&vips, &tuple->destination);

    if (!vip)
        return in_service_range(&tuple->destination) ? VERDICT_DROP_SERVICE_RANGE : VERDICT_PASS_NO_FRONTEND;
    struct frontend_key key = {
        .address = tuple->destination,
        .port_be = tuple->destination_port_be,
        .protocol = tuple->protocol,
    };
    *frontend = bpf_map_lookup_elem(&frontends, &key);
    if (*frontend)
        return UNDECIDED;
    if (vip->flags & VIP_OF_NODE)
        return VERDICT_PASS_NO_FRONTEND;
    if (scope == SCOPE_EXTERNAL && vip->flags & VIP_CLOSED_OUTSIDE)
        return VERDICT_DROP_CLOSED_FRONTEND;
    return VERDICT_REJECT_NO_PORT;
}

static __always_inline int source_admitted(const struct frontend *fe, const struct address *source)
{
    struct source_range_key key = {
        .prefix_length = 32 + 128,
        .service_id_be = bpf_htonl(fe->service_id),
        .address = *source,
    };
    return bpf_map_lookup_elem(&source_ranges, &key) != NULL;
}

/* Returns the backend that the client had last, if that is still in the range of this scope. */
static __always_inline struct backend *backend_of_client(const struct frontend *fe, __u8 members,
                                                         const struct address *client, __u32 *id)
{
    struct affinity_key key = {.client = *client, .service_id = fe->service_id};
    struct affinity *last = bpf_map_lookup_elem(&affinity, &key);

    if (!last || is_longer_ago(last->last_new, fe->affinity_ticks))
        return NULL;
    *id = last->backend_id;
    struct backend *backend = bpf_map_lookup_elem(&backends, id);
    if (!backend || backend->service_id != fe->service_id || (backend->flags & members) != members)
        return NULL;
    return backend;
}

/* Remembers that the client stays with the backend. Called once the new flow has been made. */
static __always_inline void backend_remember(const struct choice *choice, const struct address *client)
{
    if (!choice->affinity_service)
        return;
    struct affinity_key key = {.client = *client, .service_id = choice->affinity_service};
    struct affinity now = {.backend_id = choice->backend_id, .last_new = now_ticks()};
    bpf_map_update_elem(&affinity, &key, &now, BPF_ANY);
}

static __always_inline struct backend *backend_of_slot(const struct slot_range *range, __u64 hash, __u32 *id)
{
    __u32 slot = range->offset + (__u32)(((hash >> 32) * range->length) >> 32);
    __u32 line_index = slot / SLOTS_PER_LINE;
    struct slot_line *line = bpf_map_lookup_elem(&slots, &line_index);

    if (!line)
        return NULL;
    *id = line->backend_id[slot % SLOTS_PER_LINE];
    struct backend *backend = bpf_map_lookup_elem(&backends, id);
    return backend && backend->flags & BACKEND_IN_USE ? backend : NULL;
}

/*
 * Chooses the backend for a packet, if its frontend wants the packet. Returns UNDECIDED with choice filled in. Global:
 * the verifier looks at it once, and its stack is free again before the next steps.
 */
__noinline int backend_choose(const struct flow6_key *wanted, __u32 scope, __u64 hash, struct choice *choice)
{
    struct frontend *fe = NULL;
    struct backend *backend = NULL;
    __u32 id = BACKEND_NONE;

    if (!wanted || !choice)
        return VERDICT_DROP_TABLE;
    __builtin_memset(choice, 0, sizeof(*choice));
    /* Linux 6.1 takes no map keys from memory that a global function was given. */
    struct flow6_key tuple = *wanted;
    int verdict = frontend_find(&tuple, scope, &fe);
    if (verdict != UNDECIDED || !fe)
        return verdict;
    if (fe->flags & FRONTEND_SOURCE_RANGES && !source_admitted(fe, &tuple.source))
        return VERDICT_DROP_SOURCE_RANGE;
    switch (scope == SCOPE_CLUSTER ? fe->cluster_action : fe->external_action) {
    case SCOPE_BALANCE:
        break;
    case SCOPE_NO_LOCAL:
        return VERDICT_DROP_NO_LOCAL_BACKEND;
    case SCOPE_CLOSED:
        return VERDICT_DROP_CLOSED_FRONTEND;
    default:
        return VERDICT_REJECT_NO_BACKEND;
    }
    if (fe->flags & FRONTEND_AFFINITY) {
        __u8 members = BACKEND_IN_USE | (scope == SCOPE_CLUSTER ? fe->cluster_members : fe->external_members);
        backend = backend_of_client(fe, members, &tuple.source, &id);
        choice->affinity_service = fe->service_id;
        choice->by_affinity = backend != NULL;
    }
    if (!backend)
        backend = backend_of_slot(scope == SCOPE_CLUSTER ? &fe->cluster : &fe->external, hash, &id);
    if (!backend)
        return VERDICT_DROP_STALE_BACKEND;
    choice->backend_id = id;
    choice->address = backend->address;
    choice->port_be = backend->port_be;
    return UNDECIDED;
}

#endif
