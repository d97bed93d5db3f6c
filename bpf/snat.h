/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which source port? A flow claims its reply tuple by publishing it where nobody else has it; a taken one sends it on
 * to the next candidate. Flows that keep the client's address start with the client's own port: another one is needed
 * only where one client reaches one backend through two frontends from the same port.
 */
#ifndef WEIR_SNAT_H
#define WEIR_SNAT_H

#include "bpf/checksum.h"
#include "bpf/forward.h"
#include "bpf/service.h"
#include "bpf/unassured.h"

/*
 * Bounded so that a full range costs a new flow at most this many lookups: at 90 % use of the range 24 candidates all
 * fail in 8 % of the cases.
 */
#define SNAT_PROBES 24

/*
 * So many candidates that flows without an answer hold are enough to choose the oldest from: in a flood, where they
 * hold all, a new flow costs a third. Half as many would give up handshakes that are half as old.
 */
#define SNAT_YIELDING 8

/* Candidates after the first whose memory is asked for at once. */
#define SNAT_AT_ONCE (SNAT_YIELDING - 1)

/* What a closed connection keeps its port for, whoever wants it: its last segments and their acknowledgement. */
#define LINGER_TICKS ((__u32)(1000000000ULL >> TICK_SHIFT))

/* A flow that is being made; tuples on the wire before and after the forward rewrite. */
struct new_flow {
    struct flow6_key from; /* client -> frontend */
    struct flow6_key to;   /* new source -> backend */
    struct choice choice;
    __u32 forward_flags;
    __u32 reply_flags;
    struct next_hop hop; /* of the forward direction */
    __u32 sequence;      /* of its pair */
    __u32 yielding;      /* how many candidates unassured pairs hold */
    __u32 oldest_age;    /* of the oldest of these */
    __u32 oldest_sequence;
    /* Of the closed connections that hold a candidate the one closed longest, in ticks; 0: none lingers too long */
    __u32 closed_age;
    __be16 oldest_port_be;
    __be16 closed_port_be;
    /* work space of this file */
    struct flow6_key reply;
    struct flow6_key back;
    __u64 candidates[SNAT_AT_ONCE]; /* the hashes of their tuples, then their slots */
};

/*
 * The whole call chain has 512 bytes of stack; a new flow's tuples take most of that. One CPU makes one flow at a time:
 * XDP and tc programs run with bottom halves off.
 */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct new_flow);
} new_flow_space SEC(".maps");

static __always_inline struct new_flow *new_flow_now(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&new_flow_space, &zero);
}

/* One direction: packets of it leave as `to`. */
static __always_inline void flow_write(__u8 family, struct flow6 *value, const struct flow6_key *to,
                                       __u16 address_delta, __u16 port_delta, __u32 flags, __u32 backend_id, __u32 now)
{
    struct flow *f = &value->flow;

    f->source_port_be = to->source_port_be;
    f->destination_port_be = to->destination_port_be;
    f->address_delta = address_delta;
    f->port_delta = port_delta;
    f->flags = flags;
    f->last_seen = now;
    f->route_generation = 0;
    f->ifindex = 0;
    __builtin_memset(f->destination_mac, 0, sizeof(f->destination_mac) + sizeof(f->source_mac));
    f->backend_id = backend_id;
    f->packets = 0;
    f->octets = 0;
    if (family == FAMILY_IPV4) {
        ((struct flow4 *)value)->source_be = to->source.words_be[3];
        ((struct flow4 *)value)->destination_be = to->destination.words_be[3];
    } else {
        value->source = to->source;
        value->destination = to->destination;
    }
}

/* Both directions; what one adds to a checksum, the other takes away. */
static __always_inline void pair_write(__u8 family, struct flow_pair *pair, const struct new_flow *flow)
{
    const struct flow6_key *from = &flow->from, *to = &flow->to;
    __u32 now = now_ticks(), id = flow->choice.backend_id;

    __u64 sum = csum_difference(0, &from->source, &to->source);
    __u16 addresses = csum_fold(csum_difference(sum, &from->destination, &to->destination));
    sum = csum_difference_port(0, from->source_port_be, to->source_port_be);
    __u16 ports = csum_fold(csum_difference_port(sum, from->destination_port_be, to->destination_port_be));
    flow_write(family, &pair->forward, to, addresses, ports, flow->forward_flags, id, now);
    flow_write(family, &pair->reply, &flow->back, ~addresses, ~ports, flow->reply_flags, id, now);
    pair->protocol = from->protocol;
    pair->reply_syn = 0;
    pair->reply_sequence = 0;
    pair->made = now;
    barrier();
    pair->family = family;
}

