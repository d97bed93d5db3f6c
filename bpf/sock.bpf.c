// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Socket hooks (cgroup v2), through which processes in the node's own network namespace reach Services. They rewrite
 * the destination once, at connect(), or at sendmsg() for UDP sockets that are not connected, and touch no packet. The
 * kernel chooses route and source address after the hook, so a socket that is bound to no address gets the one that
 * leads to the backend. One that is bound to a loopback address gets EINVAL, from the kernel (IPv4) or from here: its
 * packets would leave the host and never be answered.
 *
 * A refused call fails at once. No packet leaves that could be answered, and a retransmission would not pass a hook
 * again.
 */
#include <linux/bpf.h>
#include <linux/errno.h>

#include "bpf/node.h"
#include "bpf/service.h"
#include "bpf/socket_address.h"
#include "bpf/socket_peer.h"
#include "bpf/verdict.h"

enum { REFUSE = 0, PROCEED = 1 };

enum call { CALL_CONNECT, CALL_SENDMSG };

static __always_inline int error_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_REJECT_NO_BACKEND:
    case VERDICT_REJECT_NO_PORT:
        return -ECONNREFUSED; /* as after a RST or a port unreachable */
    case VERDICT_DROP_SOURCE_RANGE:
        return -EPERM; /* as from a local firewall: connect(2) */
    default:
        return -EHOSTUNREACH; /* traffic policy Local and no backend here, or an address that no Service has */
    }
}

/* Makes the system call fail with an error; REFUSE alone means EPERM. */
static __always_inline int fail(int error)
{
    bpf_set_retval(error);
    return REFUSE;
}

static __always_inline int refuse(enum verdict verdict)
{
    count(HOOK_SOCKET, verdict, 1, 0);
    return fail(error_of(verdict));
}

/* Is this a TCP or UDP socket of the node? Ping sockets come here too. Cookie 0: see datapath_config. */
static __always_inline int is_ours(struct bpf_sock_addr *ctx)
{
    if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
        return 0;
    return !config.netns_cookie || bpf_get_netns_cookie(ctx) == config.netns_cookie;
}

/*
 * NodePorts are the node's, loopback included; an ExternalIP or LoadBalancer address that is the node's own must not
 * take the ports of 127.0.0.1 with it.
 */
static __always_inline int is_node_port(const struct flow6_key *tuple)
{
    struct frontend_key key = {
        .address = tuple->destination,
        .port_be = tuple->destination_port_be,
        .protocol = tuple->protocol,
    };
    struct frontend *frontend = bpf_map_lookup_elem(&frontends, &key);

    return frontend && frontend->kind == FRONTEND_NODE_PORT;
}

/*
 * Returns the number that chooses the backend. For TCP it is random: each connection is a new one, whatever its socket
 * did before. The datagrams of a UDP socket go to the same backend even after their entry in socket_peers was evicted.
 */
static __always_inline __u64 socket_hash(const struct flow6_key *tuple, __u64 cookie)
{
    if (tuple->protocol == IPPROTO_TCP)
        return (__u64)bpf_get_prandom_u32() << 32;
    return hash_mix(tuple_hash(tuple), cookie);
}

/* Writes the destination, as the socket names it, as a key of socket_peers. */
static __always_inline void named_peer(struct bpf_sock_addr *ctx, __u8 family, __u8 side, struct socket_peer_key *key)
{
    __builtin_memset(key, 0, sizeof(*key));
    key->cookie = bpf_get_socket_cookie(ctx);
    socket_address(ctx, family, &key->address);
    key->port_be = ctx->user_port;
    key->protocol = ctx->protocol;
    key->side = side;
}

/* Chooses the backend for a destination. Returns UNDECIDED with the backend filled in. */
static __always_inline int choose(const struct socket_peer_key *named, struct socket_peer *backend)
{
    struct flow6_key tuple = {
        .destination = named->address,
        .destination_port_be = named->port_be,
        .protocol = named->protocol,
    };
    struct choice choice;

    /*
     * The kernel chooses the source later. For affinity and source ranges every process of the node is the node; where
     * the node has no address of the family, it is that family's unspecified one.
     */
    __u8 family = is_mapped(&named->address) ? FAMILY_IPV4 : FAMILY_IPV6;
    if (!node_address(family, &tuple.source) && family == FAMILY_IPV4)
        tuple.source = mapped_address(0);
    if (is_this_host(&named->address)) {
        tuple.destination = tuple.source;
        if (!is_node_port(&tuple))
            return VERDICT_PASS_NO_FRONTEND;
    }
    int verdict = backend_choose(&tuple, SCOPE_CLUSTER, socket_hash(&tuple, named->cookie), &choice);
    if (verdict != UNDECIDED)
        return verdict;
    backend_remember(&choice, &tuple.source);
    socket_peer_of_choice(&choice, backend);
    return UNDECIDED;
}

