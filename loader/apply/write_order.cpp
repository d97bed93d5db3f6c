// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/write_order.hpp"

namespace weir::apply {

namespace {

template <auto list, auto call>
Written step(MapWriter& writer, const plan::MapChanges& changes) {
    if ((changes.*list).empty()) return {};
    return (writer.*call)(changes.*list);
}

using Changes = plan::MapChanges;

// Writing: an entry is written after those that it names. A frontend is written before the VIP of its address: with a
// VIP and no frontend the programs refuse packets, while they pass on those to an unknown address. Removing: an entry
// is removed before those that it names, and nothing old before everything new is in use. The frontends of an address
// are removed before its VIP: the programs cannot find a frontend without it.
constexpr Step order[] = {
    {"backends on", step<&Changes::backends_on, &MapWriter::put_backends>},
    {"service names", step<&Changes::services_on, &MapWriter::put_services>},
    {"slots", step<&Changes::slots, &MapWriter::put_slots>},
    {"source ranges on", step<&Changes::source_ranges_on, &MapWriter::put_source_ranges>},
    {"frontends on", step<&Changes::frontends_on, &MapWriter::put_frontends>},
    {"VIPs on", step<&Changes::vips_on, &MapWriter::put_vips>},
    {"frontends off", step<&Changes::frontends_off, &MapWriter::remove_frontends>},
    {"VIPs off", step<&Changes::vips_off, &MapWriter::remove_vips>},
    {"source ranges off", step<&Changes::source_ranges_off, &MapWriter::remove_source_ranges>},
    {"service names off", step<&Changes::services_off, &MapWriter::remove_services>},
    {"backends off", step<&Changes::backends_off, &MapWriter::remove_backends>},
};

}  // namespace

std::span<const Step> write_order() {
    return order;
}

Written write(MapWriter& writer, const plan::MapChanges& changes) {
    for (const auto& step : order)
        if (auto written = step.write(writer, changes); !written) return written;
    return {};
}

}  // namespace weir::apply
