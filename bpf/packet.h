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

#endif
