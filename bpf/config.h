/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The settings that are fixed at load. The agent writes them into .rodata, so that the verifier sees constants. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include <bpf/bpf_helpers.h>

#include "maps/abi.h"

const volatile struct datapath_config config = {
    .seed = 0,
    .snat_port_min = 10000,
    .snat_port_max = 29999,
};

/*
 * Returns the time from jiffies: exact enough for timeouts, and two instructions where the kernel inlines the helper
 * (x86-64 and arm64). The coarse clock is a call, a tenth of the cost of a known flow; programs of type syscall may
 * only call the fine one.
 */
static __always_inline __u32 ticks_of_jiffies(void)
{
    return (bpf_jiffies64() * config.jiffy_ns + config.jiffy_offset_ns) >> TICK_SHIFT;
}

static __always_inline __u32 now_ticks(void)
{
    return config.jiffy_ns ? ticks_of_jiffies() : bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
}

/* Signed: the clocks of programs that were loaded at different times may be a tick apart. */
static __always_inline int is_longer_ago(__u32 then, __u32 ticks)
{
    return (__s32)(now_ticks() - then) > (__s32)ticks;
}

#endif