static __always_inline void tuple_reverse(const struct flow6_key *tuple, struct flow6_key *reverse)
{
    reverse->source = tuple->destination;
    reverse->destination = tuple->source;
    reverse->source_port_be = tuple->destination_port_be;
    reverse->destination_port_be = tuple->source_port_be;
    reverse->protocol = tuple->protocol;
    __builtin_memset(reverse->pad, 0, sizeof(reverse->pad));
}

enum claim {
    CLAIM_FAILED = -1,
    CLAIM_TAKEN, /* the reply tuple is another flow's */
    CLAIMED,
    CLAIM_ADOPTED,   /* it is this flow's own already: in flow->sequence is its pair */
    CLAIM_RECOVERED, /* the same, and the reply direction is assured: it had outlived the forward one */
};

/* Which pair has the reply tuple? CLAIMED: none has. */
static __always_inline int claim_of_pair(__u8 family, struct new_flow *flow, __u64 hash)
{
    __u32 direction = 0;
    struct flow_pair *pair = pair_find(family, &flow->reply, hash, &direction);

    if (!pair)
        return CLAIMED;
    if (direction != DIRECTION_REPLY)
        return CLAIM_TAKEN;
    if (is_peer_tuple(family, &pair->reply.flow, &flow->from) && !(pair->forward.flow.flags & FLOW_CLOSING)) {
        flow->sequence = pair->sequence;
        return CLAIM_ADOPTED;
    }
    __u32 age = pair_age(flow->sequence, pair->sequence);
    flow->yielding++;
    if (flow->yielding == 1 || age > flow->oldest_age) {
        flow->oldest_age = age;
        flow->oldest_sequence = pair->sequence;
        flow->oldest_port_be = flow->to.source_port_be;
    }
    return CLAIM_TAKEN;
}

