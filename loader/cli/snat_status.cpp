// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/snat_status.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>

#include "loader/cli/table.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"

namespace weir::cli {

namespace {

// The service ports that have a backend there; none if it takes no new connections.
std::vector<std::string> services_at(const view::NodeView& view, const view::SnatEndpoint& endpoint) {
    std::vector<std::string> services;
    for (const auto& [id, backend] : view.backends)
        if (view::endpoint_of(backend) == endpoint) services.push_back(view.service(backend.service_id));
    return services;
}

boost::json::object use_json(const view::SnatUse& use) {
    return {
        {"source", model::address_of(use.pool.source).to_string()}, {"ports", use.ports()}, {"yielding", use.yielding}};
}

}  // namespace

boost::json::object snat_json(const view::SnatView& snat, const view::NodeView& view, std::uint64_t drops) {
    auto high = std::ranges::count_if(
        snat.uses, [&](const auto& use) { return use.kept >= snat.range.share(view::snat_high_percent); });
    boost::json::value highest = nullptr;
    if (auto use = std::ranges::max_element(snat.uses, {}, &view::SnatUse::ports); use != snat.uses.end()) {
        const auto& endpoint = use->pool.endpoint;
        auto json = use_json(*use);
        json["backend"] = model::to_string(model::address_of(endpoint.address), ntohs(endpoint.port_be));
        json["protocol"] = view::protocol_name(endpoint.protocol);
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
                        use->at("protocol").as_string().c_str(), view::shortened(services));
    }
    fmt::print("SNAT ports  {}-{}: {}\n", text(snat.at("first")), text(snat.at("last")), highest);
    if (boost::json::value_to<std::uint64_t>(snat.at("high")) > 0)
        fmt::print("            {} % or more of the ports are in use by connections to {} backends\n",
                   view::snat_high_percent, text(snat.at("high")));
}

boost::json::object snat_json(const view::SnatView& snat, const view::SnatEndpoint& endpoint) {
    auto use = snat.fullest.find(endpoint);
    boost::json::object json = use == snat.fullest.end()
                                   ? boost::json::object{{"source", nullptr}, {"ports", 0}, {"yielding", 0}}
                                   : use_json(use->second);
    json["size"] = snat.range.size();
    return json;
}

std::string snat_text(const view::SnatView& snat, const view::SnatEndpoint& endpoint) {
    auto use = snat.fullest.find(endpoint);
    return fmt::format("{}/{}", use == snat.fullest.end() ? 0 : use->second.ports(), snat.range.size());
}

}  // namespace weir::cli
