// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/snat_status.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "loader/cli/listing.hpp"
#include "loader/cli/table.hpp"
#include "loader/datapath/config_in_force.hpp"

namespace weir::cli {

namespace {

// The service ports that have a backend there; none if it takes no new connections.
std::vector<std::string> services_at(const NodeView& view, const datapath::SnatEndpoint& endpoint) {
    std::vector<std::string> services;
    for (const auto& [id, backend] : view.backends)
        if (datapath::endpoint_of(backend) == endpoint) services.push_back(view.service(backend.service_id));
    return services;
}

boost::json::object use_json(const datapath::SnatUse& use) {
    return {{"source", address_of(use.pool.source).to_string()}, {"ports", use.ports()}, {"yielding", use.yielding}};
}

}  // namespace

std::expected<SnatView, std::string> read_snat(const Config& config) {
    const auto& pins = config.datapath.pins;
    SnatView snat{.range = {config.datapath.snat_port_min, config.datapath.snat_port_max}, .uses = {}, .fullest = {}};
    auto frontends = maps::open_map<maps::FrontendMap>(pins, "frontends");
    if (!frontends) return std::unexpected(frontends.error());
    if (auto in_force = datapath::config_in_force(frontends->fd()))
        snat.range = {in_force->snat_port_min, in_force->snat_port_max};

    auto usage = maps::SnatUsageMap::open(pins.map("snat_usage"));
    if (!usage && usage.error().value() == ENOENT) return snat;
    if (!usage) return std::unexpected("map snat_usage: " + usage.error().message());
    auto uses = datapath::read_snat_ports(*usage, snat.range);
    if (!uses) return std::unexpected(uses.error());
    snat.uses = std::move(*uses);
    snat.fullest = datapath::fullest_pools(snat.uses);
    return snat;
}

boost::json::object snat_json(const SnatView& snat, const NodeView& view, std::uint64_t drops) {
    auto high = std::ranges::count_if(
        snat.uses, [&](const auto& use) { return use.kept >= snat.range.share(datapath::snat_high_percent); });
    boost::json::value highest = nullptr;
    if (auto use = std::ranges::max_element(snat.uses, {}, &datapath::SnatUse::ports); use != snat.uses.end()) {
        const auto& endpoint = use->pool.endpoint;
        auto json = use_json(*use);
        json["backend"] = model::to_string(address_of(endpoint.address), ntohs(endpoint.port_be));
        json["protocol"] = protocol_name(endpoint.protocol);
        auto services = services_at(view, endpoint);
        json["services"] = boost::json::array(services.begin(), services.end());
        highest = std::move(json);
    }
    return {{"first", snat.range.first},
            {"last", snat.range.last},
            {"size", snat.range.size()},
            {"highest", highest},
            {"high", high},
            {"drops", drops}};
}

void print_snat(const boost::json::object& snat) {
    auto text = [](const boost::json::value& value) { return boost::json::serialize(value); };
    std::string highest = "none in use";
    if (const auto* use = snat.at("highest").if_object()) {
        std::vector<std::string> services;
        for (const auto& service : use->at("services").as_array()) services.emplace_back(service.as_string());
        highest =
            fmt::format("at most {} of {} in use, from {} to {}/{} ({})", text(use->at("ports")), text(snat.at("size")),
                        use->at("source").as_string().c_str(), use->at("backend").as_string().c_str(),
                        use->at("protocol").as_string().c_str(), shortened(services));
    }
    fmt::print("SNAT ports  {}-{}: {}\n", text(snat.at("first")), text(snat.at("last")), highest);
    if (boost::json::value_to<std::uint64_t>(snat.at("high")) > 0)
        fmt::print("            {} % or more of the ports are in use by connections to {} backends\n",
                   datapath::snat_high_percent, text(snat.at("high")));
}

boost::json::object snat_json(const SnatView& snat, const datapath::SnatEndpoint& endpoint) {
    auto use = snat.fullest.find(endpoint);
    boost::json::object json = use == snat.fullest.end()
                                   ? boost::json::object{{"source", nullptr}, {"ports", 0}, {"yielding", 0}}
                                   : use_json(use->second);
    json["size"] = snat.range.size();
    return json;
}

std::string snat_text(const SnatView& snat, const datapath::SnatEndpoint& endpoint) {
    auto use = snat.fullest.find(endpoint);
    return fmt::format("{}/{}", use == snat.fullest.end() ? 0 : use->second.ports(), snat.range.size());
}

}  // namespace weir::cli
