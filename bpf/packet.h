/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet: the facts that the parser has read (bpf/parse.h), and what the core decides about it. */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "bpf/address.h"

/* Steps of the core return an enum verdict once the packet's way is decided, and this until then. */
enum { UNDECIDED = -1 };

enum tcp_flag_bits {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_ACK = 0x10,
};

/* The fast path knows the first one only. */
enum packet_kind {
    PACKET_WHOLE, /* TCP, UDP or SCTP with its ports */
    PACKET_FIRST_FRAGMENT,
    PACKET_LATER_FRAGMENT, /* its ports are to be had from the map `fragments` */
    PACKET_ICMP,           /* ICMP or ICMPv6 */
    PACKET_OTHER,          /* another protocol */
};

/*
 * The facts of a packet, read by the parser from a frame or from the quotation in an ICMP error. Only a later
 * fragment's ports and transport protocol come from elsewhere (bpf/fragment.h). No other step writes to it.
 */
struct packet {
    union {
        struct flow4_key v4;
        struct flow6_key v6;
    } key __attribute__((aligned(8))); /* the 5-tuple as seen on the wire: the flow key of the packet's family */
    __u32 l4_offset;
    __u32 end;      /* of the packet, as an offset into the frame; behind it lies padding (RFC 894) */
    __u32 length;   /* octets, L2 header included */
    __u32 segments; /* packets on the wire: more than 1 for GSO */
    __be32 fragment_id_be;
    __u8 protocol;
    __u8 tcp_flags; /* 0 but for TCP */
    __u8 ttl;       /* or hop limit */
    __u8 kind;      /* enum packet_kind */
};

/* The core's decisions beside the verdict. The entry function, or the answer, carries the verdict out by them. */
struct decision {
    __u32 out_ifindex;  /* for a verdict that redirects */
    __u32 to_neighbour; /* the kernel has to resolve the next hop while it redirects (tc only) */
    __u32 mtu;          /* for VERDICT_ANSWER_TOO_BIG: what the next hop takes, in octets from L3 on */
};

/*
 * No transport header that the parser finds lies behind this, quoted or not: twice 6 extension headers of 2,048 octets.
 * l4_offset_of() repeats the bound where the verifier looks at a function by itself and cannot know it.
 */
#define HEADERS_MAX 0x7fff

static __always_inline __u32 l4_offset_of(const struct packet *p)
{
    return p->l4_offset & HEADERS_MAX;
}

static __always_inline void tuple_of(const struct packet *p, __u8 family, struct flow6_key *tuple)
{
    if (family == FAMILY_IPV4) {
        __builtin_memset(tuple, 0, sizeof(*tuple));
        tuple->source = mapped_address(p->key.v4.source_be);
        tuple->destination = mapped_address(p->key.v4.destination_be);
        tuple->source_port_be = p->key.v4.source_port_be;
        tuple->destination_port_be = p->key.v4.destination_port_be;
        tuple->protocol = p->key.v4.protocol;
    } else {
        *tuple = p->key.v6;
    }
}

/* Writes the tuple of packets that go the other way. */
static __always_inline void tuple_reverse(const struct flow6_key *tuple, struct flow6_key *reverse)
{
    reverse->source = tuple->destination;
    reverse->destination = tuple->source;
    reverse->source_port_be = tuple->destination_port_be;
    reverse->destination_port_be = tuple->source_port_be;
    reverse->protocol = tuple->protocol;
    __builtin_memset(reverse->pad, 0, sizeof(reverse->pad));
}

/*
 * Has an IPv6 packet a mapped IPv4 address? The tables have one form for both families, so it would reach IPv4
 * frontends past the rules that guard them. The host stack drops it (draft-itojun-v6ops-v4mapped-harmful).
 */
static __always_inline int has_mapped_address(__u8 family, const struct flow6_key *tuple)
{
    return family == FAMILY_IPV6 && (is_mapped(&tuple->source) || is_mapped(&tuple->destination));
}

#endif
