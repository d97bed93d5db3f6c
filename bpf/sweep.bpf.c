// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flow-table sweeper: walks the tables in the kernel and deletes what has expired, what is closed, and UDP and SCTP
 * flows whose backend is gone. A flow lives as long as its younger direction. On its way the sweeper counts the source
 * ports that flows with SNAT hold; a count that fails does not stop the sweep.
 *
 * A walk deletes entries of the table that it walks: the one that it visits, and the other direction of the same flow.
 * Both are safe (kernel/bpf/hashtab.c, bpf_for_each_hash_elem):
 *  - The walk holds the RCU read lock and no bucket lock, so that a deletion can take the lock of any bucket.
 *  - The elements of an LRU hash are allocated with the map and live as long as it does. A deleted one goes to a free
 *    list, and what the callback looks at stays memory of the map.
 *  - Taking an element out of its bucket leaves the element's own link in place (hlist_nulls_del_rcu), and the walk
 * goes on along it. That is so whether the kernel reads the link after the callback (before 6.15 and its backports) or
 *    before it, and also where the next element is the one that went: the callback visits it, finds by its key that
 *    there is nothing left to delete, and counts nothing.
 *  - Another CPU may take the freed element into another bucket at once, and the walk then goes on there: it misses the
 *    rest of its bucket and sees part of the other one twice. The next walk finds what was missed, and a port that was
 *    counted twice is right again then. Each eviction by the LRU does the same to a walk, so that a queue of deletions
 *    for after the walk would not spare us that.
 */
#include <linux/bpf.h>

#include "bpf/flow_table.h"
#include "bpf/way.h"

/*
 * Every flow begins as a pair of the ring (unassured.h). Where no sequence is taken for longer than a CPU goes on with
 * a lot of them, and two walks after that find nothing, there is nothing to find, and the sweeper leaves the node
 * alone. One walk would not do: it misses a pair that is promoted after it has seen the assured tables and before the
 * ring.
 */
#define REST_NS    100000000ULL /* 6 ticks: a lot is given up after 2 */
#define REST_WALKS 2

/* One walk over all tables. */
struct walk {
    __u64 began; /* ns: the number of this walk, which no other one has had, of whatever agent */
    __u32 now;   /* ticks */
    __u32 pad;
    struct sweep_result result;
};

/* The walks in a row that found nothing, while no flow began. */
struct rest {
    __u64 began;    /* ns: the first one; 0: the last walk has found something */
    __u32 walks;    /* those that began REST_NS later */
    __u32 sequence; /* the next one to be taken, while they lasted */
};

struct sweeper {
    struct walk walk;
    struct rest rest; /* from one run of the program to the next */
};

/*
 * One agent runs one sweep at a time. On the stack the walk would be wrong: Linux 6.1 verifies a callback as if it ran
 * exactly once (since 6.7 as often as it may), takes a counter that the callback raised for the constant 1, and removes
 * the code for "nothing found" as dead.
 */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct sweeper);
} sweeper_space SEC(".maps");

/* Handed to the callbacks, which take a pointer to the stack only. */
struct visitor {
    struct walk *walk;
};

/* A flow holds its port by the reply tuple. SCTP may have kept one that is not of the range. */
static __always_inline int holds_port(const struct flow *f, const struct flow6_key *tuple)
{
    __u16 port = bpf_ntohs(tuple->destination_port_be);

    return f->flags & FLOW_REPLY && way_takes_port(way_of(f->flags)) && port >= config.snat_port_min &&
           port <= config.snat_port_max;
}

/* Counts the port of a flow whose reply has the tuple. */
static __always_inline void count_port(const struct walk *walk, const struct flow6_key *tuple, int kept)
{
    struct snat_usage_key key = {
        .source = tuple->destination,
        .backend = tuple->source,
        .backend_port_be = tuple->source_port_be,
        .protocol = tuple->protocol,
    };
    struct snat_usage first = {};
    struct snat_usage *usage = bpf_map_lookup_elem(&snat_usage, &key);

    if (!usage) {
        bpf_map_update_elem(&snat_usage, &key, &first, BPF_NOEXIST);
        usage = bpf_map_lookup_elem(&snat_usage, &key);
        if (!usage)
            return;
    }
    if (usage->sweep != walk->began) {
        usage->sweep = walk->began;
        usage->counted_kept = usage->counted_yielding = 0;
    }
    if (kept)
        usage->counted_kept++;
    else
        usage->counted_yielding++;
}

