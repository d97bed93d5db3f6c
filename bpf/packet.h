/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known of a packet once it has been parsed (bpf/parse.h). */
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

/* The first is the only one that the fast path knows. */
enum packet_kind {
    PACKET_WHOLE, /* TCP, UDP or SCTP with its ports */
    PACKET_FIRST_FRAGMENT,
    PACKET_LATER_FRAGMENT, /* its ports are to be had from the map `fragments` */
    PACKET_ICMP,           /* ICMP or ICMPv6 */
    PACKET_OTHER,          /* another protocol */
};

struct packet {
    union {
        struct flow4_key v4;
        struct flow6_key v6;
    } key __attribute__((aligned(8))); /* the 5-tuple as seen on the wire: the flow key of the packet's family */
    __u32 l4_offset;
    __u32 end;         /* of the packet, as an offset into the frame; behind it lies padding (RFC 894) */
    __u32 length;      /* octets, L2 header included */
    __u32 segments;    /* packets on the wire: more than 1 for GSO */
    __u32 out_ifindex; /* set by the core for a verdict that redirects */
    __be32 fragment_id_be;
    __u8 protocol;
    __u8 tcp_flags;      /* 0 but for TCP */
    __u8 ttl;            /* or hop limit */
    __u8 to_neighbour;   /* the core asks for a redirect that resolves the next hop (tc only) */
    __u32 kind;          /* enum packet_kind */
    __u32 pair_sequence; /* of the flow that the packet has made */
    __u32 mtu;           /* with VERDICT_ANSWER_TOO_BIG: what the next hop takes, in octets from L3 on */
};

/*
 * No transport header of a parsed packet lies behind this: 6 extension headers of 2,048 octets. Said again where the
 * verifier, looking at a function by itself, cannot know it.
 */
#define HEADERS_MAX 0x3fff

static __always_inline __u32 l4_offset_of(const struct packet *p)
{
    return p->l4_offset & HEADERS_MAX;
}

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

static __always_inline int same_address(const struct address *a, const struct address *b)
{
    return !((a->words_be[0] ^ b->words_be[0]) | (a->words_be[1] ^ b->words_be[1]) | (a->words_be[2] ^ b->words_be[2]) |
             (a->words_be[3] ^ b->words_be[3]));
}

static __always_inline int is_mapped(const struct address *a)
{
    return !(a->words_be[0] | a->words_be[1] | (a->words_be[2] ^ bpf_htonl(0xffff)));
}

/*
 * An IPv6 packet with IPv4 addresses in it: in the one form that tables have for both families it would reach IPv4
 * frontends, past what guards them. The host stack drops it (draft-itojun-v6ops-v4mapped-harmful).
 */
static __always_inline int has_mapped_address(__u8 family, const struct flow6_key *tuple)
{
    return family == FAMILY_IPV6 && (is_mapped(&tuple->source) || is_mapped(&tuple->destination));
}

static __always_inline int is_unset(const struct address *a)
{
    return !(a->words_be[0] | a->words_be[1] | a->words_be[2] | a->words_be[3]);
}

#endif
