/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shared ABI: keys and values of every map, seen by the datapath (C, bpf/) and by user space (C++, loader/).
 *
 * Rules of this header:
 *  - fixed-size types, explicit padding (always written as zero: a hash map compares padding too), asserted sizes;
 *  - a name that ends in _be, or the types __be16/__be32, is in network byte order; everything else is in host order;
 *  - every struct names its writer and its reader;
 *  - a change of any layout or meaning raises WEIR_ABI_VERSION: an agent adopts pinned maps of its own version only.
 *
 * A tick is 2^24 ns (about 16.8 ms) of CLOCK_MONOTONIC: 32 bits last for 2.3 years of uptime, and the coarse clock that
 * the datapath reads is no finer than that anyway.
 */
#ifndef WEIR_MAPS_ABI_H
#define WEIR_MAPS_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
namespace weir::abi {
#define WEIR_STATIC_ASSERT(cond, why) static_assert(cond, why)
#else
#define WEIR_STATIC_ASSERT(cond, why) _Static_assert(cond, why)
#endif

enum abi_constants {
    WEIR_ABI_VERSION = 3,
    TICK_SHIFT = 24,         /* ticks = nanoseconds >> TICK_SHIFT */
    SLOTS_PER_LINE = 16,     /* backend ids in one element of the map `slots` (one cache line) */
    SERVICE_NAME_SIZE = 192, /* "namespace/name:port": 63 + 1 + 63 + 1 + 63 and the final NUL */
    BACKEND_NONE = 0,        /* backend id 0 is never given out */
    PAIR_SLOTS = 8,          /* in one element of the map `unassured_index` (one cache line) */
};

/* One form for both families: an IPv4 address a.b.c.d is ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
struct address {
    union {
        __u8 bytes[16];     /* network byte order */
        __be32 words_be[4]; /* the same; gives the alignment that lets BPF copy by words */
    };
};
WEIR_STATIC_ASSERT(sizeof(struct address) == 16, "address");

/* ---- frontends: where a service port is reached ---------------------------------------------------------------- */

/* Map `frontends` (hash). Writer: agent. Reader: datapath, once per new flow. */
struct frontend_key {
    struct address address;
    __be16 port_be;
    __u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    __u8 pad;
};
WEIR_STATIC_ASSERT(sizeof(struct frontend_key) == 20, "frontend_key");

enum frontend_kind {
    FRONTEND_CLUSTER_IP = 1,
    FRONTEND_NODE_PORT = 2,
    FRONTEND_EXTERNAL_IP = 3,
    FRONTEND_LOAD_BALANCER = 4,
};

/* What happens to a new flow of one scope. The plan resolves every policy into this; the datapath knows none. */
enum scope_action {
    SCOPE_BALANCE = 0,  /* choose from the range (its length is not 0) */
    SCOPE_REJECT = 1,   /* no usable endpoint anywhere */
    SCOPE_NO_LOCAL = 2, /* traffic policy Local, endpoints elsewhere only: drop */
    SCOPE_CLOSED = 3,   /* not offered to this scope (a ClusterIP to the outside): drop */
};

/* Slots [offset, offset + length) of the flat slot array; offset is a multiple of SLOTS_PER_LINE. */
struct slot_range {
    __u32 offset; /* in slots */
    __u32 length; /* in slots; 0 unless the action is SCOPE_BALANCE */
};

enum frontend_flags {
    FRONTEND_SOURCE_RANGES = 1, /* only sources in `source_ranges` may come in, whatever their scope */
    FRONTEND_AFFINITY = 2,      /* sessionAffinity: ClientIP */
    FRONTEND_OF_NODE = 4,       /* the address is one of the node's (see VIP_OF_NODE); for the agent */
};

struct frontend {
    struct slot_range cluster;  /* for packets of scope cluster: pods of this node, the node itself */
    struct slot_range external; /* for packets of scope external: uplinks */
    __u32 service_id;           /* key into `services` */
    __u8 kind;                  /* enum frontend_kind */
    __u8 cluster_action;        /* enum scope_action */
    __u8 external_action;       /* enum scope_action */
    __u8 flags;                 /* enum frontend_flags */
    __u32 affinity_ticks;       /* how long a client stays with its backend after its last new connection */
    __u8 cluster_members;       /* the flag of struct backend that tells whether the range of this scope holds it: */
    __u8 external_members;      /* BACKEND_IN_CLUSTER_SET or BACKEND_IN_LOCAL_SET */
    __u8 pad[2];
};
WEIR_STATIC_ASSERT(sizeof(struct frontend) == 32, "frontend");

enum vip_flags {
    VIP_OF_NODE = 1, /* somebody else serves it too (a node, another proxy): what no frontend wants is passed on */
    VIP_CLOSED_OUTSIDE = 2, /* nothing of it is offered to uplinks (a ClusterIP) */
};

