// SPDX-License-Identifier: Apache-2.0
// Maps whose calls fail: every state in between is valid, and in the end the maps match the plans. Layout and write()
// are used as the agent uses them; the maps are in memory.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "loader/apply/write_order.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/plan/entries.hpp"
#include "loader/view/names.hpp"
#include "tests/fakes/checked_maps.hpp"
#include "tests/fakes/faulty_writer.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::apply {
namespace {

using fakes::CheckedMaps;
using fakes::FaultyWriter;
using plan::test::address;
using plan::test::backends;
using plan::test::cidr;
using plan::test::text;
using testing::IsEmpty;

constexpr plan::Capacity capacity{
    .frontends = 300, .services = 300, .backends = 600, .slot_lines = 8000, .source_ranges = 100};

using Plans = std::map<std::string, plan::ServicePlan>;
// The actual or expected content of maps, in lines that name no ids and no slot lines.
using Description = std::set<std::string>;

std::vector<std::string> without(const Description& all, const Description& some) {
    std::vector<std::string> out;
    std::ranges::set_difference(all, some, std::back_inserter(out));
    return out;
}

std::string frontend_line(const std::string& service, const abi::frontend_key& key, const abi::frontend& value,
                          const std::string& cluster, const std::string& external) {
    return fmt::format("frontend {} {} of {}: kind {}, flags {}, affinity {}, cluster {} {}, external {} {}",
                       model::to_string(model::address_of(key.address), ntohs(key.port_be)), key.protocol, service,
                       value.kind, value.flags, value.affinity_ticks, value.cluster_action, cluster,
                       value.external_action, external);
}

std::string range_line(const std::string& service, const abi::source_range_key& key) {
    return fmt::format("source range {}/{} of {}", model::address_of(key.address).to_string(), key.prefix_length,
                       service);
}

std::string backend_line(const std::string& service, const plan::Backend& backend, std::uint32_t flags) {
    return fmt::format("backend {} of {}: flags {}", model::to_string(backend.address, backend.port), service, flags);
}

std::string vip_line(const model::Address& at, std::uint32_t flags) {
    return fmt::format("VIP {}: flags {}", at.to_string(), flags);
}

Description describe(const plan::MapContents& contents) {
    Description out;
    std::map<std::uint32_t, std::string> names;
    std::map<std::uint32_t, plan::Backend> by_id;
    for (const auto& [id, name] : contents.services) {
        names[id] = name.name;
        out.insert("service " + names[id]);
    }
    for (const auto& [id, entry] : contents.backends) {
        by_id[id] = {model::address_of(entry.address), ntohs(entry.port_be)};
        out.insert(backend_line(names[entry.service_id], by_id[id], entry.flags));
    }
    auto reached = [&](std::uint8_t action, const abi::slot_range& range) {
        std::set<plan::Backend> set;
        for (auto slot = range.offset; action == abi::SCOPE_BALANCE && slot < range.offset + range.length; ++slot)
            set.insert(by_id[contents.slots[slot / abi::SLOTS_PER_LINE].backend_id[slot % abi::SLOTS_PER_LINE]]);
        return text(plan::BackendSet(set.begin(), set.end()));
    };
    for (const auto& [key, value] : contents.frontends)
        out.insert(frontend_line(names[value.service_id], key, value, reached(value.cluster_action, value.cluster),
                                 reached(value.external_action, value.external)));
    for (const auto& key : contents.source_ranges) out.insert(range_line(names[ntohl(key.service_id_be)], key));
    for (const auto& [at, vip] : contents.vips) out.insert(vip_line(model::address_of(at), vip.flags));
    return out;
}

void describe(const plan::ServicePortPlan& port, Description& out, std::map<model::Address, std::uint32_t>& vips) {
    out.insert("service " + port.name);
    auto has = [](const plan::BackendSet& set, const plan::Backend& backend) {
        return std::ranges::find(set, backend) != set.end();
    };
    for (const auto& set : port.sets) {
        for (const auto& backend : set) {
            std::uint32_t flags = abi::BACKEND_IN_USE;
            if (has(port.cluster_members, backend)) flags |= abi::BACKEND_IN_CLUSTER_SET;
            if (has(port.local_members, backend)) flags |= abi::BACKEND_IN_LOCAL_SET;
            out.insert(backend_line(port.name, backend, flags));
        }
    }
    for (const auto& range : port.source_ranges) out.insert(range_line(port.name, plan::source_range_key(range, 0)));
    for (const auto& frontend : port.frontends) {
        abi::frontend value{};
        value.kind = static_cast<std::uint8_t>(frontend.kind);
        value.flags = plan::flags_of(port, frontend);
        value.affinity_ticks = plan::affinity_ticks(port);
        value.cluster_action = static_cast<std::uint8_t>(frontend.cluster.action);
        value.external_action = static_cast<std::uint8_t>(frontend.external.action);
        auto reached = [&](const plan::Scope& scope) {
            return scope.action == abi::SCOPE_BALANCE ? text(port.sets[scope.set]) : std::string();
        };
        out.insert(frontend_line(port.name, plan::frontend_key(frontend.address, frontend.port, port.protocol), value,
                                 reached(frontend.cluster), reached(frontend.external)));
        auto& flags = vips.try_emplace(frontend.address, abi::VIP_CLOSED_OUTSIDE).first->second;
        if (frontend.of_node)
            flags = abi::VIP_OF_NODE;
        else if (frontend.external.action != abi::SCOPE_CLOSED && flags == abi::VIP_CLOSED_OUTSIDE)
            flags = 0;
    }
}

Description describe(const Plans& plans) {
    Description out;
    std::map<model::Address, std::uint32_t> vips;
    for (const auto& [name, plan] : plans)
        for (const auto& port : plan.ports) describe(port, out, vips);
    for (const auto& [name, plan] : plans)
        if (plan.state == plan::ServiceState::other_proxy)
            for (const auto& at : plan.cluster_ips) vips[at] = abi::VIP_OF_NODE;
    for (const auto& [at, flags] : vips) out.insert(vip_line(at, flags));
    return out;
}

// Random plans of six Services with an address of their own, a shared one, node ports, source ranges and affinity, and
// a frontend that passes from one Service to another.
class Planners {
public:
    explicit Planners(unsigned seed) : random_(seed) {}

