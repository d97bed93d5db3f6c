/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The entry function of a hook counts each packet's verdict once. The socket hooks count what they refuse. */
#ifndef WEIR_VERDICT_H
#define WEIR_VERDICT_H

#include "bpf/packet.h"
#include "maps/maps.bpf.h"

static __always_inline void count(enum hook hook, enum verdict verdict, __u64 packets, __u64 octets)
{
    __u32 key = verdict_key(hook, verdict);
    struct verdict_count *count = bpf_map_lookup_elem(&verdicts, &key);

    if (count) {
        count->packets += packets;
        count->octets += octets;
    }
}

static __always_inline enum verdict count_verdict(enum hook hook, const struct packet *p, enum verdict verdict)
{
    count(hook, verdict, p->segments, p->length);
    return verdict;
}

#endif
