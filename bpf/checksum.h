/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Incremental Internet checksums (RFC 1624): HC' = ~(~HC + (new - old)), in one's complement arithmetic. Sums are taken
 * over 16-bit words as they lie in memory: one's complement sums do not depend on byte order (RFC 1071, 2.B).
 */
#ifndef WEIR_CHECKSUM_H
#define WEIR_CHECKSUM_H

#include <linux/types.h>

#include "maps/abi.h"

static __always_inline __u16 csum_fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

/* The sum of the message is never zero (it holds a protocol number), so the result needs no care for minus zero. */
static __always_inline __u16 csum_apply(__u16 check, __u32 delta)
{
    __u32 sum = (__u16)~check + (delta & 0xffff) + (delta >> 16);

    sum = (sum & 0xffff) + (sum >> 16);
    return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline __u64 csum_difference_word(__u64 sum, __be32 from, __be32 to)
{
    return sum + (__u32)~from + to;
}

static __always_inline __u64 csum_difference(__u64 sum, const struct address *from, const struct address *to)
{
    /* The constant words of mapped IPv4 addresses add up to minus zero: one formula for both families. */
    for (int i = 0; i < 4; i++)
        sum = csum_difference_word(sum, from->words_be[i], to->words_be[i]);
    return sum;
}

static __always_inline __u64 csum_difference_port(__u64 sum, __be16 from, __be16 to)
{
    return sum + (__u16)~from + to;
}

#endif
