// SPDX-License-Identifier: Apache-2.0
// A range of SNAT ports that assured flows have used up: the flows that still work, the counts, and the recovery.
#include <unistd.h>

#include "loader/apply/sweeper.hpp"
#include "loader/view/snat_ports.hpp"
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

using view::SnatUse;

class SnatUsage : public DatapathTest {
protected:
    static constexpr std::uint16_t ports = 8;
    static constexpr view::SnatRange range{61000, 61000 + ports - 1};

    static Settings few_ports() {
        Settings settings;
        settings.config.snat_port_min = range.first;
        settings.config.snat_port_max = range.last;
        return settings;
    }
    Endpoint from(int i) const { return {at.client, static_cast<std::uint16_t>(40000 + i)}; }
    // Opens connections until the range is used up and returns their tuples after the rewrite.
    std::vector<Tuple> use_up() {
        std::vector<Tuple> flows;
        for (int i = 0; i < ports; ++i) flows.push_back(few.establish(from(i), frontend));
        return flows;
    }
    abi::verdict open(int i, const Endpoint& to) { return few.arrive(few.packet(from(i), to, syn)).verdict; }

    maps::SnatUsageMap usage() const { return maps::view<maps::SnatUsageMap>(few.datapath.map("snat_usage")); }
    std::vector<SnatUse> read_uses(std::uint32_t at_least = 0) const {
        auto uses = view::read_snat_ports(usage(), range, at_least);
        EXPECT_TRUE(uses) << uses.error();
        return uses.value_or(std::vector<SnatUse>{});
    }
    // Returns the last sweep's count for flows from the node's address to an endpoint.
    SnatUse use_of(const Endpoint& endpoint) const { return use_of(at.node, endpoint); }
    SnatUse use_of(const abi::address& source, const Endpoint& endpoint) const {
        view::SnatPool pool{source, {endpoint.address, htons(endpoint.port), few.protocol()}};
        for (const auto& use : read_uses())
            if (use.pool == pool) return use;
        return {pool};
    }
    void sweep_expecting(std::uint32_t kept, std::uint32_t yielding) {
        few.datapath.sweep();
        EXPECT_EQ(use_of(remote).kept, kept);
        EXPECT_EQ(use_of(remote).yielding, yielding);
    }

    World few{GetParam(), few_ports()};
    Endpoint frontend2{at.vip2, 80};
    Service service = few.service().backends({remote}).frontend(frontend);
    Service other = few.service().backends({remote2}).frontend(frontend2);
};

TEST_P(SnatUsage, AssuredFlowsKeepTheirPortsAndNewOnesAreDropped) {
    auto flows = use_up();
    for (int i = 100; i < 110; ++i) EXPECT_EQ(open(i, frontend), abi::VERDICT_DROP_NO_SNAT_PORT);
    EXPECT_EQ(few.datapath.verdicts()[abi::VERDICT_DROP_NO_SNAT_PORT].packets, 10u);
    for (int i = 0; i < ports; ++i)
        EXPECT_EQ(read(few.arrive(few.packet(from(i), frontend)).frame).tuple, flows[static_cast<std::size_t>(i)]);
    EXPECT_EQ(few.datapath.count_flows(few.family(), Table::Unassured), 0u) << "a refused flow leaves nothing behind";
    sweep_expecting(ports, 0);
}

TEST_P(SnatUsage, OtherBackendsHaveTheRangeForThemselves) {
    use_up();
    EXPECT_EQ(open(100, frontend), abi::VERDICT_DROP_NO_SNAT_PORT);
    for (int i = 0; i < ports; ++i) few.establish(from(i), frontend2);
    EXPECT_EQ(open(100, frontend2), abi::VERDICT_DROP_NO_SNAT_PORT);
}

