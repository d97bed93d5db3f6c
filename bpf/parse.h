/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parse once: Ethernet, IPv4 or IPv6, TCP or UDP into struct packet. Nobody looks at headers again but the rewrite. The
 * including program has included its context header.
 */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include "bpf/packet.h"

/* IPv4: low 13 bits of frag_off are the offset, bit 13 is "more fragments" (RFC 791). */
#define IPV4_FRAGMENT_BITS bpf_htons(0x3fff)

/*
 * More than two extension headers on one packet are already unusual; a bound keeps a hostile chain from costing more
 * than a lookup does, and the verifier content.
 */
#define IPV6_EXTENSIONS_MAX 6

/*
 * Where the packet ends by its own account, as an offset into the frame. 0: its length and the frame do not go together.
 * GSO packets may be larger than 16 bits can say (BIG TCP writes 0); nobody else may leave the length out.
 */
static __always_inline __u32 packet_end(context *ctx, struct packet *p, __u32 said, __u32 not_said)
{
    if (!said)
        return p->segments > 1 ? p->length : 0;
    if (not_said + said > p->length)
        p->length = context_length(ctx);
    return not_said + said > p->length ? 0 : not_said + said;
}

/* end: of the packet, as an offset into the frame; behind it lies padding (RFC 894). */
static __always_inline int parse_ports(void *data, void *data_end, struct packet *p, __u32 end, __be16 *source_port,
                                       __be16 *destination_port)
{
    void *l4 = data + p->l4_offset;

    if (p->protocol == IPPROTO_TCP) {
        struct tcphdr *tcp = l4;
        if ((void *)(tcp + 1) > data_end || p->l4_offset + sizeof(*tcp) > end)
            return VERDICT_PASS_MALFORMED;
        *source_port = tcp->source;
        *destination_port = tcp->dest;
        p->tcp_flags = ((__u8 *)tcp)[13];
        return UNDECIDED;
    }
    if (p->protocol == IPPROTO_UDP) {
        struct udphdr *udp = l4;
        if ((void *)(udp + 1) > data_end || p->l4_offset + sizeof(*udp) > end)
            return VERDICT_PASS_MALFORMED;
        *source_port = udp->source;
        *destination_port = udp->dest;
        p->tcp_flags = 0;
        return UNDECIDED;
    }
    return VERDICT_PASS_PROTOCOL;
}

static __always_inline int parse_ipv4(context *ctx, void *data, void *data_end, struct packet *p)
{
    struct iphdr *ip = data + ETH_HLEN;

    if ((void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
        return VERDICT_PASS_MALFORMED;
    __u32 header = ip->ihl * 4;
    __u32 end = packet_end(ctx, p, bpf_ntohs(ip->tot_len), ETH_HLEN);
    if (!end)
        return VERDICT_PASS_MALFORMED;
    if (ip->frag_off & IPV4_FRAGMENT_BITS)
        return VERDICT_PASS_FRAGMENT;

    p->protocol = ip->protocol;
    p->ttl = ip->ttl;
    p->l4_offset = ETH_HLEN + header;
    p->key.v4.source_be = ip->saddr;
    p->key.v4.destination_be = ip->daddr;
    __builtin_memset(p->key.v4.pad, 0, sizeof(p->key.v4.pad));
    p->key.v4.protocol = ip->protocol;
    return parse_ports(data, data_end, p, end, &p->key.v4.source_port_be, &p->key.v4.destination_port_be);
}

/* Walks extension headers (RFC 8200, section 4) until a transport header or the bound. */
static __always_inline int skip_extensions(void *data, void *data_end, struct packet *p)
{
    struct extension {
        __u8 next;
        __u8 length; /* in 8 octets, the first 8 not counted */
    };

    for (int i = 0; i <= IPV6_EXTENSIONS_MAX; i++) {
        switch (p->protocol) {
        case IPPROTO_FRAGMENT:
            return VERDICT_PASS_FRAGMENT;
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            break;
        default:
            return UNDECIDED;
        }
        struct extension *ext = data + p->l4_offset;
        if ((void *)(ext + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        p->protocol = ext->next;
        p->l4_offset += 8 + ext->length * 8;
    }
    return VERDICT_PASS_PROTOCOL;
}

static __always_inline int parse_ipv6(context *ctx, void *data, void *data_end, struct packet *p)
{
    struct ipv6hdr *ip = data + ETH_HLEN;

    if ((void *)(ip + 1) > data_end || ip->version != 6)
        return VERDICT_PASS_MALFORMED;
    __u32 end = packet_end(ctx, p, bpf_ntohs(ip->payload_len), ETH_HLEN + sizeof(*ip));
    if (!end)
        return VERDICT_PASS_MALFORMED;

    p->protocol = ip->nexthdr;
    p->ttl = ip->hop_limit;
    p->l4_offset = ETH_HLEN + sizeof(*ip);
    if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) {
        int v = skip_extensions(data, data_end, p);
        if (v != UNDECIDED)
            return v;
    }
    __builtin_memcpy(&p->key.v6.source, &ip->saddr, sizeof(p->key.v6.source));
    __builtin_memcpy(&p->key.v6.destination, &ip->daddr, sizeof(p->key.v6.destination));
    __builtin_memset(p->key.v6.pad, 0, sizeof(p->key.v6.pad));
    p->key.v6.protocol = p->protocol;
    return parse_ports(data, data_end, p, end, &p->key.v6.source_port_be, &p->key.v6.destination_port_be);
}

#endif
