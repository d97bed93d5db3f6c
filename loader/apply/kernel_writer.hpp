// SPDX-License-Identifier: Apache-2.0
// The writer that implements both interfaces on the kernel's maps.
#pragma once

#include <functional>
#include <string_view>

#include "loader/apply/map_writer.hpp"
#include "loader/apply/node_writer.hpp"
#include "loader/datapath/programs.hpp"
#include "maps/pins.hpp"

namespace weir::apply {

class KernelWriter : public MapWriter, public NodeWriter {
public:
    // Returns the map of this name; the writer keeps its own copy of the file descriptor.
    using MapFd = std::function<int(std::string_view name)>;

    explicit KernelWriter(const datapath::Programs& programs);
    explicit KernelWriter(const MapFd& map_fd);

    Written put_backends(std::span<const plan::BackendEntry> entries) override;
    Written put_services(std::span<const plan::ServiceEntry> entries) override;
    Written put_slots(std::span<const plan::SlotTable> tables) override;
    Written put_source_ranges(std::span<const abi::source_range_key> keys) override;
    Written put_frontends(std::span<const plan::FrontendEntry> entries) override;
    Written put_vips(std::span<const plan::VipEntry> entries) override;
    Written remove_frontends(std::span<const abi::frontend_key> keys) override;
    Written remove_vips(std::span<const abi::address> addresses) override;
    Written remove_source_ranges(std::span<const abi::source_range_key> keys) override;
    Written remove_services(std::span<const std::uint32_t> ids) override;
    Written remove_backends(std::span<const std::uint32_t> ids) override;
    std::expected<plan::MapContents, std::string> read() const override;

    Written set_devices(const std::map<unsigned, abi::device>& devices) override;
    Written bump_route_generation() override;
    Written set_node_addresses(const std::vector<model::Address>& addresses) override;

private:
    maps::FrontendMap frontends_;
    maps::SlotMap slots_;
    maps::BackendMap backends_;
    maps::ServiceMap services_;
    maps::VipMap vips_;
    maps::SourceRangeMap source_ranges_;
    maps::DeviceMap devices_;
    maps::RuntimeMap runtime_;
};

}  // namespace weir::apply
