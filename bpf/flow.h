/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a flow: unassured, assured, closing. The same for both families. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "bpf/flow_table.h"

/* What has become of a flow that a packet belongs to. */
enum flow_fate {
    FLOW_STAYS,
    FLOW_PROMOTED,  /* the caller's entry is now to be found in the assured table */
    FLOW_FORGOTTEN, /* treat the packet as one of a new flow */
};

/*
 * A packet of a flow that is not assured yet. A reply marks its forward flow; the next forward packet of the client
 * (for TCP: one with ACK and without SYN, which a spoofed source cannot send sensibly) promotes both directions.
 */
static __noinline int flow_advance(const struct packet *p, __u8 family, struct flow *f)
{
    struct flow6_key tuple, peer;
    struct flow *other;

    flow_peer_tuple(family, p->protocol, f, &peer);
    if (f->flags & FLOW_REPLY) {
        other = flow_find_tuple(family, &peer, TABLE_UNASSURED);
        if (other && !(other->flags & FLOW_SEEN_REPLY))
            __sync_fetch_and_or(&other->flags, FLOW_SEEN_REPLY);
        return FLOW_STAYS;
    }
    if (!(f->flags & FLOW_SEEN_REPLY))
        return FLOW_STAYS;
    if (p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
        return FLOW_STAYS;

    tuple_of(p, family, &tuple);
    other = flow_find_tuple(family, &peer, TABLE_UNASSURED);
    if (other) {
        if (flow_move_to_assured(family, &peer, other))
            return FLOW_STAYS;
    } else if (!flow_find_tuple(family, &peer, TABLE_ASSURED)) {
        /* Evicted: assured without it, the flow would never get an answer again. Made anew, it comes out the same. */
        flow_delete(family, &tuple);
        return FLOW_FORGOTTEN;
    }
    return flow_move_to_assured(family, &tuple, f) ? FLOW_STAYS : FLOW_PROMOTED;
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
        if (!(f->flags & FLOW_CLOSING) && flow_backend_active(f->backend_id, &peer) && flow_find_peer(family, &peer))
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
    other = flow_find_peer(family, &peer);
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
