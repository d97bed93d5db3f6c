/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The core's view of an XDP frame. */
#ifndef WEIR_XDP_CONTEXT_H
#define WEIR_XDP_CONTEXT_H

#include "bpf/checksum.h"
#include "bpf/packet.h"

typedef struct xdp_md context;
#define CONTEXT_HAS_SKB 0

static __always_inline void *context_data(const context *ctx)
{
    return (void *)(long)ctx->data;
}

static __always_inline void *context_data_end(const context *ctx)
{
    return (void *)(long)ctx->data_end;
}

/* Returns the length of all buffers. It is a call, so the parser makes it only where the first buffer is too short. */
static __always_inline __u32 context_length(context *ctx)
{
    return bpf_xdp_get_buff_len(ctx);
}

static __always_inline __u32 context_ifindex(const context *ctx)
{
    return ctx->ingress_ifindex;
}

/* Cuts the frame to `keep` octets and then puts `front` octets before it. 0: done; pointers are stale either way. */
static __always_inline int context_reshape(context *ctx, __u32 keep, __u32 front)
{
    if (bpf_xdp_adjust_tail(ctx, (int)keep - (int)bpf_xdp_get_buff_len(ctx)))
        return -1;
    return front && bpf_xdp_adjust_head(ctx, -(int)front);
}

/* pseudo, rest: sums over the pseudo-header and over the message with a checksum field of 0. */
static __always_inline int context_write_checksum(context *ctx, __u32 offset, __u16 pseudo, __u16 rest)
{
    __u16 *check = context_data(ctx) + offset;

    if ((void *)(check + 1) > context_data_end(ctx))
        return -1;
    *check = ~csum_fold((__u64)pseudo + rest);
    return 0;
}

static __always_inline __u32 context_checksum_pending(context *ctx, const struct packet *p)
{
    return 0;
}

/* Returns the octets, from L3 on, of the largest packet that this one is on the wire. */
static __always_inline __u32 context_segment(context *ctx, const struct packet *p)
{
    return p->end - ETH_HLEN;
}

static __always_inline void context_sum_changed(context *ctx, __u16 delta, int hop_limit_lowered)
{
}

static __always_inline int context_l4_checksum(context *ctx, const struct packet *p, __u8 family, __u16 address_delta,
                                               __u32 port_delta, int forwarded)
{
    __u32 offset = l4_offset_of(p) + (p->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                                 : __builtin_offsetof(struct udphdr, check));
    __u16 *check = context_data(ctx) + offset;

    if ((void *)(check + 1) > context_data_end(ctx))
        return VERDICT_PASS_MALFORMED;
    if (p->protocol == IPPROTO_UDP && !*check)
        return UNDECIDED; /* RFC 768: the sender computed none */
    *check = csum_apply(*check, address_delta + port_delta);
    if (p->protocol == IPPROTO_UDP && !*check)
        *check = 0xffff;
    return UNDECIDED;
}

#endif
