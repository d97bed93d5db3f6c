/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of the shared ABI (maps/abi.h, which includes it at its end): flows, assured and not. */
#ifndef WEIR_MAPS_ABI_FLOW_H
#define WEIR_MAPS_ABI_FLOW_H

#ifdef __cplusplus
namespace weir::abi {
#endif

/* Maps `flows4` (TCP) and `flows4_udp` (UDP, SCTP), LRU hashes: one direction of an assured flow, as on the wire. */
struct flow4_key {
    __be32 source_be;
    __be32 destination_be;
    __be16 source_port_be;
    __be16 destination_port_be;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct flow4_key) == 16, "flow4_key");

/* Maps `flows6` and `flows6_udp` (LRU hashes): the same. */
struct flow6_key {
    struct address source;
    struct address destination;
    __be16 source_port_be;
    __be16 destination_port_be;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct flow6_key) == 40, "flow6_key");

/* How a flow leaves the node. Both directions of a flow have the same way; bpf/way.h says what follows from it. */
enum flow_way {
    WAY_DELIVER = 0,  /* through the host stack, with the client's address: rewritten at ingress, the reply at egress */
    WAY_REDIRECT = 1, /* from an address of this node (SNAT): both directions are finished at ingress and sent on */
};

enum flow_flags {
    FLOW_REPLY = 1 << 0,      /* backend -> client; unset: client -> backend */
    FLOW_NO_XDP = 1 << 4,     /* the next hop cannot be served from XDP: left to tc */
    FLOW_SEEN_REPLY = 1 << 5, /* (forward) a packet came back: the next forward packet promotes the pair */
    FLOW_ASSURED = 1 << 6,    /* lives in the main table */
    FLOW_FIN = 1 << 7,        /* this direction sent its FIN */
    FLOW_PEER_FIN = 1 << 8,   /* the other direction sent its FIN */
    FLOW_CLOSING = 1 << 9,    /* both FINs or a RST were seen: short timeout, a new SYN starts afresh */
    FLOW_AFFINITY = 1 << 10,  /* (forward) the backend is the one that the client had last: sessionAffinity */
    FLOW_WAY_SHIFT = 24,      /* the uppermost 8 bits: enum flow_way */
};

/*
 * All that a packet of a known flow needs, the same for both families. Writer and reader: datapath; the sweeper
 * deletes; the command line lists. A table element is 48 bytes of kernel header, the key, the value: for IPv4 the
 * lookup touches the first 64-byte line (header and key) and struct flow4 is exactly the second one.
 */
struct flow {
    __be16 source_port_be; /* ports after the rewrite */
    __be16 destination_port_be;
    __u16 address_delta;    /* one's complement sum of (new - old) address words, folded; in packet byte order */
    __u16 mtu;              /* what the next hop takes at most, in octets from L3 on; 0: not known */
    __u32 flags;            /* enum flow_flags; set by atomic or, since both directions may do so at once */
    __u32 last_seen;        /* ticks */
    __u32 route_generation; /* the next hop (mtu, ifindex, Ethernet addresses) is valid while this equals
                               runtime.route_generation. WAY_REDIRECT only */
    __u32 ifindex;
    __u8 destination_mac[6];
    __u8 source_mac[6];
    __u32 backend_id;
    __u64 packets; /* GSO packets count as their segments */
    __u64 octets;  /* L2 length as the hook sees it */
};

struct flow4 {
    struct flow flow;
    __be32 source_be; /* addresses after the rewrite */
    __be32 destination_be;
};

struct flow6 {
    struct flow flow;
    struct address source;
    struct address destination;
};
WEIR_STATIC_ASSERT(sizeof(struct flow) == 56, "flow");
WEIR_STATIC_ASSERT(sizeof(struct flow4) == 64, "flow4 is one cache line");
WEIR_STATIC_ASSERT(sizeof(struct flow6) == 88, "flow6");

/*
 * Map `unassured` (array; a ring of 2^n elements, the oldest is written over): both directions of a connection that has
 * not been seen in both yet. The tuple of a direction is what the other one makes, turned around. Writer and reader:
 * datapath; the sweeper deletes; the command line lists.
 */
struct flow_pair {
    struct flow6 forward; /* IPv4: a struct flow4 in its front part */
    struct flow6 reply;   /* the same */
    __u32 sequence;       /* of the pair; modulo the size of the ring, the element's index */
    __u8 family;          /* 4 or 6; 0: there is none */
    __u8 protocol;
    __u8 reply_syn; /* the reply that marked the pair (FLOW_SEEN_REPLY) was a SYN-ACK */
    __u8 pad;
    __u32 reply_sequence; /* TCP: what it begins with; a SYN-ACK's successor */
    __u32 made;           /* ticks */
};
WEIR_STATIC_ASSERT(sizeof(struct flow_pair) == 192, "flow_pair is three cache lines");

/*
 * Map `unassured_index` (array, as many elements as `unassured`): which pair has a tuple? The tuple's hash tells the
 * element. A slot is (hash part << 32 | sequence): bit 0 of the hash part is set (a slot of 0 is free) and bit 1 tells
 * the direction. Slots of pairs that are gone are found out by the pair's sequence. Writer and reader: datapath.
 */
struct pair_bucket {
    __u64 slots[PAIR_SLOTS];
};
WEIR_STATIC_ASSERT(sizeof(struct pair_bucket) == 64, "pair_bucket is one cache line");

/*
 * Map `unassured_head` (array of one). Writer: datapath, which takes sequences from it in small lots. Reader: datapath,
 * sweeper.
 */
struct pair_head {
    __u32 next;
};
WEIR_STATIC_ASSERT(sizeof(struct pair_head) == 4, "pair_head");

#ifdef __cplusplus
}
#endif

#endif
