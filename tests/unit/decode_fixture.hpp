// SPDX-License-Identifier: Apache-2.0
// Helpers that turn texts into objects and problems, for tests of the model.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "loader/decode/decode.hpp"

namespace weir::model::test {

inline Address address(std::string_view text) {
    return Address::parse(text).value();
}
inline Cidr cidr(std::string_view text) {
    return Cidr::parse(text).value();
}

inline decode::Decoded from_yaml(std::string_view text) {
    return decode::decode(text, decode::Format::yaml, "f.yaml");
}
inline decode::Decoded from_json(std::string_view text) {
    return decode::decode(text, decode::Format::json, "f.json");
}

// Returns the problems, one per line: "error f.yaml:4: Service ns/web: spec.ports[0].port: ...".
inline std::string problems(const decode::Decoded& decoded) {
    std::string out;
    for (const auto& problem : decoded.problems)
        out += (problem.severity == Severity::error ? "error " : "warning ") + problem.to_string() + "\n";
    return out;
}

// Returns the names of the objects, in order: "ns/web ns/api".
inline std::string names(const decode::Decoded& decoded) {
    std::string out;
    for (const auto& object : decoded.objects) {
        auto name = std::visit(
            [](const auto& one) {
                if constexpr (requires { one.front(); })
                    return one.front().name.to_string();
                else
                    return one.name.to_string();
            },
            object);
        out += (out.empty() ? "" : " ") + name;
    }
    return out;
}

// Returns the only object of a text that has no problems.
template <typename T>
T only(const decode::Decoded& decoded) {
    EXPECT_EQ(problems(decoded), "");
    EXPECT_EQ(decoded.objects.size(), 1u);
    if (decoded.objects.size() != 1 || !std::holds_alternative<T>(decoded.objects.front())) {
        ADD_FAILURE() << "not exactly one object of this kind";
        return T();
    }
    return std::get<T>(decoded.objects.front());
}

// Decodes the Service ns/web with this spec in flow style: "ports: [{port: 80}]". The spec is in line 4.
inline std::string web_text(std::string_view spec, std::string_view more_metadata = "") {
    return fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: ns{}}}\nspec: {{{}}}\n",
                       more_metadata, spec);
}
inline decode::Decoded web(std::string_view spec, std::string_view more_metadata = "") {
    return from_yaml(web_text(spec, more_metadata));
}
inline Service web_service(std::string_view spec, std::string_view more_metadata = "") {
    return only<Service>(web(spec, more_metadata));
}

// Returns the manifest of the smallest Service of this name, as one line of JSON (and so of YAML).
inline std::string small_service(std::string_view name) {
    return fmt::format(R"({{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{}"}}, )"
                       R"("spec": {{"ports": [{{"port": 80}}]}}}})",
                       name);
}

inline std::vector<std::string> texts(const auto& values) {
    std::vector<std::string> out;
    for (const auto& value : values) out.push_back(value.to_string());
    return out;
}

}  // namespace weir::model::test
