// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/tables.hpp"

#include <bpf/bpf.h>

#include <stdexcept>

namespace weir::test {

Service& Service::slots(const std::vector<std::uint32_t>& ids) {
    range_ = tables_->add_range(ids);
    return *this;
}

Service& Service::backends(const std::vector<Endpoint>& endpoints) {
    ids_.clear();
    for (const auto& endpoint : endpoints) ids_.push_back(tables_->add_backend(endpoint, protocol_, id_));
    slots(ids_);
    // As the agent does: the frontends follow to the new range.
    for (const auto& [endpoint, scopes] : std::vector(std::exchange(frontends_, {}))) frontend(endpoint, scopes);
    return *this;
}

Service& Service::frontend(const Endpoint& endpoint, Scopes scopes) {
    frontends_.emplace_back(endpoint, scopes);
    abi::frontend_key key{
        .address = endpoint.address, .port_be = htons(endpoint.port), .protocol = protocol_, .pad = 0};
    abi::frontend value{.cluster = scopes.cluster == abi::SCOPE_BALANCE ? range_ : abi::slot_range{},
                        .external = scopes.external == abi::SCOPE_BALANCE ? range_ : abi::slot_range{},
                        .service_id = id_,
                        .kind = abi::FRONTEND_LOAD_BALANCER,
                        .cluster_action = static_cast<std::uint8_t>(scopes.cluster),
                        .external_action = static_cast<std::uint8_t>(scopes.external),
                        .flags = 0,
                        .affinity_ticks = 0,
                        .cluster_members = 0,
                        .external_members = 0,
                        .pad = {}};
    tables_->datapath_->update("frontends", &key, &value);
    abi::vip vip{.flags = 0};
    tables_->datapath_->update("vips", &endpoint.address, &vip);
    return *this;
}

std::uint32_t Tables::add_backend(const Endpoint& endpoint, std::uint8_t protocol, std::uint32_t service_id) {
    std::uint32_t id = next_backend_++;
    abi::backend backend{.address = endpoint.address,
                         .port_be = htons(endpoint.port),
                         .protocol = protocol,
                         .flags = abi::BACKEND_IN_USE,
                         .service_id = service_id};
    datapath_->update("backends", &id, &backend);
    return id;
}

abi::slot_range Tables::add_range(const std::vector<std::uint32_t>& ids) {
    abi::slot_range range{.offset = next_line_ * abi::SLOTS_PER_LINE, .length = static_cast<std::uint32_t>(ids.size())};
    for (std::size_t i = 0; i < ids.size(); i += abi::SLOTS_PER_LINE) {
        abi::slot_line line{};
        for (std::size_t j = i; j < ids.size() && j < i + abi::SLOTS_PER_LINE; ++j) line.backend_id[j - i] = ids[j];
        datapath_->update("slots", &next_line_, &line);
        ++next_line_;
    }
    return range;
}

void Tables::set_in_use(std::uint32_t id, bool in_use) {
    abi::backend backend;
    if (bpf_map_lookup_elem(datapath_->map("backends"), &id, &backend)) throw std::runtime_error("no such backend");
    backend.flags = in_use ? abi::BACKEND_IN_USE : 0;
    datapath_->update("backends", &id, &backend);
}

void Tables::bump_route_generation() {
    std::uint32_t zero = 0;
    abi::runtime runtime;
    if (bpf_map_lookup_elem(datapath_->map("runtime"), &zero, &runtime)) throw std::runtime_error("no runtime");
    ++runtime.route_generation;
    datapath_->update("runtime", &zero, &runtime);
}

}  // namespace weir::test
