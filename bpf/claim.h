/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decides whether a new flow gets a reply tuple. The flow claims the tuple by publishing its pair, which succeeds where
 * no other flow has it. A backend's packet shows nothing but that tuple, so no two flows may have the same one.
 */
#ifndef WEIR_CLAIM_H
#define WEIR_CLAIM_H

#include "bpf/new_flow.h"

/* A closed connection keeps its port for so long: its last segments and their acknowledgement may be on the way. */
#define LINGER_TICKS ((__u32)(1000000000ULL >> TICK_SHIFT))

enum claim {
    CLAIM_FAILED = -1,
    CLAIM_TAKEN, /* the reply tuple is another flow's */
    CLAIMED,
    CLAIM_ADOPTED,   /* it is this flow's own already: in flow->sequence is its pair */
    CLAIM_RECOVERED, /* the same, and the reply direction is assured: it had outlived the forward one */
};

/* Asks whether a pair has the reply tuple. Returns CLAIMED if none has. */
static __always_inline int claim_of_pair(__u8 family, struct new_flow *flow)
{
    __u32 direction = 0;
    struct flow_pair *pair = pair_find(family, &flow->reply, flow->reply_hash, &direction);

    if (!pair)
        return CLAIMED;
    if (direction != DIRECTION_REPLY)
        return CLAIM_TAKEN;
    if (is_peer_tuple(family, &pair->reply.flow, &flow->from) && !(pair->forward.flow.flags & FLOW_CLOSING)) {
        flow->sequence = pair->sequence;
        return CLAIM_ADOPTED;
    }
    __u32 age = pair_age(flow->sequence, pair->sequence);
    struct yielders *yielders = &flow->yielders;
    yielders->count++;
    if (yielders->count == 1 || age > yielders->oldest_age) {
        yielders->oldest_age = age;
        yielders->oldest_sequence = pair->sequence;
        yielders->oldest_port_be = flow->to.source_port_be;
    }
    return CLAIM_TAKEN;
}

/* Asks about the assured reply direction that has the reply tuple. */
static __always_inline int claim_of_assured(__u8 family, struct new_flow *flow, const struct flow *taken)
{
    if (!is_peer_tuple(family, taken, &flow->from)) {
        __s32 age = now_ticks() - taken->last_seen;
        if (taken->flags & FLOW_CLOSING && age > (__s32)LINGER_TICKS && age > (__s32)flow->yielders.closed_age) {
            flow->yielders.closed_age = age;
            flow->yielders.closed_port_be = flow->to.source_port_be;
        }
        return CLAIM_TAKEN;
    }
    if (!(taken->flags & FLOW_CLOSING))
        return CLAIM_RECOVERED;
    assured_delete(family, &flow->reply);
    return CLAIMED;
}

static __always_inline int claim_of_family(__u8 family, struct new_flow *flow, __u32 probe)
{
    struct flow_pair *pair = pair_element(flow->sequence);

    if (!pair)
        return CLAIM_FAILED;
    tuple_reverse(&flow->to, &flow->reply);
    flow->reply_hash = tuple_hash(&flow->reply);
    struct flow *taken;
    int claim;
    /*
     * Where one candidate was taken, the next may be too. Looking costs less than trying, and where a bucket is full
     * publishing overwrites another pair's slot, which a taken port is not worth. Another CPU may promote the pair
     * meanwhile: it is in the assured table before it leaves the index, so that looking in this order, here and below,
     * finds it.
     */
    if (probe) {
        claim = claim_of_pair(family, flow);
        if (claim != CLAIMED)
            return claim;
        taken = assured_find(family, &flow->reply);
        claim = taken ? claim_of_assured(family, flow, taken) : CLAIMED;
        if (claim == CLAIM_TAKEN)
            return claim;
    } else {
        claim = CLAIMED;
        bucket_fetch(flow->reply_hash);
    }
    tuple_reverse(&flow->from, &flow->back);
    /* The pair must be complete before the index names it. */
    pair_write(family, pair, flow);
    if (claim == CLAIM_RECOVERED)
        return claim;
    if (pair_publish(flow->reply_hash, DIRECTION_REPLY, flow->sequence, 1) != PUBLISHED) {
        claim = claim_of_pair(family, flow);
        return claim == CLAIMED ? CLAIM_TAKEN : claim;
    }
    taken = assured_find(family, &flow->reply);
    claim = taken ? claim_of_assured(family, flow, taken) : CLAIMED;
    if (claim != CLAIMED)
        pair_unpublish(flow->reply_hash, flow->sequence);
    return claim;
}

/*
 * Claims the reply tuple of one candidate (in flow->to). Returns an enum claim. probe: 0 for the first candidate.
 *
 * Global: the verifier looks at it once, not once per probe and per path to it. It knows nothing of the arguments then,
 * so the family becomes a constant here. The flow is looked up again, because up to Linux 6.1 the map helpers take
 * neither key nor value from memory that such a function is given.
 */
__noinline int reply_claim(__u32 family, __u32 probe)
{
    struct new_flow *flow = new_flow_now();

    if (!flow)
        return CLAIM_FAILED;
    if (family == FAMILY_IPV4)
        return claim_of_family(FAMILY_IPV4, flow, probe);
    return claim_of_family(FAMILY_IPV6, flow, probe);
}

#endif
