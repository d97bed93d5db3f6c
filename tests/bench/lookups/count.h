/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Included before each source of the datapath: counts its operations on maps, by the kind of map. */
#ifndef WEIR_BENCH_COUNT_H
#define WEIR_BENCH_COUNT_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* Indexes into the only variable in .bss of the XDP and tc programs. No struct: a skeleton would need its type. */
enum map_use {
    HASH_LOOKUP, /* LRU and LPM too */
    ARRAY_LOOKUP,
    HASH_WRITE, /* updates and deletions */
    MAP_USES,
};
__u64 map_uses[MAP_USES];

/*
 * In assembler, with registers that are free before a call: the counters must not make the compiler spill any, since
 * the longest chain of calls comes near to the limit of 512 bytes of stack.
 */
static __always_inline void count_use(enum map_use use) {
    asm volatile(
        "r0 = %[uses] ll\n"
        "r5 = *(u64 *)(r0 + %[offset])\n"
        "r5 += 1\n"
        "*(u64 *)(r0 + %[offset]) = r5" ::[uses] "i"(map_uses),
        [offset] "i"(use * sizeof(__u64))
        : "r0", "r5", "memory");
}

/* The type of a map, from __uint(type, ...) in its definition. */
#define MAP_TYPE_OF(map) (sizeof(*(map)->type) / sizeof(int))
#define IS_ARRAY(map) (MAP_TYPE_OF(map) == BPF_MAP_TYPE_ARRAY || MAP_TYPE_OF(map) == BPF_MAP_TYPE_PERCPU_ARRAY)

#define bpf_map_lookup_elem(map, key)                          \
    ({                                                         \
        count_use(IS_ARRAY(map) ? ARRAY_LOOKUP : HASH_LOOKUP); \
        bpf_map_lookup_elem(map, key);                         \
    })
#define bpf_map_update_elem(map, key, value, flags)  \
    ({                                               \
        count_use(HASH_WRITE);                       \
        bpf_map_update_elem(map, key, value, flags); \
    })
#define bpf_map_delete_elem(map, key)  \
    ({                                 \
        count_use(HASH_WRITE);         \
        bpf_map_delete_elem(map, key); \
    })

#endif
