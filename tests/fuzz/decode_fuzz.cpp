// SPDX-License-Identifier: Apache-2.0
// Passes any text to decode(). The first byte chooses the format and is no part of the text: a space is JSON, anything
// else is YAML. So the files of the corpus are manifests as they stand: JSON behind a space, YAML behind an empty line.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "loader/decode/decode.hpp"

namespace {

using namespace weir::model;
using namespace weir::decode;

// Aborts, which every fuzzer reports as a finding.
void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "decode_fuzz: does not hold: %s\n", what);
    std::abort();
}

// Returns whether a message is fit for logs and terminals.
bool is_one_printable_line(std::string_view text) {
    return !text.empty() &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void check(const Problem& problem) {
    require(is_one_printable_line(problem.what), "a problem says what it is, in one printable line");
    require(is_one_printable_line(problem.to_string()), "a problem names its object in the same line");
    require(problem.what.size() < 2000, "a problem is short");
    require(problem.origin.file == "fuzz" && problem.origin.line >= 0, "a problem says where it is");
}

void check(const Service& service) {
    for (const auto& port : service.ports) require(port.port > 0, "a Service port has a number");
    if (service.affinity_seconds)
        require(*service.affinity_seconds >= 1 && *service.affinity_seconds <= 86400, "affinity lasts up to a day");
    require(service.cluster_ips.size() <= 2 && service.ip_families.size() <= 2, "there are two families");
    for (std::size_t i = 0; i < service.cluster_ips.size(); ++i)
        require(service.cluster_ips[i].family() == service.ip_families.at(i), "families are those of the addresses");
    require(service.type != ServiceType::external_name || !service.external_name.empty(), "an ExternalName has a name");
}

void check(const std::vector<EndpointSlice>& slices) {
    require(!slices.empty(), "there is a slice, if only for its name");
    for (const auto& slice : slices) {
        for (const auto& endpoint : slice.endpoints) {
            require(slice.fqdn || !endpoint.addresses.empty(), "an endpoint has an address");
            for (const auto& address : endpoint.addresses)
                require(address.family() == slice.family, "a slice has one family");
        }
        for (const auto& port : slice.ports) require(port.port != 0, "a port that is there has a number");
    }
}

void check(const Pod& pod) {
    for (const auto& port : pod.ports) require(port.port > 0, "a container port has a number");
}

void check(const Node& node) {
    require(node.name.name_space.empty(), "a Node is in no namespace");
}

void check(const Decoded& decoded) {
    require(decoded.fingerprints.size() == decoded.objects.size(), "each object has a fingerprint");
    bool errors = false;
    for (const auto& problem : decoded.problems) {
        check(problem);
        errors = errors || problem.severity == Severity::error;
    }
    if (decoded.malformed) {
        require(decoded.objects.empty() && decoded.refused.empty(), "a malformed text holds no object");
        require(errors, "a malformed text is an error");
    }
    require(decoded.refused.empty() || errors, "an object is refused for a reason");
    for (const auto& skipped : decoded.skipped) require(is_one_printable_line(skipped), "a skipped kind is printable");
    for (const auto& object : decoded.objects) {
        require(origin_of(object).line > 0, "an object stands in a line");
        require(!identity_of(object).name.name.empty(), "an object has a name");
        std::visit([](const auto& one) { check(one); }, object);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto format = data[0] == ' ' ? Format::json : Format::yaml;
    auto decoded = decode(text, format, "fuzz");
    check(decoded);
    require(decode(text, format, "fuzz").fingerprints == decoded.fingerprints, "reading again changes nothing");
    return 0;
}
