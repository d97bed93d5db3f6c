// SPDX-License-Identifier: Apache-2.0
#include "loader/config/config.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "maps/sizes.hpp"

namespace weir::config {

namespace {

// A mistake in the file and its place. parse_config catches it and makes the message.
struct Refused {
    YAML::Mark mark;
    std::string what;
};

using Handler = std::function<void(const YAML::Node&)>;
using Keys = std::map<std::string, Handler>;

std::string scalar(const YAML::Node& node, const std::string& key) {
    if (!node.IsScalar()) throw Refused{node.Mark(), fmt::format("{}: a single value is wanted", key)};
    return node.Scalar();
}

template <class Integer>
Integer number(std::string_view text, const YAML::Node& node, const std::string& key, Integer min, Integer max) {
    Integer value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max)
        throw Refused{node.Mark(), fmt::format("{}: '{}' is not a number from {} to {}", key, text, min, max)};
    return value;
}

// A map with known keys only: a mistyped key must not be silently without effect.
void read_keys(const YAML::Node& node, const std::string& path, const Keys& keys) {
    if (!node || node.IsNull()) return;
    if (!node.IsMap())
        throw Refused{node.Mark(), fmt::format("{}keys and values are wanted",
                                               path.empty() ? "" : path.substr(0, path.size() - 1) + ": ")};
    std::set<std::string> seen;
    for (const auto& entry : node) {
        auto name = entry.first.as<std::string>("");
        if (!seen.insert(name).second)
            throw Refused{entry.first.Mark(), fmt::format("'{}{}' is given twice; remove one", path, name)};
        auto handler = keys.find(name);
        if (handler == keys.end()) {
            std::string known;
            for (const auto& [key, unused] : keys) known += (known.empty() ? "" : ", ") + key;
            throw Refused{entry.first.Mark(), fmt::format("unknown key '{}{}'; known here: {}", path, name, known)};
        }
        handler->second(entry.second);
    }
}

std::vector<std::string> strings(const YAML::Node& node, const std::string& key) {
    std::vector<std::string> out;
    if (node.IsScalar()) return {node.Scalar()};
    if (!node.IsSequence()) throw Refused{node.Mark(), fmt::format("{}: a list of names is wanted", key)};
    for (const auto& item : node) out.push_back(scalar(item, key));
    return out;
}

std::pair<std::uint16_t, std::uint16_t> port_range(const YAML::Node& node, const std::string& key) {
    auto text = scalar(node, key);
    auto dash = text.find('-');
    if (dash == std::string::npos)
        throw Refused{node.Mark(), fmt::format("{}: '{}' is not a range such as 30000-32767", key, text)};
    std::string_view view = text;
    auto low = number<std::uint16_t>(view.substr(0, dash), node, key, 1, 65535);
    auto high = number<std::uint16_t>(view.substr(dash + 1), node, key, 1, 65535);
    if (low > high) throw Refused{node.Mark(), fmt::format("{}: {} begins above its end", key, text)};
    return {low, high};
}

std::vector<model::Cidr> cidrs(const YAML::Node& node, const std::string& key) {
    std::vector<std::string> texts;
    for (const auto& item : strings(node, key)) {
        std::stringstream parts(item);
        for (std::string part; std::getline(parts, part, ',');) texts.push_back(part);
    }
    std::vector<model::Cidr> out;
    for (const auto& text : texts) {
        auto cidr = model::Cidr::parse(text);
        if (!cidr)
            throw Refused{node.Mark(), fmt::format("{}: '{}' is not an address range such as 10.96.0.0/16", key, text)};
        out.push_back(*cidr);
    }
    return out;
}

std::vector<model::SocketAddress> socket_addresses(const YAML::Node& node, const std::string& key) {
    if (node.IsScalar() && node.Scalar() == "off") return {};
    std::vector<model::SocketAddress> out;
    for (const auto& text : strings(node, key)) {
        auto address = model::SocketAddress::parse(text);
        if (!address || address->port == 0)
            throw Refused{node.Mark(), fmt::format("{}: '{}' is no address with a port, such as 127.0.0.1:10256 or "
                                                   "[::1]:10256, nor off",
                                                   key, text)};
        out.push_back(*address);
    }
    return out;
}

template <class Enum>
Enum choice(const YAML::Node& node, const std::string& key, const std::map<std::string, Enum>& choices) {
    auto found = choices.find(scalar(node, key));
    if (found != choices.end()) return found->second;
    std::string known;
    for (const auto& [name, unused] : choices) known += (known.empty() ? "" : ", ") + name;
    throw Refused{node.Mark(), fmt::format("{}: '{}' is none of {}", key, node.Scalar(), known)};
}

bool boolean(const YAML::Node& node, const std::string& key) {
    return choice<bool>(node, key, {{"true", true}, {"false", false}});
}

// Returns a handler for each size of a map whose key begins with group.
Keys size_keys(const std::string& group, maps::MapSizes& sizes) {
    Keys keys;
    for (const auto& setting : maps::size_settings) {
        if (!setting.key.starts_with(group)) continue;
        keys.emplace(setting.key.substr(group.size()), [&setting, &sizes](const YAML::Node& node) {
            std::string key(setting.key);
            sizes.*setting.value = number<std::uint32_t>(scalar(node, key), node, key, setting.least, setting.most);
        });
    }
    return keys;
}

Handler seconds_handler(const std::string& key, std::chrono::seconds& target) {
    return [&target, key](const YAML::Node& node) {
        target = std::chrono::seconds(number<std::uint32_t>(scalar(node, key), node, key, 1, 30 * 86400));
    };
}

Keys datapath_keys(Config& config) {
    auto& settings = config.datapath;
    return {
        {"xdp",
         [&](const YAML::Node& node) {
             settings.xdp = choice<datapath::XdpMode>(node, "datapath.xdp",
                                                      {{"auto", datapath::XdpMode::automatic},
                                                       {"native", datapath::XdpMode::native},
                                                       {"generic", datapath::XdpMode::generic},
                                                       {"off", datapath::XdpMode::off}});
         }},
        {"tc",
         [&](const YAML::Node& node) {
             settings.tc = choice<datapath::TcMode>(node, "datapath.tc",
                                                    {{"auto", datapath::TcMode::automatic},
                                                     {"tcx", datapath::TcMode::tcx},
                                                     {"clsact", datapath::TcMode::clsact}});
         }},
        {"mode",
         [](const YAML::Node& node) {
             choice<int>(node, "datapath.mode", {{"snat", 0}});
         }},
        {"snatPorts",
         [&](const YAML::Node& node) {
             std::tie(settings.snat_ports.first, settings.snat_ports.last) = port_range(node, "datapath.snatPorts");
         }},
        {"externalClusterIP",
         [&](const YAML::Node& node) { config.external_cluster_ip = boolean(node, "datapath.externalClusterIP"); }},
        {"seed",
         [&](const YAML::Node& node) {
             settings.seed = number<std::uint32_t>(scalar(node, "datapath.seed"), node, "datapath.seed", 0, 0xffffffff);
         }},
        {"flowTable",
         [&](const YAML::Node& node) {
             read_keys(node, "datapath.flowTable.", size_keys("datapath.flowTable.", settings.sizes));
         }},
        {"maps",
         [&](const YAML::Node& node) {
             read_keys(node, "datapath.maps.", size_keys("datapath.maps.", settings.sizes));
         }},
        {"timeouts",
         [&](const YAML::Node& node) {
             auto& timeouts = settings.timeouts;
             read_keys(node, "datapath.timeouts.",
                       {{"tcp", seconds_handler("datapath.timeouts.tcp", timeouts.tcp)},
                        {"tcpUnassured", seconds_handler("datapath.timeouts.tcpUnassured", timeouts.tcp_unassured)},
                        {"closing", seconds_handler("datapath.timeouts.closing", timeouts.closing)},
                        {"udp", seconds_handler("datapath.timeouts.udp", timeouts.udp)},
                        {"udpUnassured", seconds_handler("datapath.timeouts.udpUnassured", timeouts.udp_unassured)}});
         }},
    };
}

Keys top_keys(Config& config) {
    return {
        {"node", [&](const YAML::Node& node) { config.node = scalar(node, "node"); }},
        {"source",
         [&](const YAML::Node& node) {
             read_keys(node, "source.", {{"manifests", [&](const YAML::Node& value) {
                                              config.manifests = scalar(value, "source.manifests");
                                          }}});
         }},
        {"interfaces",
         [&](const YAML::Node& node) {
             read_keys(
                 node, "interfaces.",
                 {{"uplinks",
                   [&](const YAML::Node& value) { config.interfaces.uplinks = strings(value, "interfaces.uplinks"); }},
                  {"workloads", [&](const YAML::Node& value) {
                       config.interfaces.workloads = strings(value, "interfaces.workloads");
                   }}});
         }},
        {"cgroup", [&](const YAML::Node& node) { set_cgroup(config, scalar(node, "cgroup")); }},
        {"datapath", [&](const YAML::Node& node) { read_keys(node, "datapath.", datapath_keys(config)); }},
        {"serviceCIDR",
         [&](const YAML::Node& node) {
             config.service_cidrs = cidrs(node, "serviceCIDR");
             if (config.service_cidrs.size() > 2 ||
                 (config.service_cidrs.size() == 2 &&
                  config.service_cidrs[0].base.family() == config.service_cidrs[1].base.family()))
                 throw Refused{node.Mark(), "serviceCIDR: one range, or one of each family"};
         }},
        {"nodePortRange",
         [&](const YAML::Node& node) {
             std::tie(config.node_port_min, config.node_port_max) = port_range(node, "nodePortRange");
         }},
        {"nodePortAddresses",
         [&](const YAML::Node& node) {
             if (node.IsScalar() && node.Scalar() == "primary")
                 config.node_port_addresses.clear();
             else
                 config.node_port_addresses = cidrs(node, "nodePortAddresses");
         }},
        {"healthzAddress",
         [&](const YAML::Node& node) { config.healthz_addresses = socket_addresses(node, "healthzAddress"); }},
    };
}

}  // namespace

