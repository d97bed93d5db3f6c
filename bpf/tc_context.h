/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The core's view of an skb. */
#ifndef WEIR_TC_CONTEXT_H
#define WEIR_TC_CONTEXT_H

#include "bpf/checksum.h"
#include "bpf/packet.h"

typedef struct __sk_buff context;
#define CONTEXT_HAS_SKB 1

/* In place of a size: an skb's fragments are its segments (<linux/skbuff.h>). */
#define GSO_BY_FRAGS 0xffff

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

/* Cuts the frame to `keep` octets and then puts `front` octets before it. 0: done; pointers are stale either way. */
static __always_inline int context_reshape(context *ctx, __u32 keep, __u32 front)
{
    if (bpf_skb_change_tail(ctx, keep, 0))
        return -1;
    return front && bpf_skb_change_head(ctx, front, 0);
}

/*
 * Writes a transport checksum. pseudo, rest: the sums over the pseudo-header and over the message with a checksum field
 * of 0. Where the device fills the checksum in (CHECKSUM_PARTIAL), the field has to hold the pseudo-header's sum. A
 * program cannot ask for that state, but the helper knows it, and then leaves the field alone. Otherwise it makes
 * ~(difference - pseudo) of the field.
 */
static __always_inline int context_write_checksum(context *ctx, __u32 offset, __u16 pseudo, __u16 rest)
{
    if (bpf_skb_store_bytes(ctx, offset, &pseudo, sizeof(pseudo), 0))
        return -1;
    return bpf_l4_csum_replace(ctx, offset, 0, csum_fold((__u64)rest + 2 * (__u32)pseudo), 0) ? -1 : 0;
}

/*
 * Will the device still fill in the transport checksum? Returns the field's content with bit 16 set then, or 0. What
 * the helper does to the field tells, as above.
 */
static __always_inline __u32 context_checksum_pending(context *ctx, const struct packet *p)
{
    __u32 offset = l4_offset_of(p) + (p->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                                 : __builtin_offsetof(struct udphdr, check));
    __u16 before = 0, after = 0;

    if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) ||
        bpf_skb_load_bytes(ctx, offset, &before, sizeof(before)) || bpf_l4_csum_replace(ctx, offset, 0, 1, 0) ||
        bpf_skb_load_bytes(ctx, offset, &after, sizeof(after)))
        return 0;
    if (after == before)
        return 1 << 16 | before;
    bpf_skb_store_bytes(ctx, offset, &before, sizeof(before), 0);
    return 0;
}

/* Returns the octets, from L3 on, of the largest packet that this one is on the wire: a GSO packet is cut into
 * segments. */
static __always_inline __u32 context_segment(const context *ctx, const struct packet *p)
{
    void *l4 = context_data(ctx) + l4_offset_of(p);
    struct tcphdr *tcp = l4;

    if (!ctx->gso_size)
        return p->end - ETH_HLEN;
    if (ctx->gso_size == GSO_BY_FRAGS)
        return 0; /* SCTP: segments as its sender cut them, by the path's MTU */
    if (p->protocol != IPPROTO_TCP)
        return p->l4_offset - ETH_HLEN + sizeof(struct udphdr) + ctx->gso_size;
    if ((void *)(tcp + 1) > context_data_end(ctx))
        return 0;
    return p->l4_offset - ETH_HLEN + tcp->doff * 4 + ctx->gso_size;
}

/*
 * Tells the kernel that the sum over an IPv6 packet has changed by this much, and by a lowered hop limit: what the
 * device has summed (CHECKSUM_COMPLETE) has to follow. Both calls fail, harmlessly, for other skbs. An IPv4 header's
 * own checksum makes up for its changes.
 */
static __always_inline void context_sum_changed(context *ctx, __u16 delta, int hop_limit_lowered)
{
    bpf_csum_update(ctx, delta);
    if (hop_limit_lowered)
        bpf_csum_update(ctx, (__u16)~bpf_htons(1));
}

/*
 * Adjusts the transport checksum. The kernel's helper knows whether the checksum is complete in the packet, to be
 * filled in by the device (CHECKSUM_PARTIAL: the field holds the pseudo-header's sum, so addresses count and ports do
 * not) or already summed by the device (CHECKSUM_COMPLETE: skb->csum must follow).
 */
static __always_inline int context_l4_checksum(context *ctx, const struct packet *p, __u8 family, __u16 address_delta,
                                               __u32 port_delta, int forwarded)
{
    __u32 offset = l4_offset_of(p) + (p->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                                 : __builtin_offsetof(struct udphdr, check));
    __u64 flags = p->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

    if (bpf_l4_csum_replace(ctx, offset, 0, address_delta, flags | BPF_F_PSEUDO_HDR) ||
        bpf_l4_csum_replace(ctx, offset, 0, port_delta, flags))
        return VERDICT_PASS_MALFORMED;
    if (family == FAMILY_IPV6) {
        /*
         * With CHECKSUM_COMPLETE the helper takes the delta out of skb->csum, as IPv4 needs it, where the header's own
         * checksum absorbs the addresses. IPv6 has none: the addresses and the L4 checksum cancel out, so the delta
         * goes back (BPF_F_IPV6 says so to the helper only since Linux 6.16).
         */
        context_sum_changed(ctx, address_delta, forwarded);
    }
    return UNDECIDED;
}

#endif
