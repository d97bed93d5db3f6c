/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is fixed at load: the agent writes it into .rodata, so that the verifier sees constants. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include <bpf/bpf_helpers.h>

#include "maps/abi.h"

const volatile struct datapath_config config = {
    .seed = 0,
    .snat_port_min = 61000,
    .snat_port_max = 65535,
};

/* The coarse clock costs a tenth of the fine one and is exact enough for timeouts (Linux >= 5.11). */
static __always_inline __u32 now_ticks(void)
{
    return bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
}

#endif
