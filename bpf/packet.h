/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parse once: Ethernet, IPv4 or IPv6, TCP or UDP into struct packet. Nobody looks at headers again but the rewrite. */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/abi.h"

enum family { FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

/* Steps of the core return an enum verdict once the packet's way is decided, and this until then. */
enum { UNDECIDED = -1 };

enum tcp_flag_bits {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_ACK = 0x10,
};

struct packet {
    union {
        struct flow4_key v4;
        struct flow6_key v6;
    } key __attribute__((aligned(8))); /* the 5-tuple as seen on the wire: the flow key of the packet's family */
    __u32 l4_offset;
    __u32 length;      /* octets, L2 header included */
    __u32 segments;    /* packets on the wire: more than 1 for GSO */
    __u32 out_ifindex; /* set by the core for a verdict that redirects */
    __u8 protocol;
    __u8 tcp_flags;    /* 0 for UDP */
    __u8 ttl;          /* or hop limit */
    __u8 to_neighbour; /* the core asks for a redirect that resolves the next hop (tc only) */
};

/* IPv4: low 13 bits of frag_off are the offset, bit 13 is "more fragments" (RFC 791). */
#define IPV4_FRAGMENT_BITS bpf_htons(0x3fff)

/*
 * More than two extension headers on one packet are already unusual; a bound keeps a hostile chain from costing more
 * than a lookup does, and the verifier content.
 */
#define IPV6_EXTENSIONS_MAX 6

static __always_inline void tuple_of(const struct packet *p, __u8 family, struct flow6_key *tuple)
{
    if (family == FAMILY_IPV4) {
        __builtin_memset(tuple, 0, sizeof(*tuple));
        tuple->source.words_be[2] = bpf_htonl(0xffff);
        tuple->source.words_be[3] = p->key.v4.source_be;
        tuple->destination.words_be[2] = bpf_htonl(0xffff);
        tuple->destination.words_be[3] = p->key.v4.destination_be;
        tuple->source_port_be = p->key.v4.source_port_be;
        tuple->destination_port_be = p->key.v4.destination_port_be;
        tuple->protocol = p->key.v4.protocol;
    } else {
        *tuple = p->key.v6;
    }
}

static __always_inline int parse_ports(void *data, void *data_end, struct packet *p, __be16 *source_port,
                                       __be16 *destination_port)
{
    void *l4 = data + p->l4_offset;

    if (p->protocol == IPPROTO_TCP) {
        struct tcphdr *tcp = l4;
        if ((void *)(tcp + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        *source_port = tcp->source;
        *destination_port = tcp->dest;
        p->tcp_flags = ((__u8 *)tcp)[13];
        return UNDECIDED;
    }
    if (p->protocol == IPPROTO_UDP) {
        struct udphdr *udp = l4;
        if ((void *)(udp + 1) > data_end)
            return VERDICT_PASS_MALFORMED;
        *source_port = udp->source;
        *destination_port = udp->dest;
        p->tcp_flags = 0;
        return UNDECIDED;
    }
    return VERDICT_PASS_PROTOCOL;
}

static __always_inline int parse_ipv4(void *data, void *data_end, struct packet *p)
{
    struct iphdr *ip = data + ETH_HLEN;

    if ((void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
        return VERDICT_PASS_MALFORMED;
    __u32 header = ip->ihl * 4;
    __u32 total = bpf_ntohs(ip->tot_len);
    /* GSO packets may be larger than 16 bits can say (BIG TCP writes 0). */
    if (total && (total < header || total + ETH_HLEN > p->length))
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
    return parse_ports(data, data_end, p, &p->key.v4.source_port_be, &p->key.v4.destination_port_be);
}

/* Walks extension headers (RFC 8200, section 4) until a transport header or the bound. */
static __always_inline int skip_extensions(void *data, void *data_end, struct packet *p)
{
    struct extension {
        __u8 next;
        __u8 length; /* in 8 octets, the first 8 not counted */
    };

    for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
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

static __always_inline int parse_ipv6(void *data, void *data_end, struct packet *p)
{
    struct ipv6hdr *ip = data + ETH_HLEN;

    if ((void *)(ip + 1) > data_end || ip->version != 6)
        return VERDICT_PASS_MALFORMED;
    __u32 payload = bpf_ntohs(ip->payload_len);
    if (payload && payload + sizeof(*ip) + ETH_HLEN > p->length)
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
    return parse_ports(data, data_end, p, &p->key.v6.source_port_be, &p->key.v6.destination_port_be);
}

#endif
