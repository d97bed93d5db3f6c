/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one form of an address for both families (struct address): making it and asking about it. */
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/abi.h"

enum family { FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

/* The third word of ::ffff:a.b.c.d, in host order; the first two are zero (RFC 4291, 2.5.5.2). */
enum { MAPPED_WORD = 0xffff };

/* Returns an IPv4 address in the form that is common to both families. */
static __always_inline struct address mapped_address(__be32 ipv4_be)
{
    struct address address = {.words_be = {0, 0, bpf_htonl(MAPPED_WORD), ipv4_be}};

    return address;
}

static __always_inline int is_mapped(const struct address *a)
{
    return !(a->words_be[0] | a->words_be[1] | (a->words_be[2] ^ bpf_htonl(MAPPED_WORD)));
}

static __always_inline int is_unset(const struct address *a)
{
    return !(a->words_be[0] | a->words_be[1] | a->words_be[2] | a->words_be[3]);
}

static __always_inline int same_address(const struct address *a, const struct address *b)
{
    return !((a->words_be[0] ^ b->words_be[0]) | (a->words_be[1] ^ b->words_be[1]) | (a->words_be[2] ^ b->words_be[2]) |
             (a->words_be[3] ^ b->words_be[3]));
}

#endif
