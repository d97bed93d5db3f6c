// SPDX-License-Identifier: Apache-2.0
// The ids of backends: the content of the map `backends`, and the backends that may get an old id back.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "loader/plan/ids.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

class BackendTable {
public:
    // entries: of the map, whose key 0 is never used.
    explicit BackendTable(std::uint32_t entries);

    const abi::backend& operator[](std::uint32_t id) const { return entries_[id]; }
    Backend backend(std::uint32_t id) const;

    // The id that this backend of the service had until lately.
    std::optional<std::uint32_t> returning(std::uint32_t service_id, const Backend& backend) const;
    // A new backend; gets its old id back where it is returning. There must be room.
    std::uint32_t add(const abi::backend& entry);
    // A backend that is there, with another content.
    void set(std::uint32_t id, const abi::backend& entry) { entries_[id] = entry; }
    // Removes the backend, and keeps its id back for two grace periods.
    void remove(std::uint32_t id);

    // Takes over what an earlier agent left. False: not an id, or not free.
    bool adopt(std::uint32_t id, const abi::backend& entry);

    // True: room was made.
    bool grace_period_passed();

    std::uint32_t used() const { return ids_.used(); }
    std::uint32_t available() const { return ids_.available(); }

private:
    struct Identity {
        std::uint32_t service_id;
        Backend backend;
        auto operator<=>(const Identity&) const = default;
    };
    Identity identity(std::uint32_t id) const { return {entries_[id].service_id, backend(id)}; }
    void store(std::uint32_t id, const abi::backend& entry);

    IdPool ids_;
    std::vector<abi::backend> entries_;            // by id
    std::map<Identity, std::uint32_t> returning_;  // retired ones
};

abi::backend backend_entry(const Backend& backend, model::Protocol protocol, std::uint32_t service_id);
bool same(const abi::backend& a, const abi::backend& b);

}  // namespace weir::plan
