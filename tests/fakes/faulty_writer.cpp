// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/faulty_writer.hpp"

#include <random>
#include <utility>

namespace weir::fakes {

FaultyWriter::FaultyWriter(apply::MapWriter& to, Faults faults) : to_(to), faults_(std::move(faults)) {}

FaultyWriter::Faults FaultyWriter::at_random(unsigned seed, unsigned one_in) {
    return [random = std::mt19937(seed), one_in](std::size_t, std::size_t entries) mutable {
        bool fails = random() % one_in == 0;
        return fails ? std::optional<std::size_t>(random() % (entries + 1)) : std::nullopt;
    };
}

template <class Entry>
apply::Written FaultyWriter::pass(apply::Written (apply::MapWriter::*call)(std::span<const Entry>),
                                  std::span<const Entry> entries) {
    auto written = faults_(calls_++, entries.size());
    if (!written) return (to_.*call)(entries);
    ++failures_;
    // Writes one by one, so that the maps are checked in every state.
    for (std::size_t i = 0; i < *written && i < entries.size(); ++i)
        if (auto done = (to_.*call)(entries.subspan(i, 1)); !done) return done;
    return std::unexpected("a failure that the test wants");
}

apply::Written FaultyWriter::put_backends(std::span<const plan::BackendEntry> entries) {
    return pass(&MapWriter::put_backends, entries);
}

apply::Written FaultyWriter::put_services(std::span<const plan::ServiceEntry> entries) {
    return pass(&MapWriter::put_services, entries);
}

apply::Written FaultyWriter::put_slots(std::span<const plan::SlotTable> tables) {
    return pass(&MapWriter::put_slots, tables);
}

apply::Written FaultyWriter::put_source_ranges(std::span<const abi::source_range_key> keys) {
    return pass(&MapWriter::put_source_ranges, keys);
}

apply::Written FaultyWriter::put_frontends(std::span<const plan::FrontendEntry> entries) {
    return pass(&MapWriter::put_frontends, entries);
}

apply::Written FaultyWriter::put_vips(std::span<const plan::VipEntry> entries) {
    return pass(&MapWriter::put_vips, entries);
}

apply::Written FaultyWriter::remove_frontends(std::span<const abi::frontend_key> keys) {
    return pass(&MapWriter::remove_frontends, keys);
}

apply::Written FaultyWriter::remove_vips(std::span<const abi::address> addresses) {
    return pass(&MapWriter::remove_vips, addresses);
}

apply::Written FaultyWriter::remove_source_ranges(std::span<const abi::source_range_key> keys) {
    return pass(&MapWriter::remove_source_ranges, keys);
}

apply::Written FaultyWriter::remove_services(std::span<const std::uint32_t> ids) {
    return pass(&MapWriter::remove_services, ids);
}

apply::Written FaultyWriter::remove_backends(std::span<const std::uint32_t> ids) {
    return pass(&MapWriter::remove_backends, ids);
}

}  // namespace weir::fakes
