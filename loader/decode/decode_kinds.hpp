// SPDX-License-Identifier: Apache-2.0
// One decoder per kind, called by decode() with an object whose kind and metadata are known already.
#pragma once

#include <optional>

#include "loader/decode/reader.hpp"
#include "loader/model/objects.hpp"

namespace weir::decode {

struct Metadata {
    model::ObjectName name;
    model::Origin origin;
    model::Labels labels;
    model::Labels annotations;
    bool deleting = false;  // deletionTimestamp is set
};

// Metadata of an object of this kind; problems are reported under "KIND ns/name" as soon as the name is known.
struct NameScope {
    std::string_view kind;
    bool namespaced = true;
    const NameRule* rule = nullptr;
    bool strict = true;  // unknown fields are warned about
};
std::optional<Metadata> decode_metadata(Reader& reader, const Field& object, const NameScope& scope);

// Return objects that are usable only if the reader reports no failure.
model::Object decode_service(Reader& reader, const Field& object, const Metadata& metadata);
model::Object decode_endpoint_slice(Reader& reader, const Field& object, const Metadata& metadata);
model::Object decode_endpoints(Reader& reader, const Field& object, const Metadata& metadata);
model::Object decode_pod(Reader& reader, const Field& object, const Metadata& metadata);
model::Object decode_node(Reader& reader, const Field& object, const Metadata& metadata);

// Shared by EndpointSlice and Endpoints.
std::vector<model::EndpointPort> decode_endpoint_ports(Reader& reader, const Field& list);
std::optional<model::Address> decode_endpoint_address(Reader& reader, const Field& field);

// Shared by Service and its addresses (decode_service_addresses.cpp).
void decode_service_addresses(Reader& reader, const Field& spec, model::Service& service);
void decode_load_balancer(Reader& reader, const Field& object, const Field& spec, const Metadata& metadata,
                          model::Service& service);

}  // namespace weir::decode
