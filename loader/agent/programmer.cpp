// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/programmer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "loader/apply/write_order.hpp"

namespace weir::agent {

namespace {

bool has_datagrams(const plan::ServicePlan& plan) {
    return std::ranges::any_of(plan.ports, [](const auto& port) { return port.protocol != model::Protocol::tcp; });
}

}  // namespace

std::expected<plan::MapContents, std::string> Programmer::adopt() {
    auto contents = writer_.read();
    if (contents) layout_.adopt(*contents);
    return contents;
}

// Queues the removals as a batch of their own: they may remove a key that the changes before them write.
void Programmer::finish_adoption() {
    queue(std::exchange(changes_, {}));
    has_lost_datagrams_ = true;  // perhaps: the protocols of unclaimed backends are not known
    queue(layout_.finish_adoption());
}

void Programmer::update(const plan::ServicePlan& plan) {
    auto removals = changes_.backends_off.size();
    auto problems = layout_.update(plan, changes_);
    note_datagrams(plan, changes_.backends_off.size() > removals);
    if (problems.empty())
        refused_.erase(plan.service);
    else
        refused_.insert_or_assign(plan.service, std::move(problems));
}

void Programmer::note_datagrams(const plan::ServicePlan& plan, bool has_removals) {
    bool had = datagram_services_.contains(plan.service);
    bool has = has_datagrams(plan);
    if (has && !had) datagram_services_.insert(plan.service);
    if (had && !has) datagram_services_.erase(plan.service);
    has_lost_datagrams_ = has_lost_datagrams_ || (has_removals && (had || has));
}

void Programmer::queue(plan::MapChanges changes) {
    if (!changes.empty()) unwritten_.push_back(std::move(changes));
}

void Programmer::sync() {
    queue(std::exchange(changes_, {}));
    ++rounds_;
    std::string failure;
    while (!unwritten_.empty()) {
        const auto& batch = unwritten_.front();
        if (auto done = apply::write(writer_, batch); !done) {
            failure = done.error();
            break;
        }
        has_removed_ = has_removed_ || !batch.backends_off.empty();
        unwritten_.pop_front();
    }
    if (failure != failure_ && !failure.empty())
        spdlog::error("{}; retrying every second, what is programmed stays in force", failure);
    failure_ = std::move(failure);
}

std::optional<std::chrono::seconds> Programmer::retry_after() const {
    if (is_written()) return {};
    return retry_delay;
}

Removal Programmer::take_removal() {
    if (!std::exchange(has_removed_, false)) return Removal::nothing;
    auto removal = has_lost_datagrams_ ? Removal::datagrams : Removal::streams;
    // The kernel may have refused the batch that removes them: then its retry is to be reported so, too.
    if (is_written()) has_lost_datagrams_ = false;
    return removal;
}

bool Programmer::is_crowded() const {
    auto crowded = [](std::uint64_t used, std::uint64_t size) { return used * 4 > size * 3; };
    auto usage = layout_.usage();
    return crowded(usage.services, capacity_.services) || crowded(usage.frontends, capacity_.frontends) ||
           crowded(usage.backends, capacity_.backends) || crowded(usage.slot_lines, capacity_.slot_lines);
}

// Does nothing while removals are unwritten: the programs can still find those entries in the maps.
void Programmer::grace_period_passed() {
    if (is_written()) layout_.grace_period_passed();
}

std::vector<model::Problem> Programmer::problems_of(const model::ObjectName& service) const {
    auto found = refused_.find(service);
    return found == refused_.end() ? std::vector<model::Problem>{} : found->second;
}

}  // namespace weir::agent
