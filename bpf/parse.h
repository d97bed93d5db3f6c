/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a packet's headers once, into struct packet: IPv4 or IPv6, then TCP, UDP, SCTP or ICMP. The same functions read
 * the packet that a frame carries and the one that an ICMP error quotes. After that only the rewrite looks at headers.
 * The including program has included its context header.
 */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include "bpf/packet.h"

/* IPv4's frag_off: the offset in 8 octets, and bit 13: more fragments (RFC 791). */
#define IPV4_FRAGMENT_OFFSET bpf_htons(0x1fff)
#define IPV4_MORE_FRAGMENTS  bpf_htons(0x2000)
/* The same in IPv6's fragment header (RFC 8200, section 4.5). */
#define IPV6_FRAGMENT_OFFSET bpf_htons(0xfff8)
#define IPV6_MORE_FRAGMENTS  bpf_htons(0x0001)

/*
 * Packets with more than two extension headers are unusual. The bound keeps a hostile chain from costing more than a
 * lookup does, and the verifier follows every round of the loop.
 */
#define IPV6_EXTENSIONS_MAX 6

#define SCTP_HEADER_LENGTH 12
#define ICMP_HEADER_LENGTH 8
/* Octets of the transport header that an ICMP error quotes at least (RFC 792); the ports of every protocol are in it.
 */
#define QUOTED_LENGTH_MIN 8

/* How much of a packet is there to be read? */
enum extent {
    EXTENT_FRAME,     /* all of it */
    EXTENT_QUOTATION, /* its beginning; struct packet's end is that of the packet that quotes it */
};

/*
 * Returns where the packet ends by its own account, as an offset into the frame. 0: its length and the frame do not go
 * together. GSO packets may be larger than 16 bits can say (BIG TCP writes 0); no other packet may leave the length
 * out.
 */
static __always_inline __u32 packet_end(context *ctx, struct packet *p, __u32 said, __u32 not_said)
{
    if (!said)
        return p->segments > 1 ? p->length : 0;
    if (not_said + said > p->length)
        p->length = context_length(ctx);
    return not_said + said > p->length ? 0 : not_said + said;
}

static __always_inline int has_l4(const struct packet *p, const void *l4, const void *data_end, __u32 octets)
{
    return l4 + octets <= data_end && p->l4_offset + octets <= p->end;
}

static __always_inline int parse_ports(void *data, void *data_end, enum extent extent, struct packet *p,
                                       __be16 *source_port, __be16 *destination_port)
{
    void *l4 = data + p->l4_offset;
    __be16 *ports = l4;

    p->tcp_flags = 0;
    if (p->protocol == IPPROTO_TCP) {
        if (!has_l4(p, l4, data_end, extent == EXTENT_FRAME ? sizeof(struct tcphdr) : QUOTED_LENGTH_MIN))
            return VERDICT_PASS_MALFORMED;
        if (extent == EXTENT_FRAME)
            p->tcp_flags = ((__u8 *)l4)[13];
    } else if (p->protocol == IPPROTO_UDP) {
        if (!has_l4(p, l4, data_end, sizeof(struct udphdr)))
            return VERDICT_PASS_MALFORMED;
    } else if (p->protocol == IPPROTO_SCTP) {
        if (!has_l4(p, l4, data_end, extent == EXTENT_FRAME ? SCTP_HEADER_LENGTH : QUOTED_LENGTH_MIN))
            return VERDICT_PASS_MALFORMED;
    } else {
        int icmp = p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
        p->kind = icmp && p->kind == PACKET_WHOLE ? PACKET_ICMP : PACKET_OTHER;
        if (icmp && !has_l4(p, l4, data_end, ICMP_HEADER_LENGTH))
            return VERDICT_PASS_MALFORMED;
        *source_port = *destination_port = 0;
        return UNDECIDED;
    }
    *source_port = ports[0];
    *destination_port = ports[1];
    return UNDECIDED;
}

/* offset: where the IPv4 header begins. */
static __always_inline int parse_ipv4(context *ctx, void *data, void *data_end, __u32 offset, enum extent extent,
                                      struct packet *p)
{
    struct iphdr *ip = data + offset;

