/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way of a packet through the datapath, the same for XDP and tc. The including program has included its context
 * header. */
#ifndef WEIR_CORE_H
#define WEIR_CORE_H

#include "bpf/answer.h"
#include "bpf/flow.h"
#include "bpf/forward.h"
#include "bpf/fragment.h"
#include "bpf/icmp.h"
#include "bpf/node.h"
#include "bpf/parse.h"
#include "bpf/port.h"
#include "bpf/service.h"
#include "bpf/translate.h"
#include "bpf/verdict.h"
#include "bpf/way.h"

/*
 * Chooses the way of a new flow. From a client outside to a backend outside it is WAY_REDIRECT, since with the client's
 * address the reply would miss this node. The same goes for a pod that reaches itself: it would not take its own packet
 * for that of a client. Everything else is delivered.
 */
static __always_inline int new_flow_way(context *ctx, __u8 family, enum scope scope, struct new_flow *flow)
{
    struct next_hop *hop = &flow->hop;
    int hairpin = scope == SCOPE_CLUSTER && same_address(&flow->to.source, &flow->to.destination);

    __builtin_memset(hop, 0, sizeof(*hop));
    hop->state = NEXT_HOP_LOCAL;
    flow->way = WAY_DELIVER;
    if (scope == SCOPE_CLUSTER && !hairpin)
        return UNDECIDED;

    next_hop_find(ctx, family, &flow->to, hop);
    if (hop->state > NEXT_HOP_UNRESOLVED || !(hairpin || hop->device_flags & DEVICE_UPLINK)) {
        hop->state = NEXT_HOP_LOCAL;
        return UNDECIDED;
    }
    if (is_unset(&hop->source) && !(hairpin && node_address(family, &hop->source)))
        return VERDICT_DROP_NO_SNAT_ADDRESS;
    flow->to.source = hop->source;
    flow->way = WAY_REDIRECT;
    return UNDECIDED;
}

static __always_inline int new_flow_of_family(context *ctx, const struct packet *p, __u8 family, enum scope scope)
{
    struct new_flow *flow = new_flow_now();

    if (!flow)
        return VERDICT_DROP_TABLE;
    tuple_of(p, family, &flow->from);
    if (has_mapped_address(family, &flow->from))
        return VERDICT_PASS_NO_FRONTEND;
    flow->hash = tuple_hash(&flow->from);
    int verdict = backend_choose(&flow->from, scope, flow->hash, &flow->choice);
    if (verdict != UNDECIDED)
        return verdict;
    if (p->tcp_flags & TCP_RST)
        return VERDICT_DROP_STRAY_RST;

    flow->to = flow->from;
    flow->to.destination = flow->choice.address;
    flow->to.destination_port_be = flow->choice.port_be;
    verdict = new_flow_way(ctx, family, scope, flow);
    if (verdict != UNDECIDED)
        return verdict;
    /* XDP has not changed the packet yet. It leaves to tc what it cannot finish. */
    if (!CONTEXT_HAS_SKB && (flow->hop.state != NEXT_HOP_READY || !(flow->hop.device_flags & DEVICE_XDP_XMIT)))
        return VERDICT_PASS_TO_TC;
    verdict = flow_open(family, flow);
    if (verdict == UNDECIDED)
        backend_remember(&flow->choice, &flow->from.source);
    return verdict;
}

/*
 * Makes a flow if a frontend wants the packet. Returns UNDECIDED then, and new_flow_made() finds the flow: a global
 * function cannot return a pointer.
 *
 * Global: see next_hop_find. The verifier knows nothing of the arguments then, so the family becomes a constant here.
 */
__noinline int new_flow(context *ctx, const struct packet *p, __u32 family, __u32 scope)
{
    if (!p)
        return VERDICT_DROP_TABLE;
    if (family == FAMILY_IPV4)
        return new_flow_of_family(ctx, p, FAMILY_IPV4, scope);
    return new_flow_of_family(ctx, p, FAMILY_IPV6, scope);
}

