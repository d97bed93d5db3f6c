// SPDX-License-Identifier: Apache-2.0
#include "maps/pins.hpp"

namespace weir::maps {

const std::vector<std::string_view>& map_names() {
    static const std::vector<std::string_view> names = {
        "frontends", "vips",         "source_ranges", "slots",      "backends",  "services",        "affinity",
        "flows4",    "flows6",       "flows4_udp",    "flows6_udp", "unassured", "unassured_index", "unassured_head",
        "fragments", "socket_peers", "snat_usage",    "devices",    "runtime",   "verdicts"};
    return names;
}

}  // namespace weir::maps
