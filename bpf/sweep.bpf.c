// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flow-table sweeper: walks the tables in the kernel and deletes what has expired, what is closed, and UDP and SCTP
 * flows whose backend is gone. A flow lives as long as its younger direction. On its way it counts the source ports
 * that flows with SNAT hold; nothing else depends on that, so that none of it may fail the sweep.
 */
#include <linux/bpf.h>

#include "bpf/flow_table.h"

static struct sweep_result result;
static __u64 began; /* ns: the number of this sweep, which no other one has had, of whatever agent */
static __u32 now;   /* ticks */

/*
 * Every flow begins as a pair of the ring (unassured.h). Where no sequence is taken for longer than a CPU goes on with
 * a lot of them, and two walks after that find nothing, there is nothing to find: a node at rest is left at rest. One
 * walk would not do: it misses a pair that is promoted after it has seen the assured tables and before the ring.
 */
#define REST_NS    100000000ULL /* 6 ticks: a lot is given up after 2 */
#define REST_WALKS 2
static __u64 rest_began;    /* ns: the first of the walks that found nothing; 0: the last one has found something */
static __u32 rest_walks;    /* those of them that began REST_NS later */
static __u32 rest_sequence; /* the next one while they lasted */

/* A flow holds its port by the reply tuple. SCTP may have kept one that is not of the range. */
static __always_inline int holds_port(const struct flow *f, const struct flow6_key *tuple)
{
    __u16 port = bpf_ntohs(tuple->destination_port_be);

    return (f->flags & (FLOW_REPLY | FLOW_SNAT)) == (FLOW_REPLY | FLOW_SNAT) && port >= config.snat_port_min &&
           port <= config.snat_port_max;
}

/* tuple: of the reply. */
static __always_inline void count_port(const struct flow6_key *tuple, int kept)
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
    if (usage->sweep != began) {
        usage->sweep = began;
        usage->counted_kept = usage->counted_yielding = 0;
    }
    if (kept)
        usage->counted_kept++;
    else
        usage->counted_yielding++;
}

/* Readers see whole counts only, and none of flows that are gone. */
static long publish_count(void *map, struct snat_usage_key *key, struct snat_usage *usage, void *unused)
{
    struct snat_usage_key gone = *key;

    if (usage->sweep == began) {
        usage->kept = usage->counted_kept;
        usage->yielding = usage->counted_yielding;
    } else {
        bpf_map_delete_elem(&snat_usage, &gone);
    }
    return 0;
}

/* Signed: a packet that arrives during the sweep is younger than now. */
static __always_inline int is_idle(const struct flow *f, __u32 timeout)
{
    return (__s32)(now - f->last_seen) > (__s32)timeout;
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

/* Why an entry has to go, or 0. */
static __always_inline __u64 *reason_to_delete(__u8 family, __u8 protocol, const struct flow *f, struct flow6_key *peer)
{
    __u32 timeout = timeout_of(protocol, f);

    flow_peer_tuple(family, protocol, f, peer);
    if (is_orphan(protocol, f))
        return &result.orphaned;
    if (!is_idle(f, timeout))
        return 0;
    struct flow *other = assured_find(family, peer);
    if (other && !is_idle(other, timeout))
        return 0;
    return f->flags & FLOW_CLOSING ? &result.closed : &result.expired;
}

static __always_inline long visit(__u8 family, const struct flow6_key *tuple, const struct flow *f)
{
    struct flow6_key peer;

    result.visited++;
    __u64 *reason = reason_to_delete(family, tuple->protocol, f, &peer);
    /* The walk may come to an entry that went together with its other direction: it has been counted. */
    if (reason && assured_delete(family, tuple)) {
        ++*reason;
        assured_delete(family, &peer);
    }
    if (!reason && holds_port(f, tuple))
        count_port(tuple, !(f->flags & FLOW_CLOSING));
    return 0;
}

static long visit4(void *map, struct flow4_key *key, struct flow4 *f, void *unused)
{
    struct flow6_key tuple = {
        .source.words_be = {0, 0, bpf_htonl(0xffff), key->source_be},
        .destination.words_be = {0, 0, bpf_htonl(0xffff), key->destination_be},
        .source_port_be = key->source_port_be,
        .destination_port_be = key->destination_port_be,
        .protocol = key->protocol,
    };
    return visit(FAMILY_IPV4, &tuple, &f->flow);
}

static long visit6(void *map, struct flow6_key *key, struct flow6 *f, void *unused)
{
    struct flow6_key tuple = *key;

    return visit(FAMILY_IPV6, &tuple, &f->flow);
}

/* A flow that was made again after its forward direction had been evicted has been counted by its reply direction. */
static __always_inline void count_pair(__u8 family, const struct flow_pair *pair)
{
    struct flow6_key tuple;

    flow_peer_tuple(family, pair->protocol, &pair->forward.flow, &tuple);
    if (holds_port(&pair->reply.flow, &tuple) && !assured_find(family, &tuple))
        count_port(&tuple, 0);
}

/* Both directions at once. The index keeps their slots: it finds out by itself. */
static long visit_pair(void *map, __u32 *index, struct flow_pair *pair, void *unused)
{
    const struct flow *forward = &pair->forward.flow, *reply = &pair->reply.flow;
    __u64 *reason = NULL;

    if (!pair->family)
        return 0;
    result.visited += 2;
    if (is_orphan(pair->protocol, forward))
        reason = &result.orphaned;
    else if (is_idle(forward, timeout_of(pair->protocol, forward)) && is_idle(reply, timeout_of(pair->protocol, reply)))
        reason = forward->flags & FLOW_CLOSING ? &result.closed : &result.expired;
    if (reason) {
        ++*reason;
        pair->family = 0;
    } else if (pair->family == FAMILY_IPV4) {
        count_pair(FAMILY_IPV4, pair);
    } else {
        count_pair(FAMILY_IPV6, pair);
    }
    return 0;
}

static __always_inline int is_at_rest(__u32 sequence)
{
    return rest_walks >= REST_WALKS && rest_sequence == sequence;
}

/* sequence: the next one when the walk began. */
static __always_inline void note_rest(__u32 sequence)
{
    if (result.visited) {
        rest_began = rest_walks = 0;
        return;
    }
    if (!rest_began || rest_sequence != sequence) {
        rest_began = began;
        rest_walks = 0;
    }
    rest_sequence = sequence;
    if (began - rest_began > REST_NS)
        rest_walks++;
}

SEC("syscall")
int weir_sweep(struct sweep_result *ctx)
{
    __u32 zero = 0;
    struct pair_head *head = bpf_map_lookup_elem(&unassured_head, &zero);

    if (!head)
        return 0;
    __u32 sequence = *(volatile __u32 *)&head->next;
    __builtin_memset(&result, 0, sizeof(result));
    if (is_at_rest(sequence)) {
        result.at_rest = 1;
        *ctx = result;
        return 0;
    }
    began = bpf_ktime_get_ns();
    now = config.jiffy_ns ? ticks_of_jiffies() : began >> TICK_SHIFT;
    /* The ring last: a pair that is promoted meanwhile is counted once at most. */
    bpf_for_each_map_elem(&flows4, visit4, NULL, 0);
    bpf_for_each_map_elem(&flows6, visit6, NULL, 0);
    bpf_for_each_map_elem(&flows4_udp, visit4, NULL, 0);
    bpf_for_each_map_elem(&flows6_udp, visit6, NULL, 0);
    bpf_for_each_map_elem(&unassured, visit_pair, NULL, 0);
    bpf_for_each_map_elem(&snat_usage, publish_count, NULL, 0);
    note_rest(sequence);
    *ctx = result;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