/* A reply direction that is assured. */
static __always_inline int claim_of_assured(__u8 family, struct new_flow *flow, const struct flow *taken)
{
    if (!is_peer_tuple(family, taken, &flow->from)) {
        __s32 age = now_ticks() - taken->last_seen;
        if (taken->flags & FLOW_CLOSING && age > (__s32)LINGER_TICKS && age > (__s32)flow->closed_age) {
            flow->closed_age = age;
            flow->closed_port_be = flow->to.source_port_be;
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
    __u64 hash = tuple_hash(&flow->reply);
    struct flow *taken;
    int claim;
    /*
     * Where one candidate was taken, the next may be too. To look costs less than to try; and publishing writes over
     * somebody's slot where a bucket is full: not for a port that is taken anyway. A pair that is promoted meanwhile is
     * assured before it is gone from the index: looked for in this order, here and below, it is found.
     */
    if (probe) {
        claim = claim_of_pair(family, flow, hash);
        if (claim != CLAIMED)
            return claim;
        taken = assured_find(family, &flow->reply);
        claim = taken ? claim_of_assured(family, flow, taken) : CLAIMED;
        if (claim == CLAIM_TAKEN)
            return claim;
    } else {
        claim = CLAIMED;
        bucket_fetch(hash);
    }
    tuple_reverse(&flow->from, &flow->back);
    /* Everything must be there before the index names it. */
    pair_write(family, pair, flow);
    if (claim == CLAIM_RECOVERED)
        return claim;
    if (pair_publish(hash, DIRECTION_REPLY, flow->sequence, 1) != PUBLISHED) {
        claim = claim_of_pair(family, flow, hash);
        return claim == CLAIMED ? CLAIM_TAKEN : claim;
    }
    taken = assured_find(family, &flow->reply);
    claim = taken ? claim_of_assured(family, flow, taken) : CLAIMED;
    if (claim != CLAIMED)
        pair_unpublish(hash, flow->sequence);
    return claim;
}

/*
 * One candidate (in flow->to). Answers an enum claim. Global: the verifier looks at it once, not once per probe and per
 * path to it. It knows nothing of the arguments then, so the family becomes a constant here; and the flow is looked up
 * again, since what such a function is given is no key and no value to the map helpers of Linux < 6.2.
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

/*
 * All candidates are held, or eight by those who yield: by a closed connection, which only waits for the sweeper, or by
 * a flow without an answer yet, of which a flood makes enough to hold every port long before it fills the ring. It
 * gives way.
 */
static __always_inline int port_take_over(__u8 family, struct new_flow *flow)
{
    if (flow->closed_age) {
        flow->to.source_port_be = flow->closed_port_be;
        tuple_reverse(&flow->to, &flow->reply);
        struct flow *closed = assured_find(family, &flow->reply);
        if (closed) {
            flow_peer_tuple(family, flow->reply.protocol, closed, &flow->back);
            assured_delete(family, &flow->back);
            assured_delete(family, &flow->reply);
        }
    } else if (flow->yielding) {
        flow->to.source_port_be = flow->oldest_port_be;
        struct flow_pair *oldest = pair_at(flow->oldest_sequence);
        if (oldest)
            oldest->family = 0;
    } else {
        return CLAIM_TAKEN;
    }
    return reply_claim(family, 0);
}

/* The lower half of a hash, scaled to the range: the upper half has chosen the slot. */
static __always_inline __u32 port_of_draw(__u64 draw, __u32 ports)
{
    return (__u32)(((draw & 0xffffffff) * ports) >> 32);
}

/*
 * The next candidate: each port of a small range; of a larger one another draw, since stretches of taken ports
 * would grow and hold all candidates of many flows.
 */
static __always_inline __u32 port_after(__u32 candidate, __u32 ports, __u64 *draw)
{
    if (ports <= SNAT_PROBES)
        return candidate + 1 < ports ? candidate + 1 : 0;
    *draw = hash_mix(*draw, SNAT_PROBES);
    return port_of_draw(*draw, ports);
}

/*
 * Where the first candidate is taken, what the next ones are found by is asked for together: one after the other they
 * would take twice as long. A load blocks what comes after it once the CPU's window is full, so that the loops that
 * load from memory do nothing else. Global, as reply_claim is.
 */
__noinline int candidates_fetch(__u32 candidate, __u32 ports, __u64 draw)
{
    struct new_flow *flow = new_flow_now();

    if (!flow)
        return 0;
    __u64 *found = flow->candidates;
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

/*
 * Makes the flow's pair: finds a source port for flow->to and publishes both tuples. SCTP keeps its port where it can:
 * another one costs every packet a new CRC.
 */
static __noinline int flow_open(__u8 family, struct new_flow *flow, __u64 hash)
{
    __u32 ports = config.snat_port_max - config.snat_port_min + 1;
    __u32 candidate = port_of_draw(hash, ports);
    /* All ports of a small range are looked at. */
    __u32 yielding = ports <= SNAT_PROBES ? SNAT_PROBES : SNAT_YIELDING;
    struct flow_pair *pair = pair_allocate();
    int claim = CLAIM_TAKEN;
    __u64 draw = hash;

    if (!pair)
        return VERDICT_DROP_TABLE;
    flow->sequence = pair->sequence;
    flow->yielding = 0;
    flow->closed_age = 0;
    if (!(flow->forward_flags & FLOW_SNAT) || flow->from.protocol == IPPROTO_SCTP)
        claim = reply_claim(family, 0);
    for (int i = 0; i < SNAT_PROBES && claim == CLAIM_TAKEN && flow->yielding < yielding; i++) {
        if (i % SNAT_AT_ONCE == 1)
            candidates_fetch(candidate, ports, draw);
        flow->to.source_port_be = bpf_htons(config.snat_port_min + candidate);
        claim = reply_claim(family, i);
        candidate = port_after(candidate, ports, &draw);
    }
    if (claim == CLAIM_TAKEN)
        claim = port_take_over(family, flow);
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
    if (claim != CLAIM_ADOPTED && flow->forward_flags & FLOW_REDIRECT && flow->hop.state == NEXT_HOP_READY)
        next_hop_cache(&pair->forward.flow, &flow->hop, route_generation());
    pair_publish(hash, DIRECTION_FORWARD, flow->sequence, 0);
    return UNDECIDED;
}

#endif
