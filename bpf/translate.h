/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rewrites a packet by what its flow carries: addresses, ports, TTL, Ethernet addresses, checksums. The context writes
 * the transport checksum: in XDP it lies in the packet, an skb may leave it to the device (CHECKSUM_PARTIAL).
 */
#ifndef WEIR_TRANSLATE_H
#define WEIR_TRANSLATE_H

#include "bpf/checksum.h"
#include "bpf/packet.h"
#include "bpf/sctp.h"

/* The change (new - old) of the IPv4 header's sum by a TTL lowered by one: the word {TTL, protocol} falls by 0x0100. */
#define TTL_DELTA ((__u16)~bpf_htons(0x0100))

static __always_inline int sctp_ports(context *ctx, const struct packet *p, const struct flow *f)
{
    void *sctp = context_data(ctx) + l4_offset_of(p);
    __u32 *ports = sctp, *check = sctp + SCTP_CHECKSUM_OFFSET;

    if ((void *)(check + 1) > context_data_end(ctx))
        return VERDICT_PASS_MALFORMED;
    __u32 change = *ports ^ (f->source_port_be | (__u32)f->destination_port_be << 16);
    if (!change)
        return UNDECIDED;
    /* The checksum is over the whole datagram, and how long that is a first fragment does not say. */
    if (p->kind != PACKET_WHOLE)
        return VERDICT_DROP_VIP_PROTOCOL;
    *ports ^= change;
    *check ^= sctp_checksum_change(change, p->end - p->l4_offset);
    return UNDECIDED;
}

/* Writes the Ethernet addresses of the next hop, unless the kernel will. */
static __always_inline void ethernet_forward(struct ethhdr *eth, const struct decision *d, const struct flow *f)
{
    if (d->to_neighbour)
        return;
    __builtin_memcpy(eth->h_dest, f->destination_mac, ETH_ALEN);
    __builtin_memcpy(eth->h_source, f->source_mac, ETH_ALEN);
}

/* Rewrites a packet. forwarded: this hook does what a router does, so the TTL and the Ethernet addresses change too. */
static __always_inline int translate(context *ctx, const struct packet *p, const struct decision *d, __u8 family,
                                     const struct flow *f, int forwarded)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;
    /* Every protocol begins with the source and the destination port. A later fragment has none. */
    __u16 *ports = data + l4_offset_of(p);
    int has_ports = p->kind != PACKET_LATER_FRAGMENT;

    if (has_ports && (void *)(ports + 2) > data_end)
        return VERDICT_PASS_MALFORMED;
    if (has_ports && p->protocol == IPPROTO_SCTP) {
        int verdict = sctp_ports(ctx, p, f);
        if (verdict != UNDECIDED)
            return verdict;
    }
    if (family == FAMILY_IPV4) {
        const struct flow4 *f4 = (const struct flow4 *)f;
        struct iphdr *ip = data + ETH_HLEN;
        if ((void *)(ip + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        ip->saddr = f4->source_be;
        ip->daddr = f4->destination_be;
        ip->check = csum_apply(ip->check, f->address_delta + (forwarded ? TTL_DELTA : 0));
        if (forwarded)
            ip->ttl = p->ttl - 1;
    } else {
        const struct flow6 *f6 = (const struct flow6 *)f;
        struct ipv6hdr *ip = data + ETH_HLEN;
        if ((void *)(ip + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        __builtin_memcpy(&ip->saddr, &f6->source, sizeof(ip->saddr));
        __builtin_memcpy(&ip->daddr, &f6->destination, sizeof(ip->daddr));
        if (forwarded)
            ip->hop_limit = p->ttl - 1;
    }
    if (forwarded)
        ethernet_forward(eth, d, f);
    if (!has_ports || p->protocol == IPPROTO_SCTP) {
        if (family == FAMILY_IPV6)
            context_sum_changed(ctx, f->address_delta, forwarded);
        return UNDECIDED;
    }
    /*
     * Checked above already, but Linux 6.1 does not remember under which condition. The barrier keeps clang from
     * dropping the second check.
     */
    barrier_var(ports);
    if ((void *)(ports + 2) > data_end)
        return VERDICT_PASS_MALFORMED;
    /* Both ports are one word of the packet and of the flow. Their change is folded as far as the checksum needs. */
    __u32 *both = (__u32 *)ports, after;
    __builtin_memcpy(&after, __builtin_assume_aligned(&f->source_port_be, sizeof(after)), sizeof(after));
    __u64 change = csum_difference_word(0, *both, after);
    *both = after;
    return context_l4_checksum(ctx, p, family, f->address_delta, (change & 0xffff) + (change >> 16), forwarded);
}

#endif
