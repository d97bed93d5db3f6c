// SPDX-License-Identifier: Apache-2.0
// Maps in memory that check after every step of a write that their content is valid for packets at that moment.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/apply/map_writer.hpp"
#include "loader/plan/entries.hpp"
#include "loader/plan/frontend_table.hpp"
#include "loader/plan/layout.hpp"

namespace weir::fakes {

// Valid means that no packet can be sent wrong:
// * A frontend's service port has a name. Every slot that it reaches names a backend of that service port.
// * A frontend that is restricted to source ranges has one: with none, every client is refused.
// * A line of slots does not change while a frontend points at it, and names backends that are there.
// * A backend's id goes to another backend only after it was free.
// * A VIP that has packets refused has a frontend; a frontend has its VIP as long as it exists, and when another
//   frontend is removed.
// * A service name outlasts the source ranges of its service port.
class CheckedMaps : public apply::MapWriter {
public:
    explicit CheckedMaps(plan::Capacity capacity);

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
    std::expected<plan::MapContents, std::string> read() const override { return contents(); }

    plan::MapContents contents() const;
    // Replaces the content, unchecked.
    void load(const plan::MapContents& contents);
    // Off: for contents that no agent leaves behind.
    void expect_valid(bool on) { checked_ = on; }

    // Returns every mistake in any state so far, a line each.
    const std::vector<std::string>& violations() const { return violations_; }
    // Returns every mistake in this state, in which all changes have been written.
    std::vector<std::string> faults_at_rest() const;

protected:
    struct AddressLess {
        bool operator()(const abi::address& a, const abi::address& b) const {
            return std::memcmp(&a, &b, sizeof(a)) < 0;
        }
    };

    plan::Capacity capacity_;
    std::map<std::uint32_t, abi::backend> backends_;
    std::map<std::uint32_t, abi::service_name> services_;
    std::map<abi::frontend_key, abi::frontend, plan::FrontendKeyLess> frontends_;
    std::map<abi::address, abi::vip, AddressLess> vips_;
    std::set<abi::source_range_key, plan::SourceRangeLess> source_ranges_;
    std::vector<abi::slot_line> slots_;

private:
    void require(bool good, const std::string& what);
    apply::Written check();
    void check_frontend(const abi::frontend_key& key, const abi::frontend& value);
    void check_range(const std::string& name, const abi::frontend& value, const abi::slot_range& range);
    bool has_frontend(const abi::address& address) const;
    bool has_source_range(std::uint32_t service_id) const;
    std::vector<bool> lines_in_use() const;

    bool checked_ = true;
    std::vector<std::string> violations_;
};

}  // namespace weir::fakes
