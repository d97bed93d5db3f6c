/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Remembers which backend a socket got in a frontend's place, and finds either by the other (map `socket_peers`). */
#ifndef WEIR_SOCKET_PEER_H
#define WEIR_SOCKET_PEER_H

#include "bpf/service.h"

/* Writes what the frontend's key leads to: the backend of the choice. */
static __always_inline void socket_peer_of_choice(const struct choice *choice, struct socket_peer *peer)
{
    __builtin_memset(peer, 0, sizeof(*peer));
    peer->address = choice->address;
    peer->port_be = choice->port_be;
    peer->backend_id = choice->backend_id;
}

/* Remembers the frontend for the backend, so that recvmsg() and getpeername() tell the process the frontend. */
static __always_inline void socket_peer_remember_frontend(const struct socket_peer_key *frontend,
                                                          const struct socket_peer *backend)
{
    struct socket_peer_key key = {
        .cookie = frontend->cookie,
        .address = backend->address,
        .port_be = backend->port_be,
        .protocol = frontend->protocol,
        .side = SOCKET_PEER_BACKEND,
    };
    struct socket_peer *known = bpf_map_lookup_elem(&socket_peers, &key);

    /* An update takes a lock and a new element; a lookup only marks the element as in use. */
    if (known && same_address(&known->address, &frontend->address) && known->port_be == frontend->port_be &&
        known->backend_id == backend->backend_id)
        return;
    struct socket_peer peer = {
        .address = frontend->address,
        .port_be = frontend->port_be,
        .backend_id = backend->backend_id,
    };
    bpf_map_update_elem(&socket_peers, &key, &peer, BPF_ANY);
}

/*
 * Finds the backend of earlier datagrams from this socket to this frontend. Returns 0 if there is none or it is gone.
 * The agent may have given its id to another backend since, so the address is compared.
 */
static __always_inline int socket_peer_backend(const struct socket_peer_key *frontend, struct socket_peer *backend)
{
    struct socket_peer *known = bpf_map_lookup_elem(&socket_peers, frontend);

    if (!known)
        return 0;
    *backend = *known;
    struct backend *now = bpf_map_lookup_elem(&backends, &backend->backend_id);
    return now && now->flags & BACKEND_IN_USE && same_address(&now->address, &backend->address) &&
           now->port_be == backend->port_be && now->protocol == frontend->protocol;
}

#endif