TEST_P(SnatUsage, ExpiredFlowsGiveTheirPortsBack) {
    auto flows = use_up();
    EXPECT_EQ(open(100, frontend), abi::VERDICT_DROP_NO_SNAT_PORT);
    few.datapath.age_flow(few.tuple(from(3), frontend), 100'000);
    few.datapath.age_flow(flows[3].reversed(), 100'000);
    EXPECT_EQ(few.datapath.sweep().expired, 1u);
    EXPECT_EQ(use_of(remote).kept, ports - 1u);
    EXPECT_EQ(few.establish(from(100), frontend).source, flows[3].source) << "it gets the one free port";
    EXPECT_EQ(open(101, frontend), abi::VERDICT_DROP_NO_SNAT_PORT);
}

TEST_P(SnatUsage, AFlowsOwnReplyEntryIsNoConflict) {
    auto flows = use_up();
    few.datapath.erase_flow(few.tuple(from(5), frontend));
    EXPECT_EQ(open(100, frontend), abi::VERDICT_DROP_NO_SNAT_PORT);
    EXPECT_EQ(read(few.arrive(few.packet(from(5), frontend)).frame).tuple, flows[5])
        << "the flow keeps its own port, though none is free";
}

TEST_P(SnatUsage, AFlowThatIsMadeAgainIsCountedOnce) {
    for (int i = 0; i < 3; ++i) few.establish(from(i), frontend);
    few.datapath.erase_flow(few.tuple(from(1), frontend));
    EXPECT_EQ(few.arrive(few.packet(from(1), frontend)).verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(few.datapath.count_flows(few.family(), Table::Unassured), 2u) << "its reply direction is still assured";
    sweep_expecting(3, 0);
}

TEST_P(SnatUsage, UnassuredFlowsHoldPortsAndGiveWay) {
    for (int i = 0; i < ports - 2; ++i) EXPECT_EQ(open(i, frontend), abi::VERDICT_FORWARD);
    sweep_expecting(0, ports - 2);
    for (int i = 0; i < 10 * ports; ++i) EXPECT_EQ(open(i, frontend), abi::VERDICT_FORWARD);
    sweep_expecting(0, ports);
    for (int i = 0; i < ports - 1; ++i) few.establish(from(200 + i), frontend);
    sweep_expecting(ports - 1, 1);
    EXPECT_EQ(use_of(remote).ports(), ports);
}

TEST_P(SnatUsage, ClosedConnectionsHoldPortsAndGiveWay) {
    auto flows = use_up();
    for (std::size_t i = 0; i < 3; ++i) {
        auto flow = *few.datapath.flow(flows[i].reversed(), Table::Assured);
        flow.flow.flags |= abi::FLOW_CLOSING;
        few.datapath.write_flow(flows[i].reversed(), flow);
    }
    sweep_expecting(ports - 3, 3);
}

TEST_P(SnatUsage, EverySweepCountsAnew) {
    auto flows = use_up();
    for (int round = 0; round < 3; ++round) sweep_expecting(ports, 0);
    for (int i = 0; i < ports; ++i) {
        few.datapath.erase_flow(few.tuple(from(i), frontend));
        few.datapath.erase_flow(flows[static_cast<std::size_t>(i)].reversed());
    }
    sweep_expecting(0, 0);
    EXPECT_TRUE(read_uses().empty());
}

TEST_P(SnatUsage, WhatASweepThatDidNotEndHasLeftIsForgotten) {
    use_up();
    few.datapath.sweep();
    abi::snat_usage_key gone{
        .source = at.node, .backend = at.remote2, .backend_port_be = htons(1), .protocol = few.protocol(), .pad = 0};
    // A count left by an unfinished sweep, with any sweep number: none, a past one, one not reached yet.
    for (std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}) {
        abi::snat_usage_key key{.source = at.node,
                                .backend = at.remote,
                                .backend_port_be = htons(remote.port),
                                .protocol = few.protocol(),
                                .pad = 0};
        abi::snat_usage half{.kept = 3, .yielding = 4, .counted_kept = 1000, .counted_yielding = 1000, .sweep = number};
        few.datapath.update("snat_usage", &key, &half);
        few.datapath.update("snat_usage", &gone, &half);
        sweep_expecting(ports, 0);
        EXPECT_FALSE(usage().lookup(gone)) << number;
    }
}

TEST_P(SnatUsage, CountsThatCannotBeReadAreNoFailureOfTheSweep) {
    auto flows = use_up();
    few.datapath.age_flow(few.tuple(from(3), frontend), 100'000);
    few.datapath.age_flow(flows[3].reversed(), 100'000);
    auto sweep = apply::sweep_and_read(few.datapath.sweeper(), maps::SnatUsageMap(maps::Fd()), range);
    ASSERT_TRUE(sweep) << sweep.error();
    EXPECT_EQ(sweep->flows.expired, 1u);
    EXPECT_FALSE(sweep->snat);
    sweep = apply::sweep_and_read(few.datapath.sweeper(), usage(), range);
    ASSERT_TRUE(sweep && sweep->snat);
    EXPECT_EQ(sweep->snat->size(), 1u);
}

TEST_P(SnatUsage, AMapThatIsFullFailsNoSweep) {
    auto flows = use_up();
    abi::snat_usage_key key{.source = at.node, .backend = at.remote2, .backend_port_be = 0, .protocol = 0, .pad = 0};
    abi::snat_usage none{};
    few.datapath.sweep();
    maps::SnatUsageMap map = usage();
    key.protocol = few.protocol();
    map.erase({.source = at.node,
               .backend = at.remote,
               .backend_port_be = htons(remote.port),
               .protocol = few.protocol(),
               .pad = 0});
    for (std::uint32_t i = 1; i <= map.max_entries(); ++i) {
        key.backend_port_be = static_cast<std::uint16_t>(i);
        ASSERT_FALSE(map.update(key, none)) << i;
    }
    few.datapath.age_flow(few.tuple(from(3), frontend), 100'000);
    few.datapath.age_flow(flows[3].reversed(), 100'000);
    EXPECT_EQ(few.datapath.sweep().expired, 1u);
    EXPECT_TRUE(read_uses().empty()) << "the map of counts was full";
    sweep_expecting(ports - 1, 0);
}

TEST_P(SnatUsage, FlowsThatKeepTheirSourceUseNoPort) {
    few.service().backends({pod}).frontend({at.vip2, 81});
    Outcome out =
        few.datapath.run(Hook::UplinkIngress, few.packet(client, {at.vip2, 81}, syn).frame(), few.devices.uplink);
    EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
    few.datapath.run(Hook::Egress, few.packet(pod, client, syn | ack).frame(), few.devices.uplink);
    if (!few.tcp()) few.datapath.age_connection(few.tuple(client, {at.vip2, 81}), 3);
    few.datapath.run(Hook::UplinkIngress, few.packet(client, {at.vip2, 81}, ack).frame(), few.devices.uplink);
    ASSERT_TRUE(few.datapath.flow(few.tuple(client, {at.vip2, 81}), Table::Assured));
    few.datapath.sweep();
    EXPECT_TRUE(read_uses().empty());
}

TEST_P(SnatUsage, PortsOutsideTheRangeAreNotOfIt) {
    few.establish(from(0), frontend);
    Settings settings = few_ports();
    settings.config.snat_port_min = settings.config.snat_port_max = 50000;
    // The agent starts with another range and finds the flows of the last one.
    World narrow{GetParam(), settings};
    narrow.service().backends({remote}).frontend(frontend);
    Tuple tuple = narrow.establish(from(0), frontend);
    EXPECT_EQ(tuple.source.port, 50000);
    few.datapath.write_flow(few.tuple(from(9), frontend), *narrow.datapath.flow(few.tuple(from(0), frontend)));
    few.datapath.write_flow(tuple.reversed(), *narrow.datapath.flow(tuple.reversed()));
    sweep_expecting(1, 0);
}

TEST_P(SnatUsage, ServicesWithOneEndpointShareItsPorts) {
    few.service().backends({remote}).frontend({at.vip2, 81});
    for (int i = 0; i < 3; ++i) few.establish(from(i), frontend);
    few.establish(from(3), {at.vip2, 81});
    few.establish(from(0), frontend2);
    few.datapath.sweep();
    auto uses = read_uses();
    ASSERT_EQ(uses.size(), 2u);
    EXPECT_EQ(uses[0].kept, 4u);
    EXPECT_EQ(uses[0].pool, use_of(remote).pool) << "the most used pool comes first";
    EXPECT_EQ(uses[1].kept, 1u);
    EXPECT_EQ(read_uses(2).size(), 1u);
    EXPECT_EQ(read_uses(5).size(), 0u);
}

TEST_P(SnatUsage, AnIdThatIsGivenToAnotherEndpointTakesNoCountsAlong) {
    for (int i = 0; i < 3; ++i) few.establish(from(i), frontend);
    sweep_expecting(3, 0);
    few.tables.set_backend(service.ids()[0], {at.remote2, 9999}, few.protocol(), other.id());
    sweep_expecting(3, 0);
    EXPECT_EQ(use_of({at.remote2, 9999}).ports(), 0u);
    // The endpoint comes back with a new id.
    few.service().backends({remote}).frontend({at.vip2, 81});
    few.establish(from(3), {at.vip2, 81});
    sweep_expecting(4, 0);
}

TEST_P(SnatUsage, EachAddressOfTheNodeHasTheRangeForItself) {
    use_up();
    // Flows leave by the same device with another address of this node.
    Node::describe_device(few.datapath, few.devices.uplink, abi::DEVICE_UPLINK | abi::DEVICE_XDP_XMIT,
                          few.family() == 4 ? at.node_other : abi::address{},
                          few.family() == 6 ? at.node_other : abi::address{});
    for (int i = 0; i < ports - 3; ++i) few.establish(from(100 + i), frontend);
    few.datapath.sweep();
    EXPECT_EQ(use_of(at.node, remote).kept, ports);
    EXPECT_EQ(use_of(at.node_other, remote).kept, ports - 3u);
    auto fullest = view::fullest_pools(read_uses());
    ASSERT_EQ(fullest.size(), 1u);
    EXPECT_EQ(fullest.begin()->second.ports(), ports) << "the count never exceeds the range";
}

INSTANTIATE_TEST_SUITE_P(, SnatUsage, testing::ValuesIn(each_hook()), case_name);

}  // namespace
}  // namespace weir::test