/* Returns the forward direction of the flow that this CPU has just made. */
static __always_inline struct flow *new_flow_made(void)
{
    struct new_flow *made = new_flow_now();
    struct flow_pair *pair = made ? pair_at(made->sequence) : NULL;

    return pair ? &pair->forward.flow : NULL;
}

/* Processes a packet that has a 5-tuple. */
static __always_inline int process(context *ctx, const struct packet *p, struct decision *d, __u8 family,
                                   enum hook hook)
{
    if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        bucket_fetch(hash_of_packet(p, family)); /* a SYN belongs to no assured flow: the index will be asked next */
    struct flow *f = assured_of_packet(p, family);
    int verdict;

    if (!f)
        f = unassured_of_packet(ctx, p, family);
    if (f && (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) && flow_control(p, family, f) == FLOW_FORGOTTEN)
        f = NULL;
    if (!f) {
        if (hook == HOOK_EGRESS)
            return VERDICT_PASS_NO_FRONTEND;
        verdict = new_flow(ctx, p, family, hook == HOOK_WORKLOAD_INGRESS ? SCOPE_CLUSTER : SCOPE_EXTERNAL);
        if (verdict != UNDECIDED)
            return verdict;
        f = new_flow_made();
        if (!f)
            return VERDICT_DROP_TABLE;
    }

    __u32 flags = f->flags;
    int routed_here = way_is_routed_here(way_of(flags));
    verdict = way_at_hook(flags, hook);
    if (verdict != UNDECIDED)
        return verdict;
    if (routed_here) {
        verdict = next_hop_ready(ctx, p, d, family, f);
        if (verdict != UNDECIDED)
            return verdict;
    }
    flow_touch(f, p);
    verdict = translate(ctx, p, d, family, f, routed_here);
    return verdict == UNDECIDED ? way_verdict(flags) : verdict;
}

/* Sends an ICMP error about a packet of a flow on the flow's way. */
static __always_inline int process_icmp_error(context *ctx, const struct packet *p, struct decision *d, __u8 family,
                                              enum hook hook)
{
    struct quotation quoted = {0};
    struct flow *f = NULL;
    int verdict = icmp_flow(ctx, p, family, &quoted, &f);

    if (verdict != UNDECIDED || !f)
        return verdict;
    __u32 flags = f->flags;
    int routed_here = way_is_routed_here(way_of(flags));
    verdict = way_at_hook(flags, hook);
    if (verdict == UNDECIDED && routed_here)
        verdict = next_hop_ready(ctx, p, d, family, f);
    if (verdict == UNDECIDED)
        verdict = icmp_translate(ctx, p, &quoted, d, family, f, routed_here);
    return verdict == UNDECIDED ? way_verdict(flags) : verdict;
}

/* Is an ICMP message with this verdict about no flow that is known, or one that cannot be read? */
static __always_inline int is_of_no_flow(int verdict)
{
    return verdict == VERDICT_PASS_PROTOCOL || verdict == VERDICT_PASS_MALFORMED || verdict == VERDICT_PASS_FRAGMENT ||
           verdict == VERDICT_PASS_NO_FRONTEND;
}

/*
 * Decides about a packet that is of no flow and cannot begin one. A VIP is a host of its own: no packet for it is left
 * to routes, which may lead back here. otherwise: the verdict on a packet for any other address.
 */
