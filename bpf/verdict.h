/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every packet ends here: its verdict is counted once, by the entry function. */
#ifndef WEIR_VERDICT_H
#define WEIR_VERDICT_H

#include "bpf/packet.h"
#include "maps/maps.bpf.h"

static __always_inline enum verdict count_verdict(const struct packet *p, enum verdict verdict)
{
    __u32 key = verdict;
    struct verdict_count *count = bpf_map_lookup_elem(&verdicts, &key);

    if (count) {
        count->packets += p->segments;
        count->octets += p->length;
    }
    return verdict;
}

#endif
