/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads and writes the table of unassured flows: a ring of pairs and an index of tuples (maps/abi.h). A flood writes
 * the ring round and round at two to three cache lines a packet; an LRU hash pays several times that to evict and
 * insert two entries. A pair lives until as many new ones have been made as the ring holds: docs/decisions/0036.
 *
 * There are no locks. A CPU writes a slot by compare and exchange, and completes a pair before a slot names it. A CPU
 * may overwrite a pair while another one reads it, as the kernel does with the elements of its LRU maps; the packet
 * that is read by then is lost or goes the wrong way.
 */
#ifndef WEIR_UNASSURED_H
#define WEIR_UNASSURED_H

#include "bpf/flow_table.h"
#include "bpf/hash.h"

enum direction { DIRECTION_FORWARD, DIRECTION_REPLY };

/* Sequences are taken from unassured_head in lots, so that CPUs seldom meet there. */
#define PAIR_LOT 16

struct pair_lot {
    __u32 next;
    __u32 taken; /* ticks */
};

/* UDP is a stream once it has lasted so long (nf_conntrack's rule, net/netfilter/nf_conntrack_proto_udp.c). */
#define STREAM_TICKS ((__u32)(2000000000ULL >> TICK_SHIFT))

/* Of a slot, see struct pair_bucket. */
#define SLOT_IN_USE    (1ULL << 32)
#define SLOT_DIRECTION (2ULL << 32)
#define SLOT_TAG       (~0ULL << 34)

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct pair_lot);
} pair_lot SEC(".maps");

/* Returns the place where a pair is or was. */
static __always_inline struct flow_pair *pair_element(__u32 sequence)
{
    __u32 index = sequence & (config.unassured_pairs - 1);

    return bpf_map_lookup_elem(&unassured, &index);
}

static __always_inline struct flow_pair *pair_at(__u32 sequence)
{
    struct flow_pair *pair = pair_element(sequence);

    return pair && pair->family && pair->sequence == sequence ? pair : NULL;
}

/*
 * Returns the age of a pair, in pairs made since. A pair of another CPU's lot may have the later sequence: its age is
 * 0. There is no branch, because the verifier would follow both sides in each round of a loop.
 */
static __always_inline __u32 pair_age(__u32 now, __u32 sequence)
{
    __u64 age = (__s64)(__s32)(now - sequence);
    __u64 negative = age >> 63;

    barrier_var(negative);
    return age & (negative - 1);
}

static __always_inline struct flow *pair_flow(struct flow_pair *pair, __u32 direction)
{
    return (void *)pair + (direction & 1) * sizeof(struct flow6);
}

/* Takes a place in the ring for a new pair and drops the pair that was there. The caller fills it in, the family last.
 */
static __always_inline struct flow_pair *pair_allocate(void)
{
    __u32 zero = 0;
    struct pair_lot *lot = bpf_map_lookup_elem(&pair_lot, &zero);
    struct pair_head *head = bpf_map_lookup_elem(&unassured_head, &zero);

    if (!lot || !head)
        return NULL;
    /* A CPU gives up an old lot: the other CPUs have moved on, and will soon come round and overwrite its places. */
    if (!(lot->next % PAIR_LOT) || now_ticks() - lot->taken > 1) {
        lot->next = __sync_fetch_and_add(&head->next, PAIR_LOT);
        lot->taken = now_ticks();
    }
    __u32 sequence = lot->next++;
    struct flow_pair *pair = pair_element(sequence);
    if (!pair)
        return NULL;
    pair->family = 0;
    barrier();
    pair->sequence = sequence;
    return pair;
}

static __always_inline struct pair_bucket *bucket_of(__u64 hash)
{
    __u32 index = hash & (config.unassured_pairs - 1);

    return bpf_map_lookup_elem(&unassured_index, &index);
}

/*
 * Asks memory for a bucket early, so that it comes while other work is done: a new flow waits for memory most of its
 * time. The load's result is not used; BPF has no prefetch.
 */
static __always_inline void bucket_fetch(__u64 hash)
{
    struct pair_bucket *bucket = bucket_of(hash);

    if (bucket)
        (void)*(volatile __u64 *)bucket->slots;
}

/* Does the same for the lines of a pair that tell which flow it is. */
static __always_inline void pair_fetch(__u32 sequence)
{
    struct flow_pair *pair = pair_element(sequence);

    if (!pair)
        return;
    (void)*(volatile __u32 *)&pair->forward.flow.flags;
    (void)*(volatile __u32 *)&pair->reply.flow.flags;
    (void)*(volatile __u32 *)&pair->sequence;
}

/* Returns the one slot of the bucket that may be this tuple's, or 0. It has no branches, because they would be random.
 */
static __always_inline __u64 slot_of_hash(const struct pair_bucket *bucket, __u64 hash)
{
    __u64 found = 0;

    for (int i = 0; i < PAIR_SLOTS; i++) {
        __u64 slot = bucket->slots[i];
        /* In use and the same tag: nothing is left of it but the direction and the sequence. */
        __u64 other = ((slot ^ hash) & SLOT_TAG) | (~slot & SLOT_IN_USE);
        found |= slot & ~((__s64)(other | -other) >> 63);
    }
    return found;
}