/*
 * Map `vips` (hash, key: struct address): the addresses that frontends have. Writer: agent. Reader: datapath, for every
 * packet without a flow: one lookup tells that it is none of ours.
 */
struct vip {
    __u32 flags; /* enum vip_flags */
};
WEIR_STATIC_ASSERT(sizeof(struct vip) == 4, "vip");

/*
 * Map `source_ranges` (LPM trie; the value is 1): who may reach the frontends of a service port that have
 * FRONTEND_SOURCE_RANGES. Writer: agent. Reader: datapath, once per new flow to such a frontend.
 */
struct source_range_key {
    __u32 prefix_length;  /* in bits: 32 for the id, then those of the address in its 16-byte form */
    __be32 service_id_be; /* the kernel compares bits in memory order */
    struct address address;
};
WEIR_STATIC_ASSERT(sizeof(struct source_range_key) == 24, "source_range_key");

/* Map `affinity` (LRU hash). Writer and reader: datapath, once per new flow to a frontend with FRONTEND_AFFINITY. */
struct affinity_key {
    struct address client;
    __u32 service_id;
};
WEIR_STATIC_ASSERT(sizeof(struct affinity_key) == 20, "affinity_key");

struct affinity {
    __u32 backend_id;
    __u32 last_new; /* ticks: the client's last new connection */
};
WEIR_STATIC_ASSERT(sizeof(struct affinity) == 8, "affinity");

/* Map `slots` (array). Key: slot / SLOTS_PER_LINE. Writer: agent. Reader: datapath, once per new flow. */
struct slot_line {
    __u32 backend_id[SLOTS_PER_LINE];
};
WEIR_STATIC_ASSERT(sizeof(struct slot_line) == 64, "slot_line is one cache line");

/* ---- backends ---------------------------------------------------------------------------------------------------- */

enum backend_flags {
    BACKEND_IN_USE = 1,         /* unset: the id is free, or its backend takes no new connections any more */
    BACKEND_IN_CLUSTER_SET = 2, /* in the set for sources and policies that see the whole cluster */
    BACKEND_IN_LOCAL_SET = 4,   /* in the set of this node's endpoints (traffic policy Local) */
};

/* Map `backends` (array, key: backend id). Writer: agent. Reader: datapath (new flows, SYNs), sweeper. */
struct backend {
    struct address address;
    __be16 port_be;
    __u8 protocol;
    __u8 flags;       /* enum backend_flags */
    __u32 service_id; /* a backend is an endpoint of one service port */
};
WEIR_STATIC_ASSERT(sizeof(struct backend) == 24, "backend");

/* Map `services` (hash, key: service id). Writer: agent. Reader: people, the command line, a starting agent. */
struct service_name {
    char name[SERVICE_NAME_SIZE]; /* "namespace/name:port", NUL terminated; an unnamed port leaves it at
                                     "namespace/name:" */
};
WEIR_STATIC_ASSERT(sizeof(struct service_name) == 192, "service_name");

/* ---- flows ------------------------------------------------------------------------------------------------------- */

/* Map `flows4` (LRU hash): one direction of an assured connection, as seen on the wire. */
struct flow4_key {
    __be32 source_be;
    __be32 destination_be;
    __be16 source_port_be;
    __be16 destination_port_be;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct flow4_key) == 16, "flow4_key");

/* Map `flows6` (LRU hash): the same. */
struct flow6_key {
    struct address source;
    struct address destination;
    __be16 source_port_be;
    __be16 destination_port_be;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct flow6_key) == 40, "flow6_key");

enum flow_flags {
    FLOW_REPLY = 1 << 0,      /* backend -> client; unset: client -> backend */
    FLOW_AT_EGRESS = 1 << 1,  /* rewritten at tc egress (reply of a flow that goes through the host stack) */
    FLOW_REDIRECT = 1 << 2,   /* finished at ingress: rewritten, TTL lowered, sent to the next hop */
    FLOW_SNAT = 1 << 3,       /* the source is rewritten to an address of this node */
    FLOW_NO_XDP = 1 << 4,     /* the next hop cannot be served from XDP: left to tc */
    FLOW_SEEN_REPLY = 1 << 5, /* (forward) a packet came back: the next forward packet promotes the pair */
    FLOW_ASSURED = 1 << 6,    /* lives in the main table */
    FLOW_FIN = 1 << 7,        /* this direction sent its FIN */
    FLOW_PEER_FIN = 1 << 8,   /* the other direction sent its FIN */
    FLOW_CLOSING = 1 << 9,    /* both FINs or a RST were seen: short timeout, a new SYN starts afresh */
    FLOW_MTU_SHIFT = 16,      /* the upper half of the flags: what the next hop takes at most, in octets from L3 on */
};

