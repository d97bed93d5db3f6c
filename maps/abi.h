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
#define WEIR_STATIC_ASSERT(cond, why) static_assert(cond, why)
#else
#define WEIR_STATIC_ASSERT(cond, why) _Static_assert(cond, why)
#endif

#include "maps/abi_verdict.h"

#ifdef __cplusplus
namespace weir::abi {
#endif

enum abi_constants {
    WEIR_ABI_VERSION = 5,
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

/* The fate of a new flow of one scope. The plan resolves every policy into this; the datapath knows no policy. */
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
    VIP_OF_NODE = 1,        /* a node or another proxy serves it too: a packet that no frontend wants is passed on */
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

/* ---- SNAT ports ---------------------------------------------------------------------------------------------------
 */

/*
 * Map `snat_usage` (hash): how many ports of datapath_config's range do flows hold? A port is one flow's for these four
 * together, since they are what all replies have in common: whatever Service or backend id a flow came by. Writer:
 * sweeper. Reader: agent, command line.
 */
struct snat_usage_key {
    struct address source; /* of this node */
    struct address backend;
    __be16 backend_port_be;
    __u8 protocol;
    __u8 pad;
};
WEIR_STATIC_ASSERT(sizeof(struct snat_usage_key) == 36, "snat_usage_key");

/* Result of the last sweep in the first two fields; the others are the sweeper's own. It deletes an entry without
 * flows. */
struct snat_usage {
    __u32 kept;     /* by assured flows that are open: no other flow gets these */
    __u32 yielding; /* by flows that are not assured or are closed: these give way to new ones (bpf/port.h) */
    __u32 counted_kept;
    __u32 counted_yielding;
    __u64 sweep; /* which one has counted these: ns of CLOCK_MONOTONIC at its beginning */
};
WEIR_STATIC_ASSERT(sizeof(struct snat_usage) == 24, "snat_usage");

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

/* Argument and answer of the sweeper (SEC("syscall")). */
struct sweep_result {
    __u64 visited;
    __u64 expired;
    __u64 closed;
    __u64 orphaned; /* UDP and SCTP flows whose backend is gone */
    __u64 at_rest;  /* 1: no flow can be there, and none was looked for */
};

#ifdef __cplusplus
}
#endif

#include "maps/abi_config.h"
#include "maps/abi_flow.h"

#endif
