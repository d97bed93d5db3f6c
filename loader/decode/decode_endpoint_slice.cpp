// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <set>

#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array object_fields{"apiVersion"sv, "kind"sv, "metadata"sv, "addressType"sv, "endpoints"sv, "ports"sv};
constexpr std::array endpoint_fields{"addresses"sv,          "conditions"sv, "hostname"sv, "targetRef"sv,
                                     "deprecatedTopology"sv, "nodeName"sv,   "zone"sv,     "hints"sv};
constexpr std::array port_fields{"name"sv, "protocol"sv, "port"sv, "appProtocol"sv};
constexpr std::array address_types{"IPv4"sv, "IPv6"sv, "FQDN"sv};
constexpr auto service_label = "kubernetes.io/service-name";

void decode_conditions(Reader& reader, const Field& at, model::Endpoint& endpoint) {
    constexpr std::array fields{"ready"sv, "serving"sv, "terminating"sv};
    if (!reader.map(at, fields)) return;
    endpoint.ready = reader.boolean(reader.child(at, "ready")).value_or(true);
    endpoint.serving = reader.boolean(reader.child(at, "serving")).value_or(endpoint.ready);
    endpoint.terminating = reader.boolean(reader.child(at, "terminating")).value_or(false);
}

std::vector<std::string> hint_names(Reader& reader, const Field& list) {
    constexpr std::array fields{"name"sv};
    std::vector<std::string> names;
    reader.each(list, [&](const Field& at) {
        if (!reader.map(at, fields)) return;
        auto name = reader.text_or_empty(reader.child(at, "name"));
        if (!name.empty()) names.push_back(std::move(name));
    });
    return names;
}

model::Endpoint decode_endpoint(Reader& reader, const Field& at, const model::EndpointSlice& slice) {
    constexpr std::array hint_fields{"forZones"sv, "forNodes"sv};
    model::Endpoint endpoint;
    if (!reader.map(at, endpoint_fields)) {
        if (!at) reader.error(at, "is empty; use a map with addresses");
        return endpoint;
    }
    auto addresses = reader.child(at, "addresses");
    if (!addresses) reader.error(addresses, "is missing; an endpoint needs an address");
    reader.each(addresses, [&](const Field& item) {
        if (slice.fqdn) {
            reader.text(item);
            return;
        }
        auto address = decode_endpoint_address(reader, item);
        if (!address) return;
        if (address->family() != slice.family)
            reader.error(item, fmt::format("{} is not an {} address, as addressType says; use a slice per family",
                                           shown(*item.value), slice.family == model::Family::ipv4 ? "IPv4" : "IPv6"));
        endpoint.addresses.push_back(*address);
    });
    if (addresses && addresses.value->kind() == Value::Kind::list && addresses.value->items().empty())
        reader.error(addresses, "is empty; an endpoint needs an address");
    decode_conditions(reader, reader.child(at, "conditions"), endpoint);
    endpoint.node_name = reader.text_or_empty(reader.child(at, "nodeName"));
    reader.text(reader.child(at, "hostname"));
    reader.text(reader.child(at, "zone"));
    auto hints = reader.child(at, "hints");
    if (reader.map(hints, hint_fields)) {
        endpoint.for_zones = hint_names(reader, reader.child(hints, "forZones"));
        endpoint.for_nodes = hint_names(reader, reader.child(hints, "forNodes"));
    }
    return endpoint;
}

}  // namespace

std::optional<model::Address> decode_endpoint_address(Reader& reader, const Field& field) {
    if (!field) {
        reader.error(field, "is missing; an endpoint needs an address");
        return std::nullopt;
    }
    auto address = reader.address(field);
    if (!address) return std::nullopt;
    auto special = special_address(*address);
    if (special.empty()) return address;
    reader.error(field, fmt::format("{} is {}, which cannot be an endpoint; use the address of a pod or host",
                                    shown(*field.value), special));
    return std::nullopt;
}

std::vector<model::EndpointPort> decode_endpoint_ports(Reader& reader, const Field& list) {
    std::vector<model::EndpointPort> ports;
    std::set<std::string_view> names;
    reader.each(list, [&](const Field& at) {
        if (!reader.map(at, port_fields)) return;
        model::EndpointPort port;
        auto name = reader.child(at, "name");
        auto text = reader.text(name);
        if (text && !text->empty()) port.name = reader.name(name, dns1123_label).value_or("");
        if ((!name || text) && !names.insert(text.value_or("")).second)
            reader.error(name, fmt::format("{} is the name of another port already; give each its own",
                                           shown(text.value_or(""))));
        port.protocol = reader.protocol(reader.child(at, "protocol")).value_or(model::Protocol::tcp);
        port.port = reader.port(reader.child(at, "port"));
        reader.text(reader.child(at, "appProtocol"));
        ports.push_back(std::move(port));
    });
    return ports;
}

model::Object decode_endpoint_slice(Reader& reader, const Field& object, const Metadata& metadata) {
    model::EndpointSlice slice;
    slice.name = metadata.name;
    slice.origin = metadata.origin;
    reader.map(object, object_fields);
    auto label = metadata.labels.find(service_label);
    if (label != metadata.labels.end()) slice.service = label->second;
    if (slice.service.empty())
        reader.warning(reader.child(object, "metadata"),
                       fmt::format("has no label {}, so these endpoints belong to no Service", service_label));
    auto type_field = reader.child(object, "addressType");
    auto type = reader.word(type_field, address_types);
    if (!type) {
        if (!type_field || reader.text(type_field) == "")
            reader.error(type_field, "is missing; use IPv4, IPv6 or FQDN");
        return std::vector{slice};
    }
    slice.fqdn = *type == 2;
    slice.family = *type == 1 ? model::Family::ipv6 : model::Family::ipv4;
    auto endpoints = reader.child(object, "endpoints");
    if (endpoints) slice.endpoints.reserve(endpoints.value->items().size());
    reader.each(endpoints, [&](const Field& at) { slice.endpoints.push_back(decode_endpoint(reader, at, slice)); });
    slice.ports = decode_endpoint_ports(reader, reader.child(object, "ports"));
    std::vector<model::EndpointSlice> slices;
    slices.push_back(std::move(slice));
    return slices;
}

}  // namespace weir::decode
