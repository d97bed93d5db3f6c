// SPDX-License-Identifier: Apache-2.0
// The consumer that keeps the maps current. It turns plans into changes, writes these in order, and keeps each until
// the kernel has taken it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/agent/sweep_schedule.hpp"
#include "loader/apply/map_writer.hpp"
#include "loader/plan/consumer.hpp"
#include "loader/plan/layout.hpp"

namespace weir::agent {

class Programmer : public plan::Consumer {
public:
    static constexpr auto retry_delay = std::chrono::seconds(1);

    Programmer(apply::MapWriter& writer, plan::Capacity capacity)
        : writer_(writer), capacity_(capacity), layout_(capacity) {}

    // Takes over the content of the maps and returns it. The error says why it cannot be read; the maps are then
    // written from scratch.
    std::expected<plan::MapContents, std::string> adopt();
    // To be called once every plan was passed to update(): the next sync() removes the entries that none has claimed.
    void finish_adoption();

    void update(const plan::ServicePlan& plan) override;
    // Writes the changes. After a failure the rest waits for the next call, since later changes build on earlier ones.
    void sync() override;

    // Whether the maps hold all that was planned.
    bool is_written() const { return unwritten_.empty(); }
    // How soon to call sync() again if no plan changes until then; nothing: no need to.
    std::optional<std::chrono::seconds> retry_after() const;
    // Why the last sync() did not write everything; empty: it did.
    const std::string& failure() const { return failure_; }
    // How often the maps were brought up to date.
    std::uint64_t rounds() const { return rounds_; }

    // Returns which kind of backends was removed from the maps since the last call.
    Removal take_removal();
    // Whether less than a quarter of some map is free. Entries that wait for their grace period count as used.
    bool is_crowded() const;
    // Notes that no running program and no flow uses entries any more that were removed before the last sync().
    void grace_period_passed();

    // Returns the problems with this Service's last plan: there was no room for it.
    std::vector<model::Problem> problems_of(const model::ObjectName& service) const;
    // The Services that found no room and may find it now. update() should get their plans again.
    std::vector<model::ObjectName> waiting() const { return layout_.waiting(); }
    // Whether the maps hold anything of this Service.
    bool serves(const model::ObjectName& service) const { return layout_.serves(service); }
    plan::Usage usage() const { return layout_.usage(); }

private:
    void queue(plan::MapChanges changes);
    void note_datagrams(const plan::ServicePlan& plan, bool has_removals);

    apply::MapWriter& writer_;
    plan::Capacity capacity_;
    plan::Layout layout_;
    plan::MapChanges changes_;                // of the plans since the last sync()
    std::deque<plan::MapChanges> unwritten_;  // in order
    std::string failure_;
    std::uint64_t rounds_ = 0;
    std::map<model::ObjectName, std::vector<model::Problem>> refused_;
    std::set<model::ObjectName> datagram_services_;  // with ports of UDP or SCTP
    bool has_lost_datagrams_ = false;  // backends of theirs were removed since take_removal(), or soon will be
    bool has_removed_ = false;         // backends were removed since take_removal()
};

}  // namespace weir::agent