    if ((void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
        return VERDICT_PASS_MALFORMED;
    if (extent == EXTENT_FRAME)
        p->end = packet_end(ctx, p, bpf_ntohs(ip->tot_len), offset);
    p->l4_offset = offset + ip->ihl * 4;
    if (p->l4_offset > p->end)
        return VERDICT_PASS_MALFORMED;

    p->protocol = ip->protocol;
    p->ttl = ip->ttl;
    p->kind = PACKET_WHOLE;
    p->key.v4.source_be = ip->saddr;
    p->key.v4.destination_be = ip->daddr;
    __builtin_memset(p->key.v4.pad, 0, sizeof(p->key.v4.pad));
    p->key.v4.protocol = ip->protocol;
    if (ip->frag_off & (IPV4_FRAGMENT_OFFSET | IPV4_MORE_FRAGMENTS)) {
        p->fragment_id_be = ip->id;
        p->kind = PACKET_FIRST_FRAGMENT;
        if (ip->frag_off & IPV4_FRAGMENT_OFFSET) {
            p->kind = PACKET_LATER_FRAGMENT;
            p->tcp_flags = 0;
            return UNDECIDED;
        }
    }
    return parse_ports(data, data_end, extent, p, &p->key.v4.source_port_be, &p->key.v4.destination_port_be);
}

struct ipv6_extension {
    __u8 next;
    __u8 length; /* in 8 octets, the first 8 not counted; 0 in a fragment header */
    __be16 fragment_be;
    __be32 fragment_id_be;
};

/* Walks extension headers (RFC 8200, section 4) until a transport header, a later fragment's data, or the bound. */
static __always_inline int skip_extensions(void *data, void *data_end, struct packet *p)
{
    for (int i = 0; i <= IPV6_EXTENSIONS_MAX; i++) {
        struct ipv6_extension *ext = data + p->l4_offset;

        switch (p->protocol) {
        case IPPROTO_FRAGMENT:
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            break;
        default:
            return UNDECIDED;
        }
        if ((void *)(ext + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        if (p->protocol == IPPROTO_FRAGMENT) {
            p->fragment_id_be = ext->fragment_id_be;
            p->protocol = ext->next;
            p->l4_offset += 8;
            if (ext->fragment_be & IPV6_FRAGMENT_OFFSET) {
                p->kind = PACKET_LATER_FRAGMENT;
                return UNDECIDED;
            }
            /* Neither offset nor more fragments: an atomic fragment (RFC 6946) is a whole packet. */
            if (ext->fragment_be & IPV6_MORE_FRAGMENTS)
                p->kind = PACKET_FIRST_FRAGMENT;
        } else {
            p->protocol = ext->next;
            p->l4_offset += 8 + ext->length * 8;
        }
    }
    return VERDICT_PASS_PROTOCOL;
}

/* offset: where the IPv6 header begins. */
static __always_inline int parse_ipv6(context *ctx, void *data, void *data_end, __u32 offset, enum extent extent,
                                      struct packet *p)
{
    struct ipv6hdr *ip = data + offset;

    if ((void *)(ip + 1) > data_end || ip->version != 6)
        return VERDICT_PASS_MALFORMED;
    if (extent == EXTENT_FRAME) {
        p->end = packet_end(ctx, p, bpf_ntohs(ip->payload_len), offset + sizeof(*ip));
        if (!p->end)
            return VERDICT_PASS_MALFORMED;
    }

    p->protocol = ip->nexthdr;
    p->ttl = ip->hop_limit;
    p->kind = PACKET_WHOLE;
    p->l4_offset = offset + sizeof(*ip);
    if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) {
        int v = skip_extensions(data, data_end, p);
        if (v != UNDECIDED)
            return v;
    }
    __builtin_memcpy(&p->key.v6.source, &ip->saddr, sizeof(p->key.v6.source));
    __builtin_memcpy(&p->key.v6.destination, &ip->daddr, sizeof(p->key.v6.destination));
    __builtin_memset(p->key.v6.pad, 0, sizeof(p->key.v6.pad));
    p->key.v6.protocol = p->protocol;
    if (p->kind == PACKET_LATER_FRAGMENT) {
        p->tcp_flags = 0;
        return UNDECIDED;
    }
    return parse_ports(data, data_end, extent, p, &p->key.v6.source_port_be, &p->key.v6.destination_port_be);
}

#endif
