// SPDX-License-Identifier: Apache-2.0
#include "maps/verdict.hpp"

namespace weir::maps {

VerdictName verdict_name(abi::verdict verdict) {
    // No default: the compiler tells which name is missing.
    switch (verdict) {
        case abi::VERDICT_PASS_NOT_IP: return {"pass_not_ip", "neither IPv4 nor IPv6"};
        case abi::VERDICT_PASS_PROTOCOL: return {"pass_protocol", "neither TCP nor UDP"};
        case abi::VERDICT_PASS_MALFORMED: return {"pass_malformed", "headers that do not add up, left to the host stack"};
        case abi::VERDICT_PASS_FRAGMENT: return {"pass_fragment", "an IP fragment"};
        case abi::VERDICT_PASS_NO_FRONTEND: return {"pass_no_frontend", "not addressed to a frontend"};
        case abi::VERDICT_PASS_OTHER_HOOK: return {"pass_other_hook", "a known flow that another hook rewrites"};
        case abi::VERDICT_PASS_TO_TC: return {"pass_to_tc", "left to tc by XDP"};
        case abi::VERDICT_DELIVER: return {"deliver", "translated, on to the host stack"};
        case abi::VERDICT_FORWARD: return {"forward", "translated and sent to the next hop"};
        case abi::VERDICT_REPLY_DELIVER: return {"reply_deliver", "reply translated at egress"};
        case abi::VERDICT_REPLY_FORWARD: return {"reply_forward", "reply translated and sent to the next hop"};
        case abi::VERDICT_DROP_NO_BACKEND: return {"drop_no_backend", "the service has no usable endpoint"};
        case abi::VERDICT_DROP_NO_LOCAL_BACKEND:
            return {"drop_no_local_backend", "traffic policy Local and no usable endpoint on this node"};
        case abi::VERDICT_DROP_CLOSED_FRONTEND:
            return {"drop_closed_frontend", "the frontend is not offered to this source"};
        case abi::VERDICT_DROP_STRAY_RST: return {"drop_stray_rst", "a RST that belongs to no flow"};
        case abi::VERDICT_DROP_NO_ROUTE: return {"drop_no_route", "no route to the next hop"};
        case abi::VERDICT_DROP_TOO_BIG: return {"drop_too_big", "larger than the MTU of the way out"};
        case abi::VERDICT_DROP_TTL: return {"drop_ttl", "TTL or hop limit used up"};
        case abi::VERDICT_DROP_NO_SNAT_ADDRESS: return {"drop_no_snat_address", "no source address for the way out"};
        case abi::VERDICT_DROP_NO_SNAT_PORT: return {"drop_no_snat_port", "no free source port"};
        case abi::VERDICT_DROP_TABLE: return {"drop_table", "the kernel refused a flow entry"};
        case abi::VERDICT_DROP_STALE_BACKEND: return {"drop_stale_backend", "a slot names a backend that is gone"};
        case abi::VERDICT_COUNT: break;
    }
    return {"unknown", "unknown"};
}

}  // namespace weir::maps
