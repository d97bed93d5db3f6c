/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rewrite: addresses, ports, TTL, Ethernet addresses, checksums; all from what the flow carries. The L4 checksum is
 * the context's business: in XDP it lies in the packet, an skb may leave it to the device (CHECKSUM_PARTIAL).
 */
#ifndef WEIR_TRANSLATE_H
#define WEIR_TRANSLATE_H

#include "bpf/checksum.h"
#include "bpf/packet.h"

/* Lowering the TTL by one lowers the header's word {TTL, protocol} by 0x0100 in network order: (new - old) as a delta.
 */
#define TTL_DELTA ((__u16)~bpf_htons(0x0100))

/* forwarded: this hook finishes the packet, so it does what a router does (TTL, Ethernet addresses). */
static __always_inline int translate(context *ctx, const struct packet *p, __u8 family, const struct flow *f,
                                     int forwarded)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;
    __u16 *ports = data + p->l4_offset; /* source, destination: TCP and UDP alike */

    if ((void *)(ports + 2) > data_end)
        return VERDICT_PASS_MALFORMED;
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
    ports[0] = f->source_port_be;
    ports[1] = f->destination_port_be;
    if (forwarded && !p->to_neighbour) {
        __builtin_memcpy(eth->h_dest, f->destination_mac, ETH_ALEN);
        __builtin_memcpy(eth->h_source, f->source_mac, ETH_ALEN);
    }
    return context_l4_checksum(ctx, p, family, f, forwarded);
}

#endif
