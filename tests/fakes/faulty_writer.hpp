// SPDX-License-Identifier: Apache-2.0
// A writer that fails when a test wants it to, after writing a part of its entries.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "loader/apply/map_writer.hpp"

namespace weir::fakes {

class FaultyWriter : public apply::MapWriter {
public:
    // Called for every write with its number, from 0, and its count of entries. Returns after how many of them the
    // write fails; nothing: it does not.
    using Faults = std::function<std::optional<std::size_t>(std::size_t call, std::size_t entries)>;

    FaultyWriter(apply::MapWriter& to, Faults faults);

    // Fails one call in so many, at random, after any number of its entries. The same seed gives the same failures.
    static Faults at_random(unsigned seed, unsigned one_in);

    std::size_t calls() const { return calls_; }
    std::size_t failures() const { return failures_; }

    apply::Written put_backends(std::span<const plan::BackendEntry> entries) override;
    apply::Written put_services(std::span<const plan::ServiceEntry> entries) override;
    apply::Written put_slots(std::span<const plan::SlotTable> tables) override;
    apply::Written put_source_ranges(std::span<const abi::source_range_key> keys) override;
    apply::Written put_frontends(std::span<const plan::FrontendEntry> entries) override;
    apply::Written put_vips(std::span<const plan::VipEntry> entries) override;
    apply::Written remove_frontends(std::span<const abi::frontend_key> keys) override;
    apply::Written remove_vips(std::span<const abi::address> addresses) override;
    apply::Written remove_source_ranges(std::span<const abi::source_range_key> keys) override;
    apply::Written remove_services(std::span<const std::uint32_t> ids) override;
    apply::Written remove_backends(std::span<const std::uint32_t> ids) override;
    std::expected<plan::MapContents, std::string> read() const override { return to_.read(); }

private:
    template <class Entry>
    apply::Written pass(apply::Written (apply::MapWriter::*call)(std::span<const Entry>),
                        std::span<const Entry> entries);

    apply::MapWriter& to_;
    Faults faults_;
    std::size_t calls_ = 0;
    std::size_t failures_ = 0;
};

}  // namespace weir::fakes
