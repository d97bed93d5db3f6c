/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads, recognizes and rewrites the address that a system call of a socket is about. */
#ifndef WEIR_SOCKET_ADDRESS_H
#define WEIR_SOCKET_ADDRESS_H

#include "bpf/address.h"

/* sys/socket.h is not for BPF. */
#define AF_INET 2

/*
 * Reads the destination. family: the hook's. An IPv6 socket that speaks IPv4 comes to the IPv6 hooks with
 * ::ffff:a.b.c.d, which is the form that IPv4 addresses have here anyway; only its datagrams come to the IPv4 hook of
 * sendmsg.
 */
static __always_inline void socket_address(const struct bpf_sock_addr *ctx, __u8 family, struct address *address)
{
    if (family == FAMILY_IPV4) {
        *address = mapped_address(ctx->user_ip4);
    } else {
        address->words_be[0] = ctx->user_ip6[0];
        address->words_be[1] = ctx->user_ip6[1];
        address->words_be[2] = ctx->user_ip6[2];
        address->words_be[3] = ctx->user_ip6[3];
    }
}

static __always_inline void set_socket_address(struct bpf_sock_addr *ctx, __u8 family, const struct address *address,
                                               __be16 port_be)
{
    if (family == FAMILY_IPV4) {
        ctx->user_ip4 = address->words_be[3];
    } else {
        ctx->user_ip6[0] = address->words_be[0];
        ctx->user_ip6[1] = address->words_be[1];
        ctx->user_ip6[2] = address->words_be[2];
        ctx->user_ip6[3] = address->words_be[3];
    }
    ctx->user_port = port_be;
}

/*
 * Reads the peer of a connected socket. Both forms are read (volatile) before one is taken: clang would merge the
 * branches into a read at a computed offset, and the verifier takes constant offsets into a context only.
 */
static __always_inline void socket_destination(const volatile struct bpf_sock *sk, struct address *address)
{
    __be32 ip4 = sk->dst_ip4;

    address->words_be[0] = sk->dst_ip6[0];
    address->words_be[1] = sk->dst_ip6[1];
    address->words_be[2] = sk->dst_ip6[2];
    address->words_be[3] = sk->dst_ip6[3];
    if (sk->family == AF_INET)
        *address = mapped_address(ip4);
}

/* Is it a loopback address (127.0.0.0/8, ::1), or the unspecified one, which Linux takes for loopback? */
static __always_inline int is_this_host(const struct address *address)
{
    __be32 last = address->words_be[3];

    if (is_mapped(address))
        return !last || (last & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
    return !(address->words_be[0] | address->words_be[1] | address->words_be[2] | (last & ~bpf_htonl(1)));
}

static __always_inline int is_bound_to_loopback6(const struct bpf_sock_addr *ctx)
{
    struct bpf_sock *sk = ctx->sk;

    return sk && !(sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2]) && sk->src_ip6[3] == bpf_htonl(1);
}

#endif
