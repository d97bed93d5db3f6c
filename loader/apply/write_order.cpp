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

// On: an entry comes after those that it names. A frontend comes before the VIP of its address: a VIP without frontends
// would have packets refused, while an unknown address is not served yet. Off: an entry goes before those that it
// names, and everything new is in use before anything old goes. The frontends of an address go before its VIP: a
// frontend cannot be found without it.
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
