// SPDX-License-Identifier: Apache-2.0
#include "loader/view/node_view.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <tuple>

#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"

namespace weir::view {

const std::string& NodeView::service(std::uint32_t id) const {
    static const std::string unknown = "-";
    auto found = services.find(id);
    return found == services.end() ? unknown : found->second;
}

std::expected<NodeView, std::string> read_node(const maps::PinPaths& pins) {
    NodeView view;
    auto services = maps::open_map<maps::ServiceMap>(pins, "services");
    if (!services) return std::unexpected(services.error());
    auto frontends = maps::open_map<maps::FrontendMap>(pins, "frontends");
    if (!frontends) return std::unexpected(frontends.error());
    auto backends = maps::open_map<maps::BackendMap>(pins, "backends");
    if (!backends) return std::unexpected(backends.error());

    auto error = services->for_each([&](auto id, const auto& name) { view.services[id] = service_text(name); });
    if (!error)
        error =
            frontends->for_each([&](const auto& key, const auto& value) { view.frontends.emplace_back(key, value); });
    if (!error) {
        error = backends->for_each([&](auto id, const auto& backend) {
            if (backend.flags & abi::BACKEND_IN_USE) view.backends[id] = backend;
        });
    }
    if (error) return std::unexpected(fmt::format("{}: {}", pins.maps(), error.message()));
    std::ranges::sort(view.frontends, {}, [&](const auto& entry) {
        return std::make_tuple(view.service(entry.second.service_id), entry.second.kind,
                               model::address_of(entry.first.address), ntohs(entry.first.port_be));
    });
    return view;
}

std::expected<std::map<std::uint32_t, std::uint32_t>, std::string> slot_shares(const maps::SlotMap& slots,
                                                                               const abi::slot_range& range) {
    std::map<std::uint32_t, std::uint32_t> shares;
    for (std::uint32_t slot = range.offset; slot < range.offset + range.length;) {
        auto line = slots.lookup(slot / abi::SLOTS_PER_LINE);
        if (!line) return std::unexpected(fmt::format("map slots: line {} cannot be read", slot / abi::SLOTS_PER_LINE));
        do {
            ++shares[line->backend_id[slot % abi::SLOTS_PER_LINE]];
            ++slot;
        } while (slot % abi::SLOTS_PER_LINE != 0 && slot < range.offset + range.length);
    }
    return shares;
}

}  // namespace weir::view
