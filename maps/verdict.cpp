// SPDX-License-Identifier: Apache-2.0
#include "maps/verdict.hpp"

namespace weir::maps {

VerdictName verdict_name(abi::verdict verdict) {
    // No default: the compiler tells which name is missing.
    switch (verdict) {
        case abi::VERDICT_PASS_NOT_IP:
            return {"pass_not_ip", "neither IPv4 nor IPv6"};
        case abi::VERDICT_PASS_PROTOCOL:
            return {"pass_protocol", "none of TCP, UDP and SCTP, or too many extension headers"};
        case abi::VERDICT_PASS_MALFORMED:
            return {"pass_malformed", "headers that do not add up, left to the host stack"};
        case abi::VERDICT_PASS_FRAGMENT:
            return {"pass_fragment", "a later IP fragment whose first was not seen"};
        case abi::VERDICT_PASS_NO_FRONTEND:
            return {"pass_no_frontend", "not addressed to a frontend"};
        case abi::VERDICT_PASS_OTHER_HOOK:
            return {"pass_other_hook", "a known flow that another hook rewrites"};
        case abi::VERDICT_PASS_TO_TC:
            return {"pass_to_tc", "left to tc by XDP"};
        case abi::VERDICT_DELIVER:
            return {"deliver", "translated, on to the host stack"};
        case abi::VERDICT_FORWARD:
            return {"forward", "translated and sent to the next hop"};
        case abi::VERDICT_REPLY_DELIVER:
            return {"reply_deliver", "reply translated at egress"};
        case abi::VERDICT_REPLY_FORWARD:
            return {"reply_forward", "reply translated and sent to the next hop"};
        case abi::VERDICT_ECHO_REPLY:
            return {"echo_reply", "ping to a frontend's address, answered"};
        case abi::VERDICT_REJECT_NO_BACKEND:
            return {"reject_no_backend", "the service has no usable endpoint"};
        case abi::VERDICT_REJECT_NO_PORT:
            return {"reject_no_port", "a frontend's address, but no port of it"};
        case abi::VERDICT_ANSWER_TOO_BIG:
            return {"answer_too_big", "larger than the MTU of the way out, sender told"};
        case abi::VERDICT_ANSWER_TTL:
            return {"answer_ttl", "TTL or hop limit used up, sender told"};
        case abi::VERDICT_DROP_ANSWER_LIMIT:
            return {"drop_answer_limit", "an answer was due, but too many were given lately"};
        case abi::VERDICT_DROP_NO_ANSWER:
            return {"drop_no_answer", "refused, and of a kind that gets no answer"};
        case abi::VERDICT_DROP_NO_LOCAL_BACKEND:
            return {"drop_no_local_backend", "traffic policy Local and no usable endpoint on this node"};
        case abi::VERDICT_DROP_CLOSED_FRONTEND:
            return {"drop_closed_frontend", "the frontend, or its address, is not offered to this source"};
        case abi::VERDICT_DROP_SOURCE_RANGE:
            return {"drop_source_range", "the source is not in loadBalancerSourceRanges"};
        case abi::VERDICT_DROP_SERVICE_RANGE:
            return {"drop_service_range", "an address of the service range that no Service has"};
        case abi::VERDICT_DROP_VIP_PROTOCOL:
            return {"drop_vip_protocol",
                    "a frontend's address, and nothing that it serves; or a fragment of SCTP whose port changes"};
        case abi::VERDICT_DROP_STRAY_RST:
            return {"drop_stray_rst", "a RST that belongs to no flow"};
        case abi::VERDICT_DROP_NO_ROUTE:
            return {"drop_no_route", "no route to the next hop"};
        case abi::VERDICT_DROP_NO_SNAT_ADDRESS:
            return {"drop_no_snat_address", "no source address for the way out"};
        case abi::VERDICT_DROP_NO_SNAT_PORT:
            return {"drop_no_snat_port", "no free source port"};
        case abi::VERDICT_DROP_TABLE:
            return {"drop_table", "the kernel refused a flow entry"};
        case abi::VERDICT_DROP_STALE_BACKEND:
            return {"drop_stale_backend", "a slot names a backend that is gone"};
        case abi::VERDICT_COUNT:
            break;
    }
    return {"unknown", "unknown"};
}

std::string_view hook_name(abi::hook hook) {
    switch (hook) {
        case abi::HOOK_XDP:
            return "xdp";
        case abi::HOOK_UPLINK_INGRESS:
            return "tc_ingress_uplink";
        case abi::HOOK_WORKLOAD_INGRESS:
            return "tc_ingress_workload";
        case abi::HOOK_EGRESS:
            return "tc_egress";
        case abi::HOOK_SOCKET:
            return "socket";
        case abi::HOOK_COUNT:
            break;
    }
    return "unknown";
}

}  // namespace weir::maps
