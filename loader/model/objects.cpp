// SPDX-License-Identifier: Apache-2.0
#include "loader/model/objects.hpp"

namespace weir::model {

std::string ObjectName::to_string() const {
    return name_space.empty() ? name : name_space + "/" + name;
}

namespace {

// A vector of slices is never empty: an Endpoints object without subsets still yields one (decode_endpoints.cpp).
struct IdentityOf {
    Identity operator()(const Service& service) const { return {Kind::service, service.name}; }
    Identity operator()(const std::vector<EndpointSlice>& slices) const {
        const auto& first = slices.front();
        return {first.from_endpoints ? Kind::endpoints : Kind::endpoint_slice, first.name};
    }
    Identity operator()(const Pod& pod) const { return {Kind::pod, pod.name}; }
    Identity operator()(const Node& node) const { return {Kind::node, node.name}; }
};

struct OriginOf {
    const Origin& operator()(const auto& object) const { return object.origin; }
    const Origin& operator()(const std::vector<EndpointSlice>& slices) const { return slices.front().origin; }
};

}  // namespace

Identity identity_of(const Object& object) {
    return std::visit(IdentityOf(), object);
}

const Origin& origin_of(const Object& object) {
    return std::visit(OriginOf(), object);
}

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::service:
            return "Service";
        case Kind::endpoint_slice:
            return "EndpointSlice";
        case Kind::endpoints:
            return "Endpoints";
        case Kind::pod:
            return "Pod";
        case Kind::node:
            return "Node";
    }
    return "";
}

std::string Problem::to_string() const {
    std::string text;
    if (!origin.file.empty()) {
        text = origin.file.view();
        if (origin.line > 0) text += ":" + std::to_string(origin.line);
        text += ": ";
    }
    if (!object.empty()) text += object + ": ";
    return text + what;
}

}  // namespace weir::model
