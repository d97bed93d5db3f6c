/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The core's view of an skb. */
#ifndef WEIR_TC_CONTEXT_H
#define WEIR_TC_CONTEXT_H

#include "bpf/packet.h"

typedef struct __sk_buff context;
#define CONTEXT_HAS_SKB 1

static __always_inline void *context_data(const context *ctx)
{
    return (void *)(long)ctx->data;
}

static __always_inline void *context_data_end(const context *ctx)
{
    return (void *)(long)ctx->data_end;
}

static __always_inline __u32 context_length(const context *ctx)
{
    return ctx->len;
}

static __always_inline __u32 context_ifindex(const context *ctx)
{
    return ctx->ifindex;
}

/*
 * The kernel's helper knows whether the checksum is complete in the packet, to be filled in by the device
 * (CHECKSUM_PARTIAL: the field holds the pseudo-header's sum, so addresses count and ports do not) or already summed by
 * the device (CHECKSUM_COMPLETE: skb->csum must follow).
 */
static __always_inline int context_l4_checksum(context *ctx, const struct packet *p, __u8 family, const struct flow *f,
                                               int forwarded)
{
    __u32 offset = p->l4_offset + (p->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                              : __builtin_offsetof(struct udphdr, check));
    __u64 flags = p->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
    __u16 address_delta = f->address_delta;
    __u16 port_delta = f->port_delta;

    if (bpf_l4_csum_replace(ctx, offset, 0, address_delta, flags | BPF_F_PSEUDO_HDR) ||
        bpf_l4_csum_replace(ctx, offset, 0, port_delta, flags))
        return VERDICT_PASS_MALFORMED;
    if (family == FAMILY_IPV6) {
        /*
         * With CHECKSUM_COMPLETE the helper takes the delta out of skb->csum, as IPv4 needs it, where the header's own
         * checksum absorbs the addresses. IPv6 has none: the addresses and the L4 checksum cancel out, so the delta
         * goes back (BPF_F_IPV6 says so to the helper only since Linux 6.16). The hop limit's change is in no checksum
         * at all. Both calls fail, harmlessly, for other skbs.
         */
        bpf_csum_update(ctx, address_delta);
        if (forwarded)
            bpf_csum_update(ctx, (__u16)~bpf_htons(1));
    }
    return UNDECIDED;
}

#endif
