// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/case.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "loader/decode/decode.hpp"

namespace weir::conformance {

namespace {

struct Refused {
    YAML::Mark mark;
    std::string what;
};

struct Key {
    bool required;
    std::function<void(const YAML::Node&)> read;
};
using Keys = std::map<std::string, Key>;

// Reads a map all of whose keys are known.
void read_keys(const YAML::Node& node, const std::string& where, const Keys& keys) {
    if (!node.IsMap()) throw Refused{node.Mark(), where + ": a map is wanted"};
    std::set<std::string> seen;
    for (const auto& member : node) {
        auto name = member.first.Scalar();
        auto known = keys.find(name);
        if (known == keys.end()) throw Refused{member.first.Mark(), fmt::format("{}: unknown key {}", where, name)};
        if (!seen.insert(name).second) throw Refused{member.first.Mark(), fmt::format("{}: {} twice", where, name)};
        known->second.read(member.second);
    }
    for (const auto& [name, key] : keys) {
        if (key.required && !seen.contains(name))
            throw Refused{node.Mark(), fmt::format("{}: {} is missing", where, name)};
    }
}

std::string text(const YAML::Node& node) {
    if (!node.IsScalar()) throw Refused{node.Mark(), "a single value is wanted"};
    return node.Scalar();
}

template <class Parse>
auto parsed(const YAML::Node& node, const char* what, Parse parse) {
    auto value = parse(text(node));
    if (!value) throw Refused{node.Mark(), fmt::format("'{}' is not {}", node.Scalar(), what)};
    return *value;
}

template <class Parse>
auto list(const YAML::Node& node, const char* what, Parse parse) {
    if (!node.IsSequence()) throw Refused{node.Mark(), "a list is wanted"};
    std::vector<typename decltype(parse(std::string()))::value_type> out;
    for (const auto& item : node) out.push_back(parsed(item, what, parse));
    return out;
}

std::optional<std::uint16_t> parse_port(const std::string& value) {
    std::uint16_t port = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), port);
    if (error != std::errc() || end != value.data() + value.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<plan::Backend> parse_backend(const std::string& value) {
    auto colon = value.rfind(':');
    if (colon == std::string::npos) return std::nullopt;
    auto address = value.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    auto parsed_address = model::Address::parse(address);
    auto port = parse_port(value.substr(colon + 1));
    if (!parsed_address || !port) return std::nullopt;
    return plan::Backend{*parsed_address, *port};
}

std::optional<bool> parse_bool(const std::string& value) {
    if (value == "true") return true;
    if (value == "false") return false;
    return std::nullopt;
}

std::optional<From> parse_from(const std::string& value) {
    static const std::map<std::string, From> names = {
        {"pod", From::pod}, {"node", From::node}, {"external", From::external}};
    auto found = names.find(value);
    return found == names.end() ? std::nullopt : std::optional(found->second);
}

std::optional<explain::Outcome> parse_outcome(const std::string& value) {
    static const std::map<std::string, explain::Outcome> names = {
        {"REJECT", explain::Outcome::reject}, {"DROP", explain::Outcome::drop}, {"PASS", explain::Outcome::pass}};
    auto found = names.find(value);
    return found == names.end() ? std::nullopt : std::optional(found->second);
}

const auto parse_address = model::Address::parse;
const auto parse_cidr = model::Cidr::parse;

void check_service_cidrs(const YAML::Node& node, const std::vector<model::Cidr>& cidrs) {
    std::set<model::Family> families;
    for (const auto& cidr : cidrs) {
        if (!families.insert(cidr.base.family()).second)
            throw Refused{node.Mark(), "serviceCIDRs: weir knows one range of each family"};
    }
}

Node read_node(const YAML::Node& yaml) {
    Node node;
    read_keys(
        yaml, "node",
        {{"name", {true, [&](const auto& value) { node.name = text(value); }}},
         {"zone", {false, [&](const auto& value) { node.zone = text(value); }}},
         {"addresses", {true, [&](const auto& value) { node.addresses = list(value, "an address", parse_address); }}},
         {"nodePortAddresses",
          {false, [&](const auto& value) { node.node_port_addresses = list(value, "a CIDR", parse_cidr); }}},
         {"podCIDRs", {false, [&](const auto& value) { node.pod_cidrs = list(value, "a CIDR", parse_cidr); }}},
         {"serviceCIDRs", {false, [&](const auto& value) {
                               node.service_cidrs = list(value, "a CIDR", parse_cidr);
                               check_service_cidrs(value, node.service_cidrs);
                           }}}});
    return node;
}

void read_expectation(const YAML::Node& yaml, Flow& flow) {
    if (!yaml.IsSequence()) {
        flow.outcome = parsed(yaml, "a list of backends, REJECT, DROP or PASS", parse_outcome);
        return;
    }
    flow.backends = list(yaml, "address:port", parse_backend);
    if (flow.backends.empty()) throw Refused{yaml.Mark(), "expect: an empty list says nothing; say REJECT or DROP"};
    std::ranges::sort(flow.backends);
}

Flow read_flow(const YAML::Node& yaml) {
    Flow flow;
    read_keys(
        yaml, "flow",
        {{"name", {true, [&](const auto& value) { flow.name = text(value); }}},
         {"from", {true, [&](const auto& value) { flow.from = parsed(value, "pod, node or external", parse_from); }}},
         {"source", {true, [&](const auto& value) { flow.tuple.source = parsed(value, "an address", parse_address); }}},
         {"protocol",
          {true,
           [&](const auto& value) { flow.tuple.protocol = parsed(value, "TCP, UDP or SCTP", model::parse_protocol); }}},
         {"destination",
          {true, [&](const auto& value) { flow.tuple.destination = parsed(value, "an address", parse_address); }}},
         {"port",
          {true, [&](const auto& value) { flow.tuple.destination_port = parsed(value, "a port", parse_port); }}},
         {"expect", {true, [&](const auto& value) { read_expectation(value, flow); }}},
         {"masquerade",
          {false, [&](const auto& value) { flow.masquerade = parsed(value, "true or false", parse_bool); }}}});
    if (flow.tuple.source.family() != flow.tuple.destination.family())
        throw Refused{yaml.Mark(), "source and destination are of different families"};
    return flow;
}

// Passes the text between `objects:` and the next key to weir's own decoder, at its own line numbers, so that messages
// name the right lines.
std::vector<model::Object> read_objects(const YAML::Node& root, const std::string& content, const std::string& file) {
    int begin = -1, end = -1;
    for (const auto& member : root) {
        auto mark = member.first.Mark();
        if (member.first.Scalar() == "objects") begin = mark.line;
        if (begin >= 0 && mark.line > begin && (end < 0 || mark.line < end)) end = mark.line;
        if (mark.column != 0) throw Refused{mark, "top-level keys begin their lines"};
    }
    std::istringstream lines(content);
    std::string objects;
    std::string line;
    for (int number = 0; number != end && std::getline(lines, line); ++number) {
        if (number == begin) line = "items" + line.substr(line.find(':'));
        objects += (number >= begin ? line : "") + "\n";
    }
    objects += "apiVersion: v1\nkind: List\n";
    auto decoded = decode::decode(objects, decode::Format::yaml, file);
    for (const auto& problem : decoded.problems) {
        if (problem.severity == model::Severity::error) throw Refused{YAML::Mark::null_mark(), problem.to_string()};
    }
    if (!decoded.skipped.empty())
        throw Refused{YAML::Mark::null_mark(), fmt::format("objects: {} is not read", decoded.skipped.front())};
    return std::move(decoded.objects);
}

}  // namespace

std::expected<Case, std::string> read_case(const std::string& file) {
    std::stringstream content;
    std::ifstream input(file);
    content << input.rdbuf();
    if (!input) return std::unexpected(fmt::format("{}: cannot be read", file));
    Case out;
    out.file = file;
    try {
        auto root = YAML::Load(content.str());
        read_keys(root, "case",
                  {{"name", {true, [&](const auto& value) { out.name = text(value); }}},
                   {"taken_from", {false, [](const auto& value) { text(value); }}},
                   {"node", {true, [&](const auto& value) { out.node = read_node(value); }}},
                   {"objects", {true, [&](const auto&) { out.objects = read_objects(root, content.str(), file); }}},
                   {"flows", {true, [&](const auto& value) {
                                  if (!value.IsSequence() || value.size() == 0)
                                      throw Refused{value.Mark(), "flows: a list is wanted"};
                                  for (const auto& flow : value) out.flows.push_back(read_flow(flow));
                              }}}});
    } catch (const Refused& refused) {
        if (refused.mark.is_null()) return std::unexpected(refused.what);
        return std::unexpected(fmt::format("{}:{}: {}", file, refused.mark.line + 1, refused.what));
    } catch (const YAML::Exception& error) {
        return std::unexpected(fmt::format("{}:{}: not YAML: {}", file, error.mark.line + 1, error.msg));
    }
    return out;
}

}  // namespace weir::conformance
