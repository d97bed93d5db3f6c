/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Says what follows from the way in which a flow leaves the node (enum flow_way). Every difference between ways is
 * asked here. The switches have no default, so that clang (-Wswitch) shows each place where a new way has to be
 * decided.
 */
#ifndef WEIR_WAY_H
#define WEIR_WAY_H

#include "bpf/packet.h"

static __always_inline enum flow_way way_of(__u32 flags)
{
    return flags >> FLOW_WAY_SHIFT;
}

/* Returns the flags with which a direction of a flow begins. */
static __always_inline __u32 way_flags(enum flow_way way, __u32 direction_flag)
{
    return direction_flag | (__u32)way << FLOW_WAY_SHIFT;
}

/* Does the flow get an address and a port of this node as its source? */
static __always_inline int way_takes_port(enum flow_way way)
{
    switch (way) {
    case WAY_REDIRECT:
        return 1;
    case WAY_DELIVER:
        break;
    }
    return 0;
}

/* Does the hook that rewrites the flow also do what a router does: next hop, MTU, TTL, Ethernet addresses? */
static __always_inline int way_is_routed_here(enum flow_way way)
{
    switch (way) {
    case WAY_REDIRECT:
        return 1;
    case WAY_DELIVER:
        break;
    }
    return 0;
}

/* Is a direction rewritten where it leaves the node (tc egress)? Every other one is where it arrives. */
static __always_inline int way_is_rewritten_at_egress(__u32 flags)
{
    switch (way_of(flags)) {
    case WAY_DELIVER:
        /* The host stack has forwarded the reply by then, or a process of the node has sent it. */
        return flags & FLOW_REPLY;
    case WAY_REDIRECT:
        break;
    }
    return 0;
}

/* Can XDP serve the flow? The host stack takes packets from an skb only, so delivering begins at tc. */
static __always_inline int way_is_for_xdp(enum flow_way way)
{
    switch (way) {
    case WAY_REDIRECT:
        return 1;
    case WAY_DELIVER:
        break;
    }
    return 0;
}

/* Returns UNDECIDED if the hook rewrites the flow, or the verdict with which it leaves the packet to another hook. */
static __always_inline int way_at_hook(__u32 flags, enum hook hook)
{
    if ((hook == HOOK_EGRESS) != !!way_is_rewritten_at_egress(flags))
        return VERDICT_PASS_OTHER_HOOK;
    if (hook == HOOK_XDP && !way_is_for_xdp(way_of(flags)))
        return VERDICT_PASS_TO_TC;
    return UNDECIDED;
}

/* Returns the verdict on a packet that has been rewritten. */
static __always_inline enum verdict way_verdict(__u32 flags)
{
    switch (way_of(flags)) {
    case WAY_REDIRECT:
        return flags & FLOW_REPLY ? VERDICT_REPLY_FORWARD : VERDICT_FORWARD;
    case WAY_DELIVER:
        break;
    }
    return flags & FLOW_REPLY ? VERDICT_REPLY_DELIVER : VERDICT_DELIVER;
}

#endif