static __noinline struct flow_pair *pair_find(__u8 family, const struct flow6_key *tuple, __u64 hash, __u32 *direction)
{
    struct pair_bucket *bucket = bucket_of(hash);

    if (!bucket)
        return NULL;
    __u64 slot = slot_of_hash(bucket, hash);
    if (!slot)
        return NULL;
    struct flow_pair *pair = pair_at(slot);
    if (!pair || pair->family != family || pair->protocol != tuple->protocol)
        return NULL;
    *direction = !!(slot & SLOT_DIRECTION);
    return is_peer_tuple(family, pair_flow(pair, !(slot & SLOT_DIRECTION)), tuple) ? pair : NULL;
}

enum publication {
    PUBLISHED,
    PUBLISHED_ALREADY, /* another pair has the tuple, or had it just now: look again */
};

/*
 * Lets a pair be found by a tuple's hash. exclusive: only if no other pair is found by it. If two CPUs publish one
 * tuple at the same time, at least one of them sees the other's slot, and takes its own back.
 */
__noinline int pair_publish(__u64 hash, __u32 direction, __u32 sequence, int exclusive)
{
    struct pair_bucket *bucket = bucket_of(hash);
    __u64 mine = (hash & SLOT_TAG) | (direction ? SLOT_DIRECTION : 0) | SLOT_IN_USE | sequence;
    __u64 best = 0;

    if (!bucket)
        return PUBLISHED_ALREADY;
    /* First choice: the slot that the tuple had before; then a free one; then the one of the oldest pair. */
    for (__u64 i = 0; i < PAIR_SLOTS; i++) {
        __u64 slot = bucket->slots[i];
        __u64 age = slot & SLOT_IN_USE ? pair_age(sequence, slot) : 1ULL << 32;
        if (slot & SLOT_IN_USE && !((slot ^ hash) & SLOT_TAG))
            age = 1ULL << 33;
        age = age << 3 | i;
        if (age >= best)
            best = age;
    }
    __u64 *place = &bucket->slots[best & (PAIR_SLOTS - 1)];
    __u64 before = *place;
    if (exclusive && best >> 36 && pair_at(before))
        return PUBLISHED_ALREADY;
    if (__sync_val_compare_and_swap(place, before, mine) != before)
        return PUBLISHED_ALREADY;
    if (!exclusive)
        return PUBLISHED;
    for (__u64 i = 0; i < PAIR_SLOTS; i++) {
        __u64 slot = bucket->slots[i];
        if (slot & SLOT_IN_USE && !((slot ^ hash) & SLOT_TAG) && i != (best & (PAIR_SLOTS - 1))) {
            __sync_val_compare_and_swap(place, mine, 0);
            return PUBLISHED_ALREADY;
        }
    }
    return PUBLISHED;
}

static __always_inline void pair_unpublish(__u64 hash, __u32 sequence)
{
    struct pair_bucket *bucket = bucket_of(hash);

    for (__u64 i = 0; bucket && i < PAIR_SLOTS; i++) {
        __u64 slot = bucket->slots[i];
        if ((__u32)slot == sequence && !((slot ^ hash) & SLOT_TAG))
            __sync_val_compare_and_swap(&bucket->slots[i], slot, 0);
    }
}

/* Returns the flow that has a tuple, assured or not. */
static __always_inline struct flow *flow_find(__u8 family, const struct flow6_key *tuple)
{
    struct flow *f = assured_find(family, tuple);
    __u32 direction = 0;

    if (f)
        return f;
    struct flow_pair *pair = pair_find(family, tuple, tuple_hash(tuple), &direction);
    return pair ? pair_flow(pair, direction) : NULL;
}

static __always_inline void flow_delete(__u8 family, const struct flow6_key *tuple)
{
    __u32 direction = 0;
    struct flow_pair *pair = pair_find(family, tuple, tuple_hash(tuple), &direction);

    if (pair)
        pair->family = 0;
    assured_delete(family, tuple);
}

/* Moves both directions to the assured table. Inserts before it deletes, so that another CPU finds either. Returns 0 or
 * an error. */
static __always_inline int pair_promote(__u8 family, struct flow_pair *pair)
{
    struct flow6_key tuple;

    __sync_fetch_and_or(&pair->forward.flow.flags, FLOW_ASSURED);
    __sync_fetch_and_or(&pair->reply.flow.flags, FLOW_ASSURED);
    /* A flow that was made again after one direction had been evicted still has the other one there. */
    flow_peer_tuple(family, pair->protocol, &pair->forward.flow, &tuple);
    int error = assured_insert(family, &tuple, &pair->reply, BPF_NOEXIST);
    if (error && error != -EEXIST)
        return error;
    flow_peer_tuple(family, pair->protocol, &pair->reply.flow, &tuple);
    error = assured_insert(family, &tuple, &pair->forward, BPF_ANY);
    if (!error)
        pair->family = 0;
    return error;
}

#endif
