// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array fields{"name"sv,
                            "generateName"sv,
                            "namespace"sv,
                            "selfLink"sv,
                            "uid"sv,
                            "resourceVersion"sv,
                            "generation"sv,
                            "creationTimestamp"sv,
                            "deletionTimestamp"sv,
                            "deletionGracePeriodSeconds"sv,
                            "labels"sv,
                            "annotations"sv,
                            "ownerReferences"sv,
                            "finalizers"sv,
                            "managedFields"sv,
                            "clusterName"sv};

}  // namespace

std::optional<Metadata> decode_metadata(Reader& reader, const Field& object, const NameScope& scope) {
    Metadata metadata;
    metadata.origin = reader.origin(*object.value);
    reader.name_object(std::string(scope.kind));
    auto at = reader.child(object, "metadata");
    std::span<const std::string_view> known;
    if (scope.strict) known = fields;
    if (!reader.map(at, known)) {
        if (!at) reader.error(at, "is missing; every object needs a metadata.name");
        return std::nullopt;
    }
    auto name_field = reader.child(at, "name");
    if (!name_field) {
        reader.error(name_field, "is missing; every object needs a name");
        return std::nullopt;
    }
    auto name = reader.name(name_field, *scope.rule);
    if (!name) return std::nullopt;
    metadata.name.name = *name;
    if (scope.namespaced) {
        auto name_space = reader.child(at, "namespace");
        auto given = reader.text(name_space);
        metadata.name.name_space = "default";
        if (given && !given->empty()) {
            auto valid = reader.name(name_space, dns1123_label);
            if (!valid) return std::nullopt;
            metadata.name.name_space = *valid;
        } else if (name_space && !given) {
            return std::nullopt;
        }
    }
    reader.name_object(fmt::format("{} {}", scope.kind, metadata.name.to_string()));
    metadata.labels = reader.labels(reader.child(at, "labels"));
    metadata.annotations = reader.labels(reader.child(at, "annotations"));
    metadata.deleting = static_cast<bool>(reader.child(at, "deletionTimestamp"));
    return metadata;
}

}  // namespace weir::decode
