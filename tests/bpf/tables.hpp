// SPDX-License-Identifier: Apache-2.0
// Builds a service in one expression: tables.service(IPPROTO_TCP).backends({a, b}).frontend(vip).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/bpf/datapath.hpp"

namespace weir::test {

class Tables;

// The action of each scope of a frontend.
struct Scopes {
    abi::scope_action cluster = abi::SCOPE_BALANCE;
    abi::scope_action external = abi::SCOPE_BALANCE;
};

class Service {
public:
    Service& backends(const std::vector<Endpoint>& endpoints);
    Service& frontend(const Endpoint& endpoint, Scopes scopes = {});
    // sessionAffinity: ClientIP, and loadBalancerSourceRanges ("10.0.0.0/8").
    Service& affinity(std::uint64_t seconds);
    Service& source_ranges(const std::vector<std::string>& prefixes);
    // Sets the set of backends from which each scope's range is made, see struct frontend.
    Service& members(std::uint8_t cluster, std::uint8_t external);
    // Writes slots with the given ids unchecked, for entries that an agent should never write.
    Service& slots(const std::vector<std::uint32_t>& ids);
    const std::vector<std::uint32_t>& ids() const { return ids_; }
    std::uint32_t id() const { return id_; }

private:
    friend class Tables;
    Service(Tables& tables, std::uint8_t protocol, std::uint32_t id) : tables_(&tables), protocol_(protocol), id_(id) {}

    void write_frontends();

    Tables* tables_;
    std::uint8_t protocol_;
    std::uint32_t id_;
    std::vector<std::uint32_t> ids_;
    abi::slot_range range_{};
    std::uint8_t flags_ = 0;
    std::uint32_t affinity_ticks_ = 0;
    std::uint8_t cluster_members_ = abi::BACKEND_IN_CLUSTER_SET, external_members_ = abi::BACKEND_IN_CLUSTER_SET;
    std::vector<std::pair<Endpoint, Scopes>> frontends_;
};

class Tables {
public:
    explicit Tables(Datapath& datapath) : datapath_(&datapath) {}
    Service service(std::uint8_t protocol) { return {*this, protocol, next_service_++}; }
    // Has the backend take new connections, or none.
    void set_in_use(std::uint32_t backend_id, bool in_use);
    void set_flags(std::uint32_t backend_id, std::uint8_t flags);  // enum backend_flags
    // Gives the id to another endpoint, maybe of another service.
    void set_backend(std::uint32_t backend_id, const Endpoint& endpoint, std::uint8_t protocol,
                     std::uint32_t service_id);
    // Sets the kind of a frontend's address; frontend() makes it an address of no node, open to all sources.
    void set_vip(const abi::address& address, std::uint32_t flags);  // enum vip_flags
    void bump_route_generation();

private:
    friend class Service;
    std::uint32_t add_backend(const Endpoint& endpoint, std::uint8_t protocol, std::uint32_t service_id);
    abi::slot_range add_range(const std::vector<std::uint32_t>& ids);

    Datapath* datapath_;
    std::uint32_t next_service_ = 1, next_backend_ = 1, next_line_ = 0;
};

}  // namespace weir::test