    std::vector<plan::ServicePlan> next() {
        std::set<unsigned> services;
        for (auto n = 1 + random_() % 3; n > 0; --n) services.insert(random_() % 6);
        if (random_() % 4 == 0) {
            services.insert(owner_);
            owner_ = random_() % 6;
            services.insert(owner_);
        }
        std::vector<plan::ServicePlan> out;
        for (auto number : services) out.push_back(plan(number));
        std::ranges::shuffle(out, random_);
        return out;
    }

    unsigned operator()() { return static_cast<unsigned>(random_()); }

private:
    bool chance(unsigned one_in) { return random_() % one_in == 0; }

    plan::ServicePlan plan(unsigned number) {
        plan::ServicePlan out;
        out.service = {.name_space = "ns", .name = fmt::format("s{}", number)};
        if (chance(8)) return out;
        if (chance(10)) {
            out.state = plan::ServiceState::other_proxy;
            out.cluster_ips = {address(fmt::format("10.96.0.{}", 1 + number))};
            return out;
        }
        for (std::uint16_t i = 0; i < 2; ++i)
            if (i == 0 || chance(2)) out.ports.push_back(port(number, i));
        return out;
    }

    plan::ServicePortPlan port(unsigned number, std::uint16_t index) {
        plan::ServicePortPlan out;
        out.name = fmt::format("ns/s{}:{}", number, index);
        for (auto& set : sets()) out.sets.push_back(std::move(set));
        auto balanced = [&](std::size_t set, abi::scope_action otherwise) {
            return set < out.sets.size()
                       ? plan::Scope{.action = abi::SCOPE_BALANCE, .set = static_cast<std::uint32_t>(set)}
                       : plan::Scope{.action = otherwise};
        };
        auto cluster = balanced(0, abi::SCOPE_REJECT), local = balanced(1, abi::SCOPE_NO_LOCAL);
        auto add = [&](abi::frontend_kind kind, const std::string& at, unsigned port, const plan::Scope& external) {
            out.frontends.push_back({.kind = kind,
                                     .address = address(at),
                                     .port = static_cast<std::uint16_t>(port),
                                     .cluster = cluster,
                                     .external = external});
        };
        add(abi::FRONTEND_CLUSTER_IP, fmt::format("10.96.0.{}", 1 + number), 80 + index, {abi::SCOPE_CLOSED});
        if (chance(2)) add(abi::FRONTEND_LOAD_BALANCER, "198.51.100.1", 8000 + 2 * number + index, local);
        if (out.frontends.size() > 1 && chance(2)) {
            out.frontends.back().restricted = true;
            for (const auto* range : {"10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32"})
                if (chance(2)) out.source_ranges.push_back(cidr(range));
            if (out.source_ranges.empty()) out.source_ranges = {cidr("192.0.2.0/24")};
        }
        if (chance(3)) {
            add(abi::FRONTEND_NODE_PORT, "192.168.0.2", 30000 + 2 * number + index, cluster);
            out.frontends.back().of_node = true;
        }
        if (number == owner_ && index == 0) add(abi::FRONTEND_EXTERNAL_IP, "192.0.2.1", 80, cluster);
        if (chance(3)) {
            out.affinity_seconds = 100;
            if (!out.sets.empty()) out.cluster_members = out.sets[0];
            if (out.sets.size() > 1) out.local_members = out.sets[1];
        }
        return out;
    }

