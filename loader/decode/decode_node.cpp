// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

constexpr auto zone_label = "topology.kubernetes.io/zone";
constexpr auto autoscaler_taint = "ToBeDeletedByClusterAutoscaler";

void decode_pod_cidr(Reader& reader, const Field& field, model::Node& node) {
    auto text = reader.text(field);
    if (!text || text->empty()) return;
    if (auto cidr = model::Cidr::parse(*text))
        node.pod_cidrs.push_back(*cidr);
    else
        reader.error(field, fmt::format("{} is not a CIDR; use one such as 10.0.1.0/24", shown(*text)));
}

void decode_address(Reader& reader, const Field& at, model::Node& node) {
    if (!reader.map(at)) return;
    auto type = reader.text(reader.child(at, "type")).value_or("");
    bool internal = type == "InternalIP";
    if (!internal && type != "ExternalIP") return;  // host names are left to DNS
    if (auto address = reader.address(reader.child(at, "address")))
        (internal ? node.internal_ips : node.external_ips).push_back(*address);
}

}  // namespace

model::Object decode_node(Reader& reader, const Field& object, const Metadata& metadata) {
    model::Node node;
    node.name = metadata.name;
    node.origin = metadata.origin;
    node.labels = metadata.labels;
    node.to_be_deleted = metadata.deleting;
    auto zone = metadata.labels.find(zone_label);
    if (zone != metadata.labels.end()) node.zone = zone->second;
    reader.map(object);
    auto spec = reader.child(object, "spec");
    if (reader.map(spec)) {
        auto several = reader.child(spec, "podCIDRs");
        reader.each(several, [&](const Field& at) { decode_pod_cidr(reader, at, node); });
        if (node.pod_cidrs.empty()) decode_pod_cidr(reader, reader.child(spec, "podCIDR"), node);
        reader.each(reader.child(spec, "taints"), [&](const Field& at) {
            if (reader.map(at) && reader.text(reader.child(at, "key")) == autoscaler_taint) node.to_be_deleted = true;
        });
    }
    auto status = reader.child(object, "status");
    if (reader.map(status))
        reader.each(reader.child(status, "addresses"), [&](const Field& at) { decode_address(reader, at, node); });
    return node;
}

}  // namespace weir::decode