void set_cgroup(Config& config, const std::string& value) {
    config.datapath.socket_hooks = value != "off";
    config.datapath.cgroup = value == "off" ? "" : value;
}

Config default_config() {
    Config config;
    char name[256] = {};
    if (::gethostname(name, sizeof(name) - 1) == 0) config.node = name;
    config.service_cidrs = {*model::Cidr::parse("10.96.0.0/16")};
    config.healthz_addresses = {*model::SocketAddress::parse("0.0.0.0:10256"),
                                *model::SocketAddress::parse("[::]:10256")};
    return config;
}

std::expected<Config, std::string> parse_config(const std::string& text, const std::string& path) {
    Config config = default_config();
    try {
        auto documents = YAML::LoadAll(text);
        if (documents.size() > 1) throw Refused{documents[1].Mark(), "a second document; one is wanted"};
        if (!documents.empty()) read_keys(documents[0], "", top_keys(config));
    } catch (const Refused& refused) {
        return std::unexpected(fmt::format("{}:{}: {}", path, refused.mark.line + 1, refused.what));
    } catch (const YAML::Exception& error) {
        return std::unexpected(fmt::format("{}:{}: not YAML: {}", path, error.mark.line + 1, error.msg));
    }
    return config;
}

std::expected<Config, std::string> read_config(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
        return std::unexpected(fmt::format("{}: is a folder; --config takes a file", path));
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return std::unexpected(fmt::format("{}: cannot be read; check --config", path));
    return parse_config(text.str(), path);
}

}  // namespace weir::config
