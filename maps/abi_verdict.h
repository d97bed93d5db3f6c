/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of the shared ABI (maps/abi.h): what can become of a packet. */
#ifndef WEIR_MAPS_ABI_VERDICT_H
#define WEIR_MAPS_ABI_VERDICT_H

#include <linux/types.h>

#ifdef __cplusplus
namespace weir::abi {
#endif

/*
 * Every way that a packet can go. Map `verdicts` (per-CPU array, key: enum verdict): one counter each. The names that
 * people see are in maps/verdict.hpp.
 */
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
    VERDICT_FIRST_DROP,
    VERDICT_DROP_ANSWER_LIMIT = VERDICT_FIRST_DROP, /* would be answered, but too many were lately */
    VERDICT_DROP_NO_ANSWER,                         /* would be answered, but may not be (a RST) or cannot be */
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

struct verdict_count {
    __u64 packets;
    __u64 octets;
};

#ifdef __cplusplus
}
#endif

#endif
