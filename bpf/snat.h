/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which source port? A flow claims its reply tuple by inserting the reply entry with BPF_NOEXIST; a taken one sends it
 * on to the next candidate. Flows that keep the client's address start with the client's own port: another one is
 * needed only where one client reaches one backend through two frontends from the same port.
 */
#ifndef WEIR_SNAT_H
#define WEIR_SNAT_H

#include "bpf/checksum.h"
#include "bpf/flow.h"
#include "bpf/forward.h"
#include "bpf/service.h"

/*
 * Bounded so that a full range costs a new flow at most this many lookups: at 90 % use of the range 24 candidates all
 * fail in 8 % of the cases.
 */
#define SNAT_PROBES 24

/* Both directions of a flow that is being made; tuples on the wire before and after the forward rewrite. */
struct new_flow {
    struct flow6_key from; /* client -> frontend */
    struct flow6_key to;   /* new source -> backend */
    struct choice choice;
    __u32 forward_flags;
    __u32 reply_flags;
    __u32 recovered;     /* the reply entry had outlived the forward entry */
    struct next_hop hop; /* of the forward direction */
    /* work space of this file */
    struct flow6_key reply;
    struct flow6_key back;
    struct flow6 value;
};

/*
 * The whole call chain has 512 bytes of stack; a new flow's tuples and values take most of that. One CPU makes one flow
 * at a time: XDP and tc programs run with bottom halves off.
 */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct new_flow);
} new_flow_space SEC(".maps");

static __always_inline int is_reply_of(__u8 family, const struct flow *reply, const struct flow6_key *from)
{
    struct flow6_key peer;

    flow_peer_tuple(family, from->protocol, reply, &peer);
    return same_address(&peer.source, &from->source) && same_address(&peer.destination, &from->destination) &&
           peer.source_port_be == from->source_port_be && peer.destination_port_be == from->destination_port_be;
}

static __always_inline void flow_value(struct flow6 *value, const struct flow6_key *from, const struct flow6_key *to,
                                       __u32 flags, __u32 backend_id)
{
    __builtin_memset(value, 0, sizeof(*value));
    value->source = to->source;
    value->destination = to->destination;
    value->flow.source_port_be = to->source_port_be;
    value->flow.destination_port_be = to->destination_port_be;

    __u64 sum = csum_difference(0, &from->source, &to->source);
    value->flow.address_delta = csum_fold(csum_difference(sum, &from->destination, &to->destination));
    sum = csum_difference_port(0, from->source_port_be, to->source_port_be);
    value->flow.port_delta = csum_fold(csum_difference_port(sum, from->destination_port_be, to->destination_port_be));
    value->flow.flags = flags;
    value->flow.backend_id = backend_id;
    value->flow.last_seen = now_ticks();
}

static __always_inline void tuple_reverse(const struct flow6_key *tuple, struct flow6_key *reverse)
{
    __builtin_memset(reverse, 0, sizeof(*reverse));
    reverse->source = tuple->destination;
    reverse->destination = tuple->source;
    reverse->source_port_be = tuple->destination_port_be;
    reverse->destination_port_be = tuple->source_port_be;
    reverse->protocol = tuple->protocol;
}

static __always_inline int reply_claim_family(__u8 family, struct new_flow *flow)
{
    struct flow *taken;

    tuple_reverse(&flow->to, &flow->reply);
    tuple_reverse(&flow->from, &flow->back);
    /* Assured first, insertion, assured again: a pair that is promoted in between is in one of the two when we look. */
    taken = flow_find_tuple(family, &flow->reply, TABLE_ASSURED);
    if (!taken) {
        flow_value(&flow->value, &flow->reply, &flow->back, flow->reply_flags, flow->choice.backend_id);
        long error = flow_insert_unassured(family, &flow->reply, &flow->value, BPF_NOEXIST);
        if (error && error != -17 /* EEXIST */)
            return -1;
        if (error)
            taken = flow_find_tuple(family, &flow->reply, TABLE_UNASSURED);
        else if (!(taken = flow_find_tuple(family, &flow->reply, TABLE_ASSURED)))
            return 1;
        else
            flow_delete_unassured(family, &flow->reply);
    }
    if (!taken || !is_reply_of(family, taken, &flow->from))
        return 0;
    flow->recovered = !!(taken->flags & FLOW_ASSURED);
    return 1;
}

static __always_inline struct new_flow *new_flow_now(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&new_flow_space, &zero);
}

/*
 * One candidate (in flow->to). Answers 1 when the reply tuple is this flow's, 0 when it is another's, < 0 on failure.
 * Global: the verifier looks at it once, not once per probe and per path to it. It knows nothing of the arguments then,
 * so the family becomes a constant here; and the flow is looked up again, since what such a function is given is no key
 * and no value to the map helpers of Linux < 6.2.
 */
__noinline int reply_claim(__u32 family)
{
    struct new_flow *flow = new_flow_now();

    if (!flow)
        return -1;
    if (family == FAMILY_IPV4)
        return reply_claim_family(FAMILY_IPV4, flow);
    return reply_claim_family(FAMILY_IPV6, flow);
}

/*
 * Finds a source port for flow->to, claims the reply tuple, and inserts the forward entry. SCTP keeps its port where it
 * can: another one costs every packet a new CRC.
 */
static __noinline int flow_open(__u8 family, struct new_flow *flow, __u64 hash)
{
    __u32 ports = config.snat_port_max - config.snat_port_min + 1;
    __u32 candidate = (__u32)(((hash & 0xffffffff) * ports) >> 32);
    int claimed = 0;

    if (!(flow->forward_flags & FLOW_SNAT) || flow->from.protocol == IPPROTO_SCTP)
        claimed = reply_claim(family);
    for (int i = 0; i < SNAT_PROBES && !claimed; i++) {
        flow->to.source_port_be = bpf_htons(config.snat_port_min + candidate);
        claimed = reply_claim(family);
        candidate = candidate + 1 < ports ? candidate + 1 : 0;
    }
    if (claimed < 0)
        return VERDICT_DROP_TABLE;
    if (!claimed)
        return VERDICT_DROP_NO_SNAT_PORT;

    __u32 flags = flow->forward_flags | (flow->recovered ? FLOW_SEEN_REPLY : 0);
    flow_value(&flow->value, &flow->from, &flow->to, flags, flow->choice.backend_id);
    if (flow->forward_flags & FLOW_REDIRECT && flow->hop.state == NEXT_HOP_READY)
        next_hop_cache(&flow->value.flow, &flow->hop, route_generation());
    if (flow_insert_unassured(family, &flow->from, &flow->value, BPF_ANY)) {
        if (!flow->recovered)
            flow_delete_unassured(family, &flow->reply);
        return VERDICT_DROP_TABLE;
    }
    return UNDECIDED;
}

#endif