static __always_inline int vip_answers(context *ctx, const struct packet *p, __u8 family, enum hook hook, int otherwise)
{
    void *data_end = context_data_end(ctx);
    __u8 *type = context_data(ctx) + l4_offset_of(p);
    struct flow6_key tuple;

    tuple_of(p, family, &tuple);
    if (has_mapped_address(family, &tuple))
        return otherwise;
    struct vip *vip = bpf_map_lookup_elem(&vips, &tuple.destination);
    if (!vip)
        return in_service_range(&tuple.destination) ? VERDICT_DROP_SERVICE_RANGE : otherwise;
    if (vip->flags & VIP_OF_NODE)
        return otherwise;
    if (hook != HOOK_WORKLOAD_INGRESS && vip->flags & VIP_CLOSED_OUTSIDE)
        return VERDICT_DROP_CLOSED_FRONTEND;
    if (p->kind != PACKET_ICMP || (void *)(type + 1) > data_end)
        return VERDICT_DROP_VIP_PROTOCOL;
    if (*type == (family == FAMILY_IPV4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST))
        return VERDICT_ECHO_REPLY;
    /* Neighbour discovery (RFC 4861) is about the link: another program on this node may answer for the address. */
    if (family == FAMILY_IPV6 && *type >= ICMP6_NEIGHBOUR_FIRST && *type <= ICMP6_NEIGHBOUR_LAST)
        return otherwise;
    return VERDICT_DROP_VIP_PROTOCOL;
}

static __always_inline int process_special_of_family(context *ctx, struct packet *p, struct decision *d, __u8 family,
                                                     enum hook hook)
{
    int verdict = VERDICT_PASS_PROTOCOL;

    if (p->kind == PACKET_FIRST_FRAGMENT || p->kind == PACKET_LATER_FRAGMENT) {
        verdict = fragment_ports(p, family);
        if (verdict == UNDECIDED)
            return UNDECIDED;
    } else if (p->kind == PACKET_ICMP) {
        verdict = process_icmp_error(ctx, p, d, family, hook);
        if (!is_of_no_flow(verdict))
            return verdict;
    }
    return hook == HOOK_EGRESS ? verdict : vip_answers(ctx, p, family, hook, verdict);
}

/* Processes a packet that came without a 5-tuple. Returns UNDECIDED if it has one now (a fragment). Global: see
 * new_flow. */
__noinline int process_special(context *ctx, struct packet *p, struct decision *d, __u32 family, __u32 hook)
{
    if (!p || !d)
        return VERDICT_PASS_MALFORMED;
    if (family == FAMILY_IPV4)
        return process_special_of_family(ctx, p, d, FAMILY_IPV4, hook);
    return process_special_of_family(ctx, p, d, FAMILY_IPV6, hook);
}

/* Takes a packet of one family through all steps. The entry function turns the verdict into its hook's action. */
static __always_inline int process_family(context *ctx, struct packet *p, struct decision *d, __u8 family,
                                          enum hook hook)
{
    int verdict = UNDECIDED;

    if (p->kind != PACKET_WHOLE)
        verdict = process_special(ctx, p, d, family, hook);
    if (verdict == UNDECIDED)
        verdict = process(ctx, p, d, family, hook);
    if (p->kind == PACKET_FIRST_FRAGMENT && verdict_is_rewritten(verdict))
        fragment_remember(p, family);
    if (verdict_is_answered(verdict))
        verdict = answer(ctx, p, family, verdict, d->mtu);
    return verdict;
}

/* Parses a frame and takes it through all steps. There is one copy of the fast path for each family. */
static __always_inline int process_frame(context *ctx, struct packet *p, struct decision *d, enum hook hook)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;
    int verdict;

    if ((void *)(eth + 1) > data_end)
        return VERDICT_PASS_NOT_IP;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        verdict = parse_ipv4(ctx, data, data_end, ETH_HLEN, EXTENT_FRAME, p);
        return verdict == UNDECIDED ? process_family(ctx, p, d, FAMILY_IPV4, hook) : verdict;
    }
    if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        verdict = parse_ipv6(ctx, data, data_end, ETH_HLEN, EXTENT_FRAME, p);
        return verdict == UNDECIDED ? process_family(ctx, p, d, FAMILY_IPV6, hook) : verdict;
    }
    return VERDICT_PASS_NOT_IP;
}

#endif
