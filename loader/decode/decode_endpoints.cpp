// SPDX-License-Identifier: Apache-2.0
// core/v1 Endpoints, the older form of EndpointSlice, becomes slices: one per subset and family.
#include <fmt/format.h>

#include <array>

#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array object_fields{"apiVersion"sv, "kind"sv, "metadata"sv, "subsets"sv};
constexpr std::array subset_fields{"addresses"sv, "notReadyAddresses"sv, "ports"sv};
constexpr std::array address_fields{"ip"sv, "hostname"sv, "nodeName"sv, "targetRef"sv};

void decode_addresses(Reader& reader, const Field& list, bool ready, std::vector<model::Endpoint>& endpoints) {
    reader.each(list, [&](const Field& at) {
        if (!reader.map(at, address_fields)) {
            if (!at) reader.error(at, "is empty; use a map with an ip");
            return;
        }
        auto address = decode_endpoint_address(reader, reader.child(at, "ip"));
        if (!address) return;
        model::Endpoint endpoint;
        endpoint.addresses.push_back(*address);
        endpoint.ready = endpoint.serving = ready;
        reader.text(reader.child(at, "hostname"));
        endpoint.node_name = reader.text_or_empty(reader.child(at, "nodeName"));
        endpoints.push_back(std::move(endpoint));
    });
}

}  // namespace

model::Object decode_endpoints(Reader& reader, const Field& object, const Metadata& metadata) {
    model::EndpointSlice empty;
    empty.name = metadata.name;
    empty.origin = metadata.origin;
    empty.service = metadata.name.name;
    empty.from_endpoints = true;

    std::vector<model::EndpointSlice> slices;
    auto add = [&](model::Family family, const std::vector<model::EndpointPort>& ports) -> model::EndpointSlice& {
        auto slice = empty;
        // No Kubernetes name has a '#', so no other object has such a name.
        if (!slices.empty()) slice.name.name += fmt::format("#{}", slices.size());
        slice.family = family;
        slice.ports = ports;
        return slices.emplace_back(std::move(slice));
    };

    reader.map(object, object_fields);
    reader.each(reader.child(object, "subsets"), [&](const Field& at) {
        if (!reader.map(at, subset_fields)) return;
        std::vector<model::Endpoint> endpoints;
        decode_addresses(reader, reader.child(at, "addresses"), true, endpoints);
        decode_addresses(reader, reader.child(at, "notReadyAddresses"), false, endpoints);
        auto ports = decode_endpoint_ports(reader, reader.child(at, "ports"));
        for (auto family : {model::Family::ipv4, model::Family::ipv6}) {
            model::EndpointSlice* slice = nullptr;
            for (const auto& endpoint : endpoints) {
                if (endpoint.addresses.front().family() != family) continue;
                if (!slice) slice = &add(family, ports);
                slice->endpoints.push_back(endpoint);
            }
        }
    });
    if (slices.empty())
        add(model::Family::ipv4, {});  // the object's identity, without which it could not replace anything
    return slices;
}

}  // namespace weir::decode