static __always_inline int translate(struct bpf_sock_addr *ctx, __u8 family, enum call call)
{
    struct socket_peer_key named;
    struct socket_peer backend;

    if (!is_ours(ctx))
        return PROCEED;
    named_peer(ctx, family, SOCKET_PEER_FRONTEND, &named);
    if (call == CALL_CONNECT || !socket_peer_backend(&named, &backend)) {
        int verdict = choose(&named, &backend);
        if (verdict == VERDICT_PASS_NO_FRONTEND)
            return PROCEED;
        if (verdict != UNDECIDED)
            return refuse(verdict);
        if (call == CALL_SENDMSG)
            bpf_map_update_elem(&socket_peers, &named, &backend, BPF_ANY);
    }
    /* No backend has a loopback address. Linux sends from ::1 to anywhere, unlike from 127.0.0.0/8. */
    if (family == FAMILY_IPV6 && is_bound_to_loopback6(ctx))
        return fail(-EINVAL);
    socket_peer_remember_frontend(&named, &backend);
    set_socket_address(ctx, family, &backend.address, backend.port_be);
    return PROCEED;
}

/* Tells a socket that was sent to a backend the frontend that it asked for. */
static __always_inline int restore(struct bpf_sock_addr *ctx, __u8 family)
{
    struct socket_peer_key key;

    if (!is_ours(ctx))
        return PROCEED;
    named_peer(ctx, family, SOCKET_PEER_BACKEND, &key);
    struct socket_peer *peer = bpf_map_lookup_elem(&socket_peers, &key);
    if (peer)
        set_socket_address(ctx, family, &peer->address, peer->port_be);
    return PROCEED;
}

SEC("cgroup/connect4")
int weir_connect4(struct bpf_sock_addr *ctx)
{
    return translate(ctx, FAMILY_IPV4, CALL_CONNECT);
}

SEC("cgroup/connect6")
int weir_connect6(struct bpf_sock_addr *ctx)
{
    return translate(ctx, FAMILY_IPV6, CALL_CONNECT);
}

SEC("cgroup/sendmsg4")
int weir_sendmsg4(struct bpf_sock_addr *ctx)
{
    return translate(ctx, FAMILY_IPV4, CALL_SENDMSG);
}

SEC("cgroup/sendmsg6")
int weir_sendmsg6(struct bpf_sock_addr *ctx)
{
    return translate(ctx, FAMILY_IPV6, CALL_SENDMSG);
}

SEC("cgroup/recvmsg4")
int weir_recvmsg4(struct bpf_sock_addr *ctx)
{
    return restore(ctx, FAMILY_IPV4);
}

SEC("cgroup/recvmsg6")
int weir_recvmsg6(struct bpf_sock_addr *ctx)
{
    return restore(ctx, FAMILY_IPV6);
}

SEC("cgroup/getpeername4")
int weir_getpeername4(struct bpf_sock_addr *ctx)
{
    return restore(ctx, FAMILY_IPV4);
}

SEC("cgroup/getpeername6")
int weir_getpeername6(struct bpf_sock_addr *ctx)
{
    return restore(ctx, FAMILY_IPV6);
}

/*
 * Deletes the entry of a connected socket that is closed. A full map evicts its oldest entries, and those of
 * connections that have ended must not push out what long-lived UDP sockets depend on. (Entries of sockets that are not
 * connected stay until they are evicted.)
 */
SEC("cgroup/sock_release")
int weir_sock_release(struct bpf_sock *sk)
{
    struct socket_peer_key key = {.side = SOCKET_PEER_BACKEND};

    if (!sk->dst_port || (sk->protocol != IPPROTO_TCP && sk->protocol != IPPROTO_UDP))
        return PROCEED;
    if (config.netns_cookie && bpf_get_netns_cookie(sk) != config.netns_cookie)
        return PROCEED;
    key.cookie = bpf_get_socket_cookie(sk);
    key.port_be = sk->dst_port;
    key.protocol = sk->protocol;
    socket_destination(sk, &key.address);
    bpf_map_delete_elem(&socket_peers, &key);
    return PROCEED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
