/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a flow: unassured, assured, closing. The same for both families. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "bpf/unassured.h"

/* What has become of a flow that a packet belongs to. */
enum flow_fate {
    FLOW_STAYS,
    FLOW_FORGOTTEN, /* treat the packet as one of a new flow */
};

/*
 * A packet of a pair that is not assured yet. A reply marks the forward flow; the next forward packet of the client
 * (for TCP: one with ACK and without SYN, which a spoofed source cannot send sensibly) promotes both directions.
 * Answers whether it has.
 */
static __always_inline int pair_advance(const struct packet *p, __u8 family, struct flow_pair *pair, __u32 direction)
{
    __u32 flags = pair->forward.flow.flags;

    if (direction == DIRECTION_REPLY) {
        if (!(flags & FLOW_SEEN_REPLY))
            __sync_fetch_and_or(&pair->forward.flow.flags, FLOW_SEEN_REPLY);
        return 0;
    }
    if (!(flags & FLOW_SEEN_REPLY))
        return 0;
    if (p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
        return 0;
    return !pair_promote(family, pair);
}

/* The packet's flow, where it is not assured or was not until now. */
static __noinline struct flow *unassured_of_packet(struct packet *p, __u8 family)
{
    struct flow6_key tuple;
    __u32 direction = 0;

    tuple_of(p, family, &tuple);
    p->hash = tuple_hash(&tuple);
    struct flow_pair *pair = pair_find(family, &tuple, p->hash, &direction);
    if (!pair)
        return NULL;
    if (pair_advance(p, family, pair, direction))
        return assured_of_packet(p, family);
    return pair_flow(pair, direction);
}

/*
 * Whether the backend that a flow was given still takes new connections. The flow outlives its backend, and the id may
 * have been given to another one since: the address tells.
 */
static __always_inline int flow_backend_active(__u32 id, const struct flow6_key *peer)
{
    struct backend *backend = bpf_map_lookup_elem(&backends, &id);

    return backend && backend->flags & BACKEND_IN_USE && backend->port_be == peer->source_port_be &&
           same_address(&backend->address, &peer->source);
}

/*
 * TCP state, from the flags of a packet with SYN, FIN or RST. FLOW_FORGOTTEN: a SYN on a flow that is closing, whose
 * backend is gone, or whose reply direction was evicted.
 */
static __noinline int flow_control(const struct packet *p, __u8 family, struct flow *f)
{
    struct flow6_key tuple, peer;
    struct flow *other;
    __u32 mine = 0, theirs = 0;

    flow_peer_tuple(family, p->protocol, f, &peer);
    if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        if (f->flags & FLOW_REPLY)
            return FLOW_STAYS;
        if (!(f->flags & FLOW_CLOSING) && flow_backend_active(f->backend_id, &peer) && flow_find(family, &peer))
            return FLOW_STAYS;
        tuple_of(p, family, &tuple);
        flow_delete(family, &peer);
        flow_delete(family, &tuple);
        return FLOW_FORGOTTEN;
    }
    if (p->tcp_flags & TCP_RST) {
        mine = theirs = FLOW_CLOSING;
    } else if (p->tcp_flags & TCP_FIN) {
        mine = FLOW_FIN;
        theirs = FLOW_PEER_FIN;
        if (f->flags & FLOW_PEER_FIN) {
            mine |= FLOW_CLOSING;
            theirs |= FLOW_CLOSING;
        }
    }
    if ((f->flags & mine) == mine)
        return FLOW_STAYS; /* a retransmission: nothing new, and no second lookup */
    __sync_fetch_and_or(&f->flags, mine);
    other = flow_find(family, &peer);
    if (other)
        __sync_fetch_and_or(&other->flags, theirs);
    return FLOW_STAYS;
}

static __always_inline void flow_touch(struct flow *f, const struct packet *p)
{
    f->last_seen = now_ticks();
    f->packets += p->segments;
    f->octets += p->length;
}

#endif
