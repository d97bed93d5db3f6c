// SPDX-License-Identifier: Apache-2.0
// One decoder per kind, called by decode() with an object whose kind and metadata are known already.
#pragma once

#include <optional>

#include "loader/model/objects.hpp"
#include "loader/model/reader.hpp"

namespace weir::model {

struct Metadata {
    ObjectName name;
    Origin origin;
    Labels labels;
    Labels annotations;
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

// What these return is of use only if the reader reports no failure.
Object decode_service(Reader& reader, const Field& object, const Metadata& metadata);
Object decode_endpoint_slice(Reader& reader, const Field& object, const Metadata& metadata);
Object decode_endpoints(Reader& reader, const Field& object, const Metadata& metadata);
Object decode_pod(Reader& reader, const Field& object, const Metadata& metadata);
Object decode_node(Reader& reader, const Field& object, const Metadata& metadata);

// Shared by EndpointSlice and Endpoints.
std::vector<EndpointPort> decode_endpoint_ports(Reader& reader, const Field& list);
std::optional<Address> decode_endpoint_address(Reader& reader, const Field& field);

// Shared by Service and its addresses (decode_service_addresses.cpp).
void decode_service_addresses(Reader& reader, const Field& spec, Service& service);
void decode_load_balancer(Reader& reader, const Field& object, const Field& spec, const Metadata& metadata,
                          Service& service);

}  // namespace weir::model
