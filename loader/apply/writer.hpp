// SPDX-License-Identifier: Apache-2.0
// The seam where the kernel begins: plan changes go through MapWriter, which the tests implement in memory.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "loader/datapath/programs.hpp"
#include "loader/plan/layout.hpp"
#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::apply {

class MapWriter {
public:
    virtual ~MapWriter() = default;
    // Writes in the order that MapChanges states. After a failure the rest is not written; applying the same changes
    // again is safe.
    virtual std::expected<void, std::string> apply(const plan::MapChanges& changes) = 0;
    virtual std::expected<plan::MapContents, std::string> read() const = 0;
    // Makes `devices` hold exactly these.
    virtual std::expected<void, std::string> set_devices(const std::map<unsigned, abi::device>& devices) = 0;
    // Every cached next hop becomes stale.
    virtual std::expected<void, std::string> bump_route_generation() = 0;
    // The first of each family counts.
    virtual std::expected<void, std::string> set_node_addresses(const std::vector<model::Address>& addresses) = 0;
};

class KernelWriter : public MapWriter {
public:
    // The map of this name; the writer keeps its own copy of the file descriptor.
    using MapFd = std::function<int(std::string_view name)>;

    explicit KernelWriter(const datapath::Programs& programs);
    explicit KernelWriter(const MapFd& map_fd);

    std::expected<void, std::string> apply(const plan::MapChanges& changes) override;
    std::expected<plan::MapContents, std::string> read() const override;
    std::expected<void, std::string> set_devices(const std::map<unsigned, abi::device>& devices) override;
    std::expected<void, std::string> bump_route_generation() override;
    std::expected<void, std::string> set_node_addresses(const std::vector<model::Address>& addresses) override;

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