/*
 * What a packet of a known flow needs, whatever its family. Writer and reader: datapath; the sweeper deletes; the
 * command line lists. A table element is 48 bytes of kernel header, the key, the value: for IPv4 the lookup touches the
 * first 64-byte line (header and key) and struct flow4 is exactly the second one.
 */
struct flow {
    __be16 source_port_be; /* ports after the rewrite */
    __be16 destination_port_be;
    __u16 address_delta; /* one's complement sum of (new - old) address words, folded; in packet byte order */
    __u16 port_delta;    /* the same for the two ports */
    __u32 flags;         /* enum flow_flags; set by atomic or, since both directions may do so at once. The upper half
                            (FLOW_MTU_SHIFT) is written with the next hop, as 16 bits of its own; 0: not known */
    __u32 last_seen;     /* ticks */
    __u32 route_generation; /* the next hop below is valid while this equals runtime.route_generation */
    __u32 ifindex;          /* next hop (FLOW_REDIRECT only): device and Ethernet addresses */
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

/* Map `unassured_head` (array of one). Writer and reader: datapath, which takes sequences from it in small lots. */
struct pair_head {
    __u32 next;
};
WEIR_STATIC_ASSERT(sizeof(struct pair_head) == 4, "pair_head");

/*
 * Map `fragments` (LRU hash): which ports belong to an IP datagram? Writer: datapath, on first fragments. Reader:
 * datapath, on later ones.
 */
struct fragment_key {
    struct address source;
    struct address destination;
    __be32 id_be;  /* IPv4: the 16-bit identification, in the low-addressed half */
    __u8 protocol; /* IPv4: of the transport header; IPv6: what follows the fragment header */
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct fragment_key) == 40, "fragment_key");

struct fragment {
    __be16 source_port_be;
    __be16 destination_port_be;
    __u8 protocol; /* of the transport header, which IPv6 may have behind further extension headers */
    __u8 pad[3];
};
WEIR_STATIC_ASSERT(sizeof(struct fragment) == 8, "fragment");

/*
 * Map `socket_peers` (LRU hash): sockets of the node that were sent to a backend in a frontend's place. Writer: socket
 * hooks (connect, sendmsg; sock_release deletes what a connected socket had). Reader: socket hooks, and the agent,
 * which aborts UDP sockets that are connected to removed backends.
 *
 * An entry of side SOCKET_PEER_BACKEND says which frontend a backend stands for: whom the socket is told that it speaks
 * with. One of side SOCKET_PEER_FRONTEND (UDP sockets that are not connected) says which backend the datagrams to a
 * frontend go to: as long as it is there, they all go to the same one.
 */
enum socket_peer_side {
    SOCKET_PEER_BACKEND = 0,
    SOCKET_PEER_FRONTEND = 1,
};

struct socket_peer_key {
    __u64 cookie; /* of the socket */
    struct address address;
    __be16 port_be;
    __u8 protocol;
    __u8 side; /* enum socket_peer_side: which of the two the address is */
    __u8 pad[4];
};
WEIR_STATIC_ASSERT(sizeof(struct socket_peer_key) == 32, "socket_peer_key");

struct socket_peer {
    /* Of the other side; a frontend's as the socket named it, which may be a loopback address. */
    struct address address;
    __be16 port_be;
    __u8 pad[2];
    __u32 backend_id;
};
WEIR_STATIC_ASSERT(sizeof(struct socket_peer) == 24, "socket_peer");

/* ---- the node ---------------------------------------------------------------------------------------------------- */

enum device_flags {
    DEVICE_UPLINK = 1,   /* traffic that leaves here leaves the node */
    DEVICE_XDP_XMIT = 2, /* weir runs native XDP here, so the driver accepts redirected XDP frames */
};

/* Map `devices` (hash, key: ifindex). Writer: agent (netlink). Reader: datapath, when it looks up a next hop. */
struct device {
    __be32 source4_be;      /* source address for SNAT out of this device; 0: none */
    __u32 flags;            /* enum device_flags */
    struct address source6; /* all zero: none */
};
WEIR_STATIC_ASSERT(sizeof(struct device) == 24, "device");

/* Map `runtime` (array of one). Writer: agent. Reader: datapath, sweeper, an adopting agent. */
struct runtime {
    __u32 abi_version;      /* WEIR_ABI_VERSION of the agent that made the maps */
    __u32 route_generation; /* starts at 1; raised on route, neighbour and link events: cached next hops are stale */
    __be32 node4_be; /* the node's first address of each family: the source of a pod that reaches itself through */
    __u32 pad;       /* its service, where the route prefers none; 0: none */
    struct address node6;
};
WEIR_STATIC_ASSERT(sizeof(struct runtime) == 32, "runtime");