    // None; one; or one and a part of it.
    std::vector<plan::BackendSet> sets() {
        plan::BackendSet all, part;
        for (unsigned i = 1; i < 7; ++i)
            if (chance(2)) all.push_back({.address = address(fmt::format("10.0.0.{}", i)), .port = 8080});
        for (const auto& backend : all)
            if (chance(2)) part.push_back(backend);
        std::vector<plan::BackendSet> out;
        if (!all.empty()) out.push_back(all);
        if (!part.empty() && part != all) out.push_back(part);
        return out;
    }

    std::mt19937 random_;
    unsigned owner_ = 0;
};

// Works like the agent: changes wait in order until they are written, and no id is given out again before.
class Programming {
public:
    explicit Programming(FaultyWriter::Faults faults) : maps_(capacity), writer_(maps_, std::move(faults)) {}

    void update(const std::vector<plan::ServicePlan>& plans) {
        plan::MapChanges changes;
        for (const auto& plan : plans) {
            EXPECT_THAT(layout_.update(plan, changes), IsEmpty());
            plans_[plan.service.name] = plan;
        }
        unwritten_.push_back(std::move(changes));
        retry();
    }

    // Changes that were not written are lost with the agent.
    void restart() {
        layout_ = plan::Layout(capacity);
        layout_.adopt(*writer_.read());
        unwritten_.clear();
        std::vector<plan::ServicePlan> all;
        for (const auto& [name, plan] : plans_) all.push_back(plan);
        update(all);
        unwritten_.push_back(layout_.finish_adoption());
        retry();
    }

    // Returns whether everything is written afterwards.
    bool retry() {
        while (!unwritten_.empty() && write(writer_, unwritten_.front())) unwritten_.pop_front();
        return is_written();
    }
    bool is_written() const { return unwritten_.empty(); }

    void grace_period_passed() {
        if (is_written()) layout_.grace_period_passed();
    }

    void expect_valid() const {
        EXPECT_THAT(maps_.violations(), IsEmpty());
        if (!is_written()) return;
        EXPECT_THAT(maps_.faults_at_rest(), IsEmpty());
        auto held = describe(maps_.contents()), wanted = describe(plans_);
        EXPECT_THAT(without(held, wanted), IsEmpty()) << "are in the maps, and in no plan";
        EXPECT_THAT(without(wanted, held), IsEmpty()) << "are in a plan, and not in the maps";
    }

    const FaultyWriter& writer() const { return writer_; }

private:
    CheckedMaps maps_;
    FaultyWriter writer_;
    plan::Layout layout_{capacity};
    std::deque<plan::MapChanges> unwritten_;
    Plans plans_;
};

class Faults : public testing::TestWithParam<unsigned> {};

TEST_P(Faults, EveryStateIsValidAndTheEndIsThePlan) {
    Planners random(GetParam());
    Programming programming(FaultyWriter::at_random(GetParam(), 6));
    for (int round = 0; round < 150; ++round) {
        SCOPED_TRACE(fmt::format("seed {}, round {}", GetParam(), round));
        programming.update(random.next());
        if (random() % 12 == 0) programming.restart();
        if (random() % 3 == 0) programming.grace_period_passed();
        programming.expect_valid();
        if (HasFailure()) return;
    }
    while (!programming.retry()) programming.expect_valid();
    programming.expect_valid();
    EXPECT_GT(programming.writer().failures(), 50u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Faults, testing::Range(1u, 9u));

// Runs a short history in which one call fails once.
class OneFault : public testing::TestWithParam<bool> {
protected:
    // Returns how many calls there were.
    std::size_t run(FaultyWriter::Faults faults) {
        Planners random(7);
        Programming programming(std::move(faults));
        for (int round = 0; round < 12; ++round) {
            programming.update(random.next());
            if (bool restarts = GetParam(); restarts && !programming.is_written()) programming.restart();
            programming.grace_period_passed();
        }
        EXPECT_TRUE(programming.retry());
        programming.expect_valid();
        return programming.writer().calls();
    }
};

// The call fails before, amid or after its entries.
TEST_P(OneFault, AtAnyCallLeadsToThePlan) {
    const auto calls = run([](std::size_t, std::size_t) { return std::nullopt; });
    EXPECT_GT(calls, 50u);
    for (std::size_t failing = 0; failing < calls; ++failing) {
        for (std::size_t part : {0, 1, 2}) {
            SCOPED_TRACE(fmt::format("call {}, part {}", failing, part));
            run([=](std::size_t call, std::size_t entries) {
                return call == failing ? std::optional(entries * part / 2) : std::nullopt;
            });
            if (HasFailure()) return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Then, OneFault, testing::Bool(),
                         [](const auto& info) { return info.param ? "ARestart" : "ARetry"; });

}  // namespace
}  // namespace weir::apply
