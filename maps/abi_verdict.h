/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of the shared ABI (maps/abi.h): what can become of a packet, and where that was decided. */
#ifndef WEIR_MAPS_ABI_VERDICT_H
#define WEIR_MAPS_ABI_VERDICT_H

#include <linux/types.h>

#ifdef __cplusplus
namespace weir::abi {
#endif

/* Every way that a packet can go. The names that people see are in maps/verdict.hpp. */
enum verdict {
    /* untouched */
    VERDICT_PASS_NOT_IP = 0,
    VERDICT_PASS_PROTOCOL,    /* none that is translated, or extension headers beyond the bound */
    VERDICT_PASS_MALFORMED,   /* headers that do not add up: the host stack drops it */
    VERDICT_PASS_FRAGMENT,    /* a later fragment whose first one was not seen */
    VERDICT_PASS_NO_FRONTEND, /* not ours */
    VERDICT_PASS_OTHER_HOOK,  /* a known flow that another hook rewrites */
    VERDICT_PASS_TO_TC,       /* XDP leaves it to tc ingress */
    /* rewritten */
    VERDICT_DELIVER,       /* forward direction, on to the host stack */
    VERDICT_FORWARD,       /* forward direction, sent to the next hop */
    VERDICT_REPLY_DELIVER, /* reply direction, rewritten at egress */
    VERDICT_REPLY_FORWARD, /* reply direction, sent to the next hop */
    /* answered in the place of the addressee, see bpf/answer.h */
    VERDICT_ECHO_REPLY,        /* a VIP answers ping */
    VERDICT_REJECT_NO_BACKEND, /* no usable endpoint anywhere: RST, or port unreachable */
    VERDICT_REJECT_NO_PORT,    /* a VIP's unused port: the same */
    VERDICT_ANSWER_TOO_BIG,    /* larger than the next hop takes: fragmentation needed, or packet too big */
    VERDICT_ANSWER_TTL,        /* time exceeded */
    /* dropped */
    VERDICT_DROP_ANSWER_LIMIT, /* would be answered, but too many were lately */
    VERDICT_DROP_NO_ANSWER,    /* would be answered, but may not be (a RST) or cannot be */
    VERDICT_DROP_NO_LOCAL_BACKEND,
    VERDICT_DROP_CLOSED_FRONTEND,
    VERDICT_DROP_SOURCE_RANGE,  /* the source is in none of loadBalancerSourceRanges */
    VERDICT_DROP_SERVICE_RANGE, /* an address of the service CIDR that no Service has */
    VERDICT_DROP_VIP_PROTOCOL,  /* a VIP has TCP, UDP, SCTP and ping; and no SCTP in fragments whose ports change */
    VERDICT_DROP_STRAY_RST,     /* a RST to a frontend that belongs to no flow creates none */
    VERDICT_DROP_NO_ROUTE,
    VERDICT_DROP_NO_SNAT_ADDRESS,
    VERDICT_DROP_NO_SNAT_PORT,
    VERDICT_DROP_TABLE,         /* the kernel refused a flow entry */
    VERDICT_DROP_STALE_BACKEND, /* a slot named a backend that is gone: an agent's error, never seen in health */
    VERDICT_COUNT,
};

enum verdict_group {
    GROUP_UNTOUCHED, /* goes on as it came */
    GROUP_REWRITTEN, /* goes on translated */
    GROUP_ANSWERED,  /* has become the answer to its sender */
    GROUP_DROPPED,
};

/*
 * Returns the group of a verdict. The switch has no default, so that both compilers (-Wswitch) refuse a new verdict
 * that has no group yet. As long as the verdicts of a group stand together, clang makes a comparison or two of it.
 */
static __always_inline enum verdict_group group_of_verdict(enum verdict verdict) {
    switch (verdict) {
        case VERDICT_PASS_NOT_IP:
        case VERDICT_PASS_PROTOCOL:
        case VERDICT_PASS_MALFORMED:
        case VERDICT_PASS_FRAGMENT:
        case VERDICT_PASS_NO_FRONTEND:
        case VERDICT_PASS_OTHER_HOOK:
        case VERDICT_PASS_TO_TC:
            return GROUP_UNTOUCHED;
        case VERDICT_DELIVER:
        case VERDICT_FORWARD:
        case VERDICT_REPLY_DELIVER:
        case VERDICT_REPLY_FORWARD:
            return GROUP_REWRITTEN;
        case VERDICT_ECHO_REPLY:
        case VERDICT_REJECT_NO_BACKEND:
        case VERDICT_REJECT_NO_PORT:
        case VERDICT_ANSWER_TOO_BIG:
        case VERDICT_ANSWER_TTL:
            return GROUP_ANSWERED;
        case VERDICT_DROP_ANSWER_LIMIT:
        case VERDICT_DROP_NO_ANSWER:
        case VERDICT_DROP_NO_LOCAL_BACKEND:
        case VERDICT_DROP_CLOSED_FRONTEND:
        case VERDICT_DROP_SOURCE_RANGE:
        case VERDICT_DROP_SERVICE_RANGE:
        case VERDICT_DROP_VIP_PROTOCOL:
        case VERDICT_DROP_STRAY_RST:
        case VERDICT_DROP_NO_ROUTE:
        case VERDICT_DROP_NO_SNAT_ADDRESS:
        case VERDICT_DROP_NO_SNAT_PORT:
        case VERDICT_DROP_TABLE:
        case VERDICT_DROP_STALE_BACKEND:
        case VERDICT_COUNT: /* none: never counted, and never sent on */
            break;
    }
    return GROUP_DROPPED;
}

static __always_inline int verdict_is_untouched(enum verdict verdict) {
    return group_of_verdict(verdict) == GROUP_UNTOUCHED;
}

static __always_inline int verdict_is_rewritten(enum verdict verdict) {
    return group_of_verdict(verdict) == GROUP_REWRITTEN;
}

static __always_inline int verdict_is_answered(enum verdict verdict) {
    return group_of_verdict(verdict) == GROUP_ANSWERED;
}

static __always_inline int verdict_is_dropped(enum verdict verdict) {
    return group_of_verdict(verdict) == GROUP_DROPPED;
}

/* Where a packet, or a socket's call, met the datapath. */
enum hook {
    HOOK_XDP = 0,          /* uplinks */
    HOOK_UPLINK_INGRESS,   /* tc */
    HOOK_WORKLOAD_INGRESS, /* tc */
    HOOK_EGRESS,           /* tc, uplinks and workload interfaces alike */
    HOOK_SOCKET,           /* cgroup: connect and sendmsg of the node's processes */
    HOOK_COUNT,
};

/*
 * Map `verdicts` (per-CPU array): one counter for each verdict at each hook. Writer: datapath, once for each packet at
 * each hook that sees it. Reader: command line, agent.
 *
 * The key is hook * 100 + verdict. An array's key is a plain number for the kernel, and bpftool shows it in decimal:
 * 307 is verdict 7 at hook 3. Keys between the last verdict and the next hundred stay zero.
 */
enum verdict_keys {
    VERDICTS_PER_HOOK = 100,
    VERDICT_KEYS = HOOK_COUNT * VERDICTS_PER_HOOK,
};
WEIR_STATIC_ASSERT((int)VERDICT_COUNT <= (int)VERDICTS_PER_HOOK, "the last two digits of a key are the verdict");

static __always_inline __u32 verdict_key(enum hook hook, enum verdict verdict) {
    return (__u32)hook * VERDICTS_PER_HOOK + (__u32)verdict;
}

struct verdict_count {
    __u64 packets;
    __u64 octets;
};
WEIR_STATIC_ASSERT(sizeof(struct verdict_count) == 16, "verdict_count");

#ifdef __cplusplus
}
#endif

#endif
