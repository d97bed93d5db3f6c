// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/explain_arguments.hpp"

#include <fmt/format.h>

#include <charconv>

namespace weir::cli {

namespace {

struct Endpoint {
    model::Address address;
    std::optional<std::uint16_t> port;
};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    std::string_view address = text, port;
    bool has_port = false;
    if (text.starts_with('[')) {
        auto close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        address = text.substr(1, close - 1);
        auto rest = text.substr(close + 1);
        has_port = rest.starts_with(':');
        if (has_port)
            port = rest.substr(1);
        else if (!rest.empty())
            return std::nullopt;
    } else if (auto colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
        address = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    Endpoint out;
    auto parsed = model::Address::parse(address);
    if (!parsed) return std::nullopt;
    out.address = *parsed;
    if (has_port && !(out.port = parse_port(port))) return std::nullopt;
    return out;
}

}  // namespace

std::expected<view::Tuple, std::string> parse_question(std::string_view source, std::string_view destination) {
    view::Tuple tuple;
    auto from = parse_endpoint(source);
    if (!from)
        return std::unexpected(
            fmt::format("'{}' is not SRC[:PORT], such as 10.0.0.5, 10.0.0.5:40000 or [fd00::5]:40000", source));
    auto target = destination;
    if (auto slash = target.find('/'); slash != std::string_view::npos) {
        std::string name(target.substr(slash + 1));
        for (auto& letter : name)
            letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
        auto protocol = model::parse_protocol(name);
        if (!protocol) return std::unexpected(fmt::format("'{}': the protocol is one of tcp, udp, sctp", destination));
        tuple.protocol = *protocol;
        target = target.substr(0, slash);
    }
    auto to = parse_endpoint(target);
    if (!to || !to->port)
        return std::unexpected(fmt::format(
            "'{}' is not DST:PORT[/tcp|udp|sctp], such as 10.96.0.1:443 or [fd00:96::1]:53/udp", destination));
    if (from->address.family() != to->address.family())
        return std::unexpected(fmt::format("{} and {} are of different families", source, destination));
    tuple.source = from->address;
    tuple.source_port = from->port.value_or(default_source_port);
    tuple.destination = to->address;
    tuple.destination_port = *to->port;
    return tuple;
}

std::optional<explain::Via> parse_via(std::string_view text) {
    for (auto via : {explain::Via::uplink, explain::Via::workload, explain::Via::host}) {
        if (explain::via_name(via) == text) return via;
    }
    return std::nullopt;
}

}  // namespace weir::cli