/* ---- verdicts ---------------------------------------------------------------------------------------------------- */

/*
 * Every way that a packet can go. Map `verdicts` (per-CPU array, key: enum verdict): one counter each. The names that
 * people see are in maps/verdict.hpp.
 */
enum verdict {
    /* untouched */
    VERDICT_PASS_NOT_IP = 0,
    VERDICT_PASS_PROTOCOL,    /* none that is translated, or extension headers beyond the bound */
    VERDICT_PASS_MALFORMED,   /* headers that do not add up: the host stack drops it */
    VERDICT_PASS_FRAGMENT,    /* a later fragment whose first one was not seen */
    VERDICT_PASS_NO_FRONTEND, /* not ours */
    VERDICT_PASS_OTHER_HOOK,  /* a known flow that another hook rewrites */
    VERDICT_PASS_TO_TC,       /* XDP leaves it to tc ingress */
    /* rewritten */
    VERDICT_DELIVER,       /* forward direction, on to the host stack */
    VERDICT_FORWARD,       /* forward direction, sent to the next hop */
    VERDICT_REPLY_DELIVER, /* reply direction, rewritten at egress */
    VERDICT_REPLY_FORWARD, /* reply direction, sent to the next hop */
    /* answered in the place of the addressee, see bpf/reject.h */
    VERDICT_ECHO_REPLY,        /* a VIP answers ping */
    VERDICT_REJECT_NO_BACKEND, /* no usable endpoint anywhere: RST, or port unreachable */
    VERDICT_REJECT_NO_PORT,    /* a VIP's unused port: the same */
    VERDICT_ANSWER_TOO_BIG,    /* larger than the next hop takes: fragmentation needed, or packet too big */
    VERDICT_ANSWER_TTL,        /* time exceeded */
    /* dropped */
    VERDICT_FIRST_DROP,
    VERDICT_DROP_ANSWER_LIMIT = VERDICT_FIRST_DROP, /* would be answered, but too many were lately */
    VERDICT_DROP_NO_ANSWER,                         /* would be answered, but may not be (a RST) or cannot be */
    VERDICT_DROP_NO_LOCAL_BACKEND,
    VERDICT_DROP_CLOSED_FRONTEND,
    VERDICT_DROP_SOURCE_RANGE,  /* the source is in none of loadBalancerSourceRanges */
    VERDICT_DROP_SERVICE_RANGE, /* an address of the service CIDR that no Service has */
    VERDICT_DROP_VIP_PROTOCOL,  /* a VIP has TCP, UDP, SCTP and ping; and no SCTP in fragments whose ports change */
    VERDICT_DROP_STRAY_RST,     /* a RST to a frontend that belongs to no flow creates none */
    VERDICT_DROP_NO_ROUTE,
    VERDICT_DROP_NO_SNAT_ADDRESS,
    VERDICT_DROP_NO_SNAT_PORT,
    VERDICT_DROP_TABLE,         /* the kernel refused a flow entry */
    VERDICT_DROP_STALE_BACKEND, /* a slot named a backend that is gone: an agent's error, never seen in health */
    VERDICT_COUNT,
};

struct verdict_count {
    __u64 packets;
    __u64 octets;
};

/* ---- configuration fixed at load (.rodata of every program) -------------------------------------------------------
 */

/* One range of addresses: those whose bits under the mask are the base's. An all-zero mask: no range. */
struct address_range {
    struct address base;
    struct address mask;
};

struct datapath_config {
    __u32 seed;          /* of the choice of backends; the same on every node of a cluster */
    __u16 snat_port_min; /* inclusive */
    __u16 snat_port_max; /* inclusive */
    /* timeouts, in ticks */
    __u32 timeout_unassured_tcp;
    __u32 timeout_unassured_udp;
    __u32 timeout_tcp;
    __u32 timeout_closing;
    __u32 timeout_udp;
    __u32 fib_source; /* 1: bpf_fib_lookup tells the preferred source (BPF_FIB_LOOKUP_SRC, Linux >= 6.7) */
    struct address_range service_ranges[2]; /* one of each family at most */
    __u64 netns_cookie;    /* of the node: sockets elsewhere are pods' and left to tc; 0: every socket is translated */
    __u32 unassured_pairs; /* elements of the map `unassured`: a power of two */
    __u32 pad;
};
WEIR_STATIC_ASSERT(sizeof(struct datapath_config) == 112, "datapath_config");

/* Argument and answer of the sweeper (SEC("syscall")). */
struct sweep_result {
    __u64 visited;
    __u64 expired;
    __u64 closed;
    __u64 orphaned; /* UDP and SCTP flows whose backend is gone */
};

#ifdef __cplusplus
}
#endif

#endif
