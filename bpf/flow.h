/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a flow: unassured, assured, closing. The same for both families. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "bpf/unassured.h"

/* The fate of a flow that a packet belongs to. */
enum flow_fate {
    FLOW_STAYS,
    FLOW_FORGOTTEN, /* treat the packet as one of a new flow */
};

/* A client's acknowledgement may be so far ahead of the reply that marked the pair, in octets. */
#define ACK_AHEAD_OF_SYN  (1U << 16) /* data in a fast-open SYN-ACK's wake (RFC 7413) */
#define ACK_AHEAD_OF_DATA (1U << 24)

/*
 * Notes a reply, so that an acknowledgement of it proves that the client sees replies. A RST is not noted: it ends the
 * connection, and the client acknowledges no RST.
 */
static __always_inline void pair_mark(const struct packet *p, struct flow_pair *pair, const struct tcphdr *tcp)
{
    if (pair->forward.flow.flags & FLOW_SEEN_REPLY && !(p->tcp_flags & TCP_SYN))
        return;
    if (p->protocol == IPPROTO_TCP) {
        if (!tcp || p->tcp_flags & TCP_RST)
            return;
        pair->reply_syn = !!(p->tcp_flags & TCP_SYN);
        pair->reply_sequence = bpf_ntohl(tcp->seq) + pair->reply_syn;
        barrier();
    }
    __sync_fetch_and_or(&pair->forward.flow.flags, FLOW_SEEN_REPLY);
}

/*
 * Has the client shown that it sees the replies? A TCP client has with an ACK of the backend's data, which a spoofed
 * source would have to guess. UDP has no such proof, so a stream has to last. Only proven flows get into the assured
 * tables: a flood from spoofed sources could fill them otherwise.
 */
static __always_inline int pair_is_proven(const struct packet *p, const struct flow_pair *pair,
                                          const struct tcphdr *tcp)
{
    __u32 flags = pair->forward.flow.flags;

    if (!(flags & FLOW_SEEN_REPLY) || flags & FLOW_CLOSING)
        return 0;
    if (p->protocol != IPPROTO_TCP)
        return is_longer_ago(pair->made, STREAM_TICKS);
    if (!tcp || (p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
        return 0;
    /* The flow was recovered (bpf/claim.h): its reply direction has been assured all along. */
    if (!pair->reply_sequence && !pair->reply_syn)
        return 1;
    return bpf_ntohl(tcp->ack_seq) - pair->reply_sequence < (pair->reply_syn ? ACK_AHEAD_OF_SYN : ACK_AHEAD_OF_DATA);
}

/* Returns the packet's flow if that is unassured, or has become assured by this packet. */
static __noinline struct flow *unassured_of_packet(context *ctx, const struct packet *p, __u8 family)
{
    struct flow6_key tuple;
    __u32 direction = 0;
    struct tcphdr *tcp = context_data(ctx) + l4_offset_of(p);

    tuple_of(p, family, &tuple);
    struct flow_pair *pair = pair_find(family, &tuple, tuple_hash(&tuple), &direction);
    if (!pair)
        return NULL;
    if ((void *)(tcp + 1) > context_data_end(ctx) || p->kind == PACKET_LATER_FRAGMENT)
        tcp = NULL;
    if (direction == DIRECTION_REPLY)
        pair_mark(p, pair, tcp);
    else if (pair_is_proven(p, pair, tcp) && !pair_promote(family, pair))
        return assured_of_packet(p, family);
    return pair_flow(pair, direction);
}

/*
 * Does the flow's backend still take new connections? A flow outlives its backend, and the agent may have given the id
 * to another one since: the address tells.
 */
static __always_inline int flow_backend_active(__u32 id, const struct flow6_key *peer)
{
    struct backend *backend = bpf_map_lookup_elem(&backends, &id);

    return backend && backend->flags & BACKEND_IN_USE && backend->port_be == peer->source_port_be &&
           same_address(&backend->address, &peer->source);
}

/*
 * Follows TCP's state by a packet with SYN, FIN or RST. Returns FLOW_FORGOTTEN for a SYN on a flow that is closing,
 * whose backend is gone, or whose reply direction was evicted.
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
