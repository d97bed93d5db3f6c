// SPDX-License-Identifier: Apache-2.0
// The rules of Kubernetes for names (RFC 1035, RFC 1123, RFC 6335).
#pragma once

#include <string_view>

namespace weir::decode {

struct NameRule {
    bool (*accepts)(std::string_view name);
    std::string_view wanted;  // "use ..."
};

extern const NameRule dns1035_label;      // Services
extern const NameRule dns1123_label;      // namespaces, port names of Services
extern const NameRule dns1123_subdomain;  // everything else
extern const NameRule port_name;          // names of container ports

}  // namespace weir::decode
