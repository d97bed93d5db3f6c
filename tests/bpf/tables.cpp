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
    write_frontends();
    return *this;
}

// Writes the frontends again, so that they lead to the new entries, as the agent does.
void Service::write_frontends() {
    for (const auto& [endpoint, scopes] : std::vector(std::exchange(frontends_, {}))) frontend(endpoint, scopes);
}

Service& Service::affinity(std::uint64_t seconds) {
    flags_ |= abi::FRONTEND_AFFINITY;
    affinity_ticks_ = ticks(seconds);
    write_frontends();
    return *this;
}

Service& Service::source_ranges(const std::vector<std::string>& prefixes) {
    flags_ |= abi::FRONTEND_SOURCE_RANGES;
    for (const std::string& prefix : prefixes) {
        auto slash = prefix.find('/');
        abi::source_range_key key{.service_id_be = htonl(id_), .address = address(prefix.substr(0, slash))};
        key.prefix_length =
            32 + static_cast<std::uint32_t>(std::stoul(prefix.substr(slash + 1))) + (is_ipv4(key.address) ? 96 : 0);
        std::uint32_t one = 1;
        tables_->datapath_->update("source_ranges", &key, &one);
    }
    write_frontends();
    return *this;
}

Service& Service::members(std::uint8_t cluster, std::uint8_t external) {
    cluster_members_ = cluster;
    external_members_ = external;
    write_frontends();
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
                        .flags = flags_,
                        .affinity_ticks = affinity_ticks_,
                        .cluster_members = cluster_members_,
                        .external_members = external_members_,
                        .pad = {}};
    tables_->datapath_->update("frontends", &key, &value);
    tables_->set_vip(endpoint.address, 0);
    return *this;
}

std::uint32_t Tables::add_backend(const Endpoint& endpoint, std::uint8_t protocol, std::uint32_t service_id) {
    set_backend(next_backend_, endpoint, protocol, service_id);
    return next_backend_++;
}

void Tables::set_backend(std::uint32_t id, const Endpoint& endpoint, std::uint8_t protocol, std::uint32_t service_id) {
    abi::backend backend{.address = endpoint.address,
                         .port_be = htons(endpoint.port),
                         .protocol = protocol,
                         .flags = abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET | abi::BACKEND_IN_LOCAL_SET,
                         .service_id = service_id};
    datapath_->update("backends", &id, &backend);
}

void Tables::set_vip(const abi::address& address, std::uint32_t flags) {
    abi::vip vip{.flags = flags};
    datapath_->update("vips", &address, &vip);
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
    set_flags(id, in_use ? abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET | abi::BACKEND_IN_LOCAL_SET : 0);
}

void Tables::set_flags(std::uint32_t id, std::uint8_t flags) {
    abi::backend backend;
    if (bpf_map_lookup_elem(datapath_->map("backends"), &id, &backend)) throw std::runtime_error("no such backend");
    backend.flags = flags;
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