/* Shows readers the count of one key when it is whole, and deletes what no flow holds any more. */
static long publish_count(void *map, struct snat_usage_key *key, struct snat_usage *usage, struct visitor *visitor)
{
    struct snat_usage_key gone = *key;

    if (usage->sweep == visitor->walk->began) {
        usage->kept = usage->counted_kept;
        usage->yielding = usage->counted_yielding;
    } else {
        bpf_map_delete_elem(&snat_usage, &gone);
    }
    return 0;
}

/* Signed: a packet that arrives during the sweep is younger than now. */
static __always_inline int is_idle(const struct walk *walk, const struct flow *f, __u32 timeout)
{
    return (__s32)(walk->now - f->last_seen) > (__s32)timeout;
}

static __always_inline __u32 timeout_of(__u8 protocol, const struct flow *f)
{
    if (f->flags & FLOW_CLOSING)
        return config.timeout_closing;
    if (protocol == IPPROTO_TCP)
        return f->flags & FLOW_ASSURED ? config.timeout_tcp : config.timeout_unassured_tcp;
    return f->flags & FLOW_ASSURED ? config.timeout_udp : config.timeout_unassured_udp;
}

/* UDP and SCTP: a client's next packet is to get a backend that is there. A TCP connection ends by itself. */
static __always_inline int is_orphan(__u8 protocol, const struct flow *f)
{
    __u32 id = f->backend_id;

    if (protocol == IPPROTO_TCP)
        return 0;
    struct backend *backend = bpf_map_lookup_elem(&backends, &id);
    return !backend || !(backend->flags & BACKEND_IN_USE);
}

/* Returns the counter of the reason why an entry has to go, or NULL. */
static __always_inline __u64 *reason_to_delete(struct walk *walk, __u8 family, __u8 protocol, const struct flow *f,
                                               struct flow6_key *peer)
{
    __u32 timeout = timeout_of(protocol, f);

    flow_peer_tuple(family, protocol, f, peer);
    if (is_orphan(protocol, f))
        return &walk->result.orphaned;
    if (!is_idle(walk, f, timeout))
        return 0;
    struct flow *other = assured_find(family, peer);
    if (other && !is_idle(walk, other, timeout))
        return 0;
    return f->flags & FLOW_CLOSING ? &walk->result.closed : &walk->result.expired;
}

/* tuple: a copy of the key, since another CPU may make another entry of a deleted one. */
static __always_inline long visit(struct walk *walk, __u8 family, const struct flow6_key *tuple, const struct flow *f)
{
    struct flow6_key peer;

    walk->result.visited++;
    __u64 *reason = reason_to_delete(walk, family, tuple->protocol, f, &peer);
    /* The walk may come to an entry that went together with its other direction: it has been counted. */
    if (reason && assured_delete(family, tuple)) {
        ++*reason;
        assured_delete(family, &peer);
    }
    if (!reason && holds_port(f, tuple))
        count_port(walk, tuple, !(f->flags & FLOW_CLOSING));
    return 0;
}

static long visit4(void *map, struct flow4_key *key, struct flow4 *f, struct visitor *visitor)
{
    struct flow6_key tuple = {
        .source = mapped_address(key->source_be),
        .destination = mapped_address(key->destination_be),
        .source_port_be = key->source_port_be,
        .destination_port_be = key->destination_port_be,
        .protocol = key->protocol,
    };
    return visit(visitor->walk, FAMILY_IPV4, &tuple, &f->flow);
}

static long visit6(void *map, struct flow6_key *key, struct flow6 *f, struct visitor *visitor)
{
    struct flow6_key tuple = *key;

    return visit(visitor->walk, FAMILY_IPV6, &tuple, &f->flow);
}

