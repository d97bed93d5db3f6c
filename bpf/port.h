/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chooses the source port of a new flow. A port is free where its reply tuple can be claimed (bpf/claim.h); a taken one
 * leads on to the next candidate. Flows that keep the client's address start with the client's own port. They need
 * another one only where one client reaches one backend through two frontends from the same port.
 */
#ifndef WEIR_PORT_H
#define WEIR_PORT_H

#include "bpf/claim.h"

/*
 * Bounded so that a full range costs a new flow at most this many lookups: at 90 % use of the range 24 candidates all
 * fail in 8 % of the cases.
 */
#define SNAT_PROBES 24

/*
 * So many candidates that flows without a reply hold are enough to choose the oldest from: in a flood, where they hold
 * all, a new flow costs a third. Half as many would give up handshakes that are half as old.
 */
#define SNAT_YIELDING 8

/* Candidates after the first whose memory is asked for at once. */
#define SNAT_AT_ONCE (SNAT_YIELDING - 1)

/* Work space of candidates_fetch, off the stack. */
struct candidates {
    __u64 found[SNAT_AT_ONCE]; /* the hashes of their tuples, then their slots */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct candidates);
} candidate_space SEC(".maps");

/*
 * Takes a port over from a flow that yields it, because all candidates are held, or eight by flows that yield. A closed
 * connection does, since it only waits for the sweeper; so does a flow without a reply, of which a flood makes enough
 * to hold every port long before it fills the ring.
 */
static __always_inline int port_take_over(__u8 family, struct new_flow *flow)
{
    const struct yielders *yielders = &flow->yielders;

    if (yielders->closed_age) {
        flow->to.source_port_be = yielders->closed_port_be;
        tuple_reverse(&flow->to, &flow->reply);
        struct flow *closed = assured_find(family, &flow->reply);
        if (closed) {
            flow_peer_tuple(family, flow->reply.protocol, closed, &flow->back);
            assured_delete(family, &flow->back);
            assured_delete(family, &flow->reply);
        }
    } else if (yielders->count) {
        flow->to.source_port_be = yielders->oldest_port_be;
        struct flow_pair *oldest = pair_at(yielders->oldest_sequence);
        if (oldest)
            oldest->family = 0;
    } else {
        return CLAIM_TAKEN;
    }
    return reply_claim(family, 0);
}

/* Scales the lower half of a hash to the range. The upper half has chosen the slot. */
static __always_inline __u32 port_of_draw(__u64 draw, __u32 ports)
{
    return (__u32)(((draw & 0xffffffff) * ports) >> 32);
}

/*
 * Returns the next candidate. Of a small range each port is one; of a larger one it is another draw, because neighbours
 * would grow into stretches of taken ports that hold all candidates of many flows.
 */
static __always_inline __u32 port_after(__u32 candidate, __u32 ports, __u64 *draw)
{
    if (ports <= SNAT_PROBES)
        return candidate + 1 < ports ? candidate + 1 : 0;
    *draw = hash_mix(*draw, SNAT_PROBES);
    return port_of_draw(*draw, ports);
}

/*
 * Asks memory for all that the next candidates are looked up by at once, after the first candidate was taken: one after
 * the other they would take twice as long. A load blocks what comes after it once the CPU's window is full, so that the
 * loops that load from memory do nothing else. Global, as reply_claim is.
 */
__noinline int candidates_fetch(__u32 candidate, __u32 ports, __u64 draw)
{
    __u32 zero = 0;
    struct new_flow *flow = new_flow_now();
    struct candidates *candidates = bpf_map_lookup_elem(&candidate_space, &zero);

    if (!flow || !candidates)
        return 0;
    __u64 *found = candidates->found;
    tuple_reverse(&flow->to, &flow->reply);
    __u64 of_addresses = hash_of_addresses(&flow->reply);
    for (int i = 0; i < SNAT_AT_ONCE; i++) {
        flow->reply.destination_port_be = bpf_htons(config.snat_port_min + candidate);
        found[i] = hash_of_ports(of_addresses, &flow->reply);
        candidate = port_after(candidate, ports, &draw);
    }
    for (int i = 0; i < SNAT_AT_ONCE; i++)
        bucket_fetch(found[i]);
    for (int i = 0; i < SNAT_AT_ONCE; i++) {
        struct pair_bucket *bucket = bucket_of(found[i]);
        found[i] = bucket ? slot_of_hash(bucket, found[i]) : 0;
    }
    for (int i = 0; i < SNAT_AT_ONCE; i++)
        pair_fetch(found[i]);
    return 0;
}

/* Looks for a source port for flow->to and claims its reply tuple. Returns an enum claim. */
static __always_inline int port_find(__u8 family, struct new_flow *flow)
{
    __u32 ports = config.snat_port_max - config.snat_port_min + 1;
    __u32 candidate = port_of_draw(flow->hash, ports);
    /* All ports of a small range are looked at. */
    __u32 yielding = ports <= SNAT_PROBES ? SNAT_PROBES : SNAT_YIELDING;
    int claim = CLAIM_TAKEN;
    __u64 draw = flow->hash;

    __builtin_memset(&flow->yielders, 0, sizeof(flow->yielders));
    /* SCTP keeps its port where it can: another one costs every packet a new CRC. */
    if (!way_takes_port(flow->way) || flow->from.protocol == IPPROTO_SCTP)
        claim = reply_claim(family, 0);
    for (int i = 0; i < SNAT_PROBES && claim == CLAIM_TAKEN && flow->yielders.count < yielding; i++) {
        if (i % SNAT_AT_ONCE == 1)
            candidates_fetch(candidate, ports, draw);
        flow->to.source_port_be = bpf_htons(config.snat_port_min + candidate);
        claim = reply_claim(family, i);
        candidate = port_after(candidate, ports, &draw);
    }
    return claim == CLAIM_TAKEN ? port_take_over(family, flow) : claim;
}

/* Makes the flow's pair and publishes both tuples. Returns UNDECIDED with flow->sequence filled in. */
static __noinline int flow_open(__u8 family, struct new_flow *flow)
{
    struct flow_pair *pair = pair_allocate();

    if (!pair)
        return VERDICT_DROP_TABLE;
    flow->sequence = pair->sequence;
    int claim = port_find(family, flow);
    if (claim == CLAIM_TAKEN || claim == CLAIM_FAILED || claim == CLAIM_ADOPTED)
        pair->family = 0;
    if (claim == CLAIM_TAKEN)
        return VERDICT_DROP_NO_SNAT_PORT;
    if (claim == CLAIM_FAILED)
        return VERDICT_DROP_TABLE;
    if (claim == CLAIM_RECOVERED) {
        /* As proven as the direction that is still assured. */
        pair->forward.flow.flags |= FLOW_SEEN_REPLY;
        pair->made -= STREAM_TICKS + 1;
    }
    if (claim != CLAIM_ADOPTED && way_is_routed_here(flow->way) && flow->hop.state == NEXT_HOP_READY)
        next_hop_cache(&pair->forward.flow, &flow->hop, route_generation());
    pair_publish(flow->hash, DIRECTION_FORWARD, flow->sequence, 0);
    return UNDECIDED;
}

#endif
