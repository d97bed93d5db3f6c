// SPDX-License-Identifier: Apache-2.0
// The seam between the plan's changes and the maps: one call for each step of a write. KernelWriter implements it for
// the kernel's maps, the tests for maps in memory.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

#include "loader/plan/map_changes.hpp"

namespace weir::apply {

using Written = std::expected<void, std::string>;

// A call writes its entries in order. The error names the map and the reason; the entries before the failed one are
// then written. Putting an entry that exists, or removing one that does not, is no error: every call may be repeated.
// write() decides the order of the calls (write_order.hpp).
class MapWriter {
public:
    virtual ~MapWriter() = default;

    virtual Written put_backends(std::span<const plan::BackendEntry> entries) = 0;
    virtual Written put_services(std::span<const plan::ServiceEntry> entries) = 0;
    // Has each table write its lines with SlotTable::write_lines.
    virtual Written put_slots(std::span<const plan::SlotTable> tables) = 0;
    virtual Written put_source_ranges(std::span<const abi::source_range_key> keys) = 0;
    virtual Written put_frontends(std::span<const plan::FrontendEntry> entries) = 0;
    virtual Written put_vips(std::span<const plan::VipEntry> entries) = 0;

    virtual Written remove_frontends(std::span<const abi::frontend_key> keys) = 0;
    virtual Written remove_vips(std::span<const abi::address> addresses) = 0;
    virtual Written remove_source_ranges(std::span<const abi::source_range_key> keys) = 0;
    virtual Written remove_services(std::span<const std::uint32_t> ids) = 0;
    virtual Written remove_backends(std::span<const std::uint32_t> ids) = 0;

    virtual std::expected<plan::MapContents, std::string> read() const = 0;
};

}  // namespace weir::apply