/*
 * Counts the port of a pair. A flow that was made again after its forward direction had been evicted has been counted
 * by its reply direction, which is assured.
 */
static __always_inline void count_pair(const struct walk *walk, __u8 family, const struct flow_pair *pair)
{
    struct flow6_key tuple;

    flow_peer_tuple(family, pair->protocol, &pair->forward.flow, &tuple);
    if (holds_port(&pair->reply.flow, &tuple) && !assured_find(family, &tuple))
        count_port(walk, &tuple, 0);
}

/* Deletes both directions at once. The index keeps their slots: a slot is found stale by the pair that it names. */
static long visit_pair(void *map, __u32 *index, struct flow_pair *pair, struct visitor *visitor)
{
    struct walk *walk = visitor->walk;
    const struct flow *forward = &pair->forward.flow, *reply = &pair->reply.flow;
    __u64 *reason = NULL;

    if (!pair->family)
        return 0;
    walk->result.visited += 2;
    if (is_orphan(pair->protocol, forward))
        reason = &walk->result.orphaned;
    else if (is_idle(walk, forward, timeout_of(pair->protocol, forward)) &&
             is_idle(walk, reply, timeout_of(pair->protocol, reply)))
        reason = forward->flags & FLOW_CLOSING ? &walk->result.closed : &walk->result.expired;
    if (reason) {
        ++*reason;
        pair->family = 0;
    } else if (pair->family == FAMILY_IPV4) {
        count_pair(walk, FAMILY_IPV4, pair);
    } else {
        count_pair(walk, FAMILY_IPV6, pair);
    }
    return 0;
}

static __always_inline int is_at_rest(const struct rest *rest, __u32 sequence)
{
    return rest->walks >= REST_WALKS && rest->sequence == sequence;
}

/* Notes what a walk has found. sequence: the next one to be taken when the walk began. */
static __always_inline void note_walk(struct rest *rest, const struct walk *walk, __u32 sequence)
{
    if (walk->result.visited) {
        rest->began = rest->walks = 0;
        return;
    }
    if (!rest->began || rest->sequence != sequence) {
        rest->began = walk->began;
        rest->walks = 0;
    }
    rest->sequence = sequence;
    if (walk->began - rest->began > REST_NS)
        rest->walks++;
}

static __always_inline void walk_all(struct walk *walk)
{
    struct visitor visitor = {.walk = walk};

    walk->began = bpf_ktime_get_ns();
    walk->now = config.jiffy_ns ? ticks_of_jiffies() : walk->began >> TICK_SHIFT;
    /* The ring last: a pair that is promoted meanwhile is counted once at most. */
    bpf_for_each_map_elem(&flows4, visit4, &visitor, 0);
    bpf_for_each_map_elem(&flows6, visit6, &visitor, 0);
    bpf_for_each_map_elem(&flows4_udp, visit4, &visitor, 0);
    bpf_for_each_map_elem(&flows6_udp, visit6, &visitor, 0);
    bpf_for_each_map_elem(&unassured, visit_pair, &visitor, 0);
    bpf_for_each_map_elem(&snat_usage, publish_count, &visitor, 0);
}

SEC("syscall")
int weir_sweep(struct sweep_result *ctx)
{
    __u32 zero = 0;
    struct sweeper *sweeper = bpf_map_lookup_elem(&sweeper_space, &zero);
    struct pair_head *head = bpf_map_lookup_elem(&unassured_head, &zero);

    if (!sweeper || !head)
        return 0;
    __u32 sequence = *(volatile __u32 *)&head->next;
    __builtin_memset(&sweeper->walk, 0, sizeof(sweeper->walk));
    if (is_at_rest(&sweeper->rest, sequence)) {
        sweeper->walk.result.at_rest = 1;
    } else {
        walk_all(&sweeper->walk);
        note_walk(&sweeper->rest, &sweeper->walk, sequence);
    }
    *ctx = sweeper->walk.result;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
