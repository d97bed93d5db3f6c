/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The packet's way, shared by XDP and tc. The including program has included its context header. */
#ifndef WEIR_CORE_H
#define WEIR_CORE_H

#include "bpf/flow.h"
#include "bpf/forward.h"
#include "bpf/parse.h"
#include "bpf/service.h"
#include "bpf/snat.h"
#include "bpf/translate.h"
#include "bpf/verdict.h"

enum hook { HOOK_XDP, HOOK_UPLINK_INGRESS, HOOK_WORKLOAD_INGRESS, HOOK_EGRESS };

/*
 * How does the new flow leave the node? A client outside and a backend outside: the reply would miss this node, so the
 * source becomes an address of the node and both directions are finished at ingress. Everything else goes through the
 * host stack with its source kept.
 */
static __always_inline int new_flow_way(context *ctx, __u8 family, enum scope scope, struct new_flow *flow,
                                        struct next_hop *hop)
{
    hop->state = NEXT_HOP_LOCAL;
    flow->reply_flags = FLOW_REPLY | FLOW_AT_EGRESS;
    if (scope == SCOPE_CLUSTER)
        return UNDECIDED;

    next_hop_find(ctx, family, &flow->to, hop);
    if (hop->state == NEXT_HOP_TOO_BIG)
        return VERDICT_DROP_TOO_BIG;
    if (hop->state > NEXT_HOP_UNRESOLVED || !(hop->device_flags & DEVICE_UPLINK)) {
        hop->state = NEXT_HOP_LOCAL;
        return UNDECIDED;
    }
    if (!(hop->source.words_be[0] | hop->source.words_be[1] | hop->source.words_be[2] | hop->source.words_be[3]))
        return VERDICT_DROP_NO_SNAT_ADDRESS;
    flow->to.source = hop->source;
    flow->forward_flags = FLOW_REDIRECT | FLOW_SNAT;
    flow->reply_flags = FLOW_REPLY | FLOW_REDIRECT | FLOW_SNAT;
    return UNDECIDED;
}

/* No flow is known: does a frontend want the packet? UNDECIDED: yes, and its flow has been made. */
static __noinline int new_flow(context *ctx, struct packet *p, __u8 family, enum scope scope)
{
    __u32 zero = 0;
    struct new_flow *flow = bpf_map_lookup_elem(&new_flow_space, &zero);
    struct next_hop hop;
    struct backend *backend;

    if (!flow)
        return VERDICT_DROP_TABLE;
    __builtin_memset(flow, 0, sizeof(*flow));
    tuple_of(p, family, &flow->from);
    struct frontend *fe = frontend_find(&flow->from);
    if (!fe)
        return VERDICT_PASS_NO_FRONTEND;

    __u64 hash = tuple_hash(&flow->from);
    int verdict = backend_choose(fe, scope, hash, &backend, &flow->backend_id);
    if (verdict != UNDECIDED)
        return verdict;
    if (p->tcp_flags & TCP_RST)
        return VERDICT_DROP_STRAY_RST;

    flow->to = flow->from;
    flow->to.destination = backend->address;
    flow->to.destination_port_be = backend->port_be;
    verdict = new_flow_way(ctx, family, scope, flow, &hop);
    if (verdict != UNDECIDED)
        return verdict;
    /* Before anything is written: what XDP cannot finish is left to tc untouched. */
    if (!CONTEXT_HAS_SKB && (hop.state != NEXT_HOP_READY || !(hop.device_flags & DEVICE_XDP_XMIT)))
        return VERDICT_PASS_TO_TC;
    return flow_open(family, flow, hash);
}

/* The way of one packet; the entry function turns the verdict into its hook's action. */
static __always_inline int process(context *ctx, struct packet *p, __u8 family, enum hook hook)
{
    struct flow *f = flow_find(p, family, TABLE_ASSURED);
    int verdict;

    if (!f) {
        f = flow_find(p, family, TABLE_UNASSURED);
        int fate = f ? flow_advance(p, family, f) : FLOW_STAYS;
        if (fate != FLOW_STAYS)
            f = fate == FLOW_PROMOTED ? flow_find(p, family, TABLE_ASSURED) : NULL;
    }
    if (f && (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) && flow_control(p, family, f) == FLOW_FORGOTTEN)
        f = NULL;
    if (!f) {
        if (hook == HOOK_EGRESS)
            return VERDICT_PASS_NO_FRONTEND;
        verdict = new_flow(ctx, p, family, hook == HOOK_WORKLOAD_INGRESS ? SCOPE_CLUSTER : SCOPE_EXTERNAL);
        if (verdict != UNDECIDED)
            return verdict;
        f = flow_find(p, family, TABLE_UNASSURED);
        if (!f)
            return VERDICT_DROP_TABLE;
    }

    __u32 flags = f->flags;
    if (hook == HOOK_EGRESS ? !(flags & FLOW_AT_EGRESS) : !!(flags & FLOW_AT_EGRESS))
        return VERDICT_PASS_OTHER_HOOK;
    if (!(flags & FLOW_REDIRECT)) {
        if (hook == HOOK_XDP)
            return VERDICT_PASS_TO_TC;
        flow_touch(f, p);
        verdict = translate(ctx, p, family, f, 0);
        if (verdict != UNDECIDED)
            return verdict;
        return flags & FLOW_REPLY ? VERDICT_REPLY_DELIVER : VERDICT_DELIVER;
    }

    __u32 generation = route_generation();
    if (f->route_generation != generation) {
        verdict = next_hop_refresh(ctx, p, family, f, generation);
        if (verdict != UNDECIDED)
            return verdict;
    }
    if (hook == HOOK_XDP && (f->flags & FLOW_NO_XDP))
        return VERDICT_PASS_TO_TC;
    if (p->ttl <= 1)
        return VERDICT_DROP_TTL;
    if (!p->to_neighbour)
        p->out_ifindex = f->ifindex;
    flow_touch(f, p);
    verdict = translate(ctx, p, family, f, 1);
    if (verdict != UNDECIDED)
        return verdict;
    return flags & FLOW_REPLY ? VERDICT_REPLY_FORWARD : VERDICT_FORWARD;
}

/* Parses behind the Ethernet header and goes through the core: one copy of the fast path per family. */
static __always_inline int process_frame(context *ctx, struct packet *p, enum hook hook)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;
    int verdict;

    if ((void *)(eth + 1) > data_end)
        return VERDICT_PASS_NOT_IP;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        verdict = parse_ipv4(ctx, data, data_end, p);
        return verdict == UNDECIDED ? process(ctx, p, FAMILY_IPV4, hook) : verdict;
    }
    if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        verdict = parse_ipv6(ctx, data, data_end, p);
        return verdict == UNDECIDED ? process(ctx, p, FAMILY_IPV6, hook) : verdict;
    }
    return VERDICT_PASS_NOT_IP;
}

#endif
