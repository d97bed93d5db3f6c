// SPDX-License-Identifier: Apache-2.0
// The flows that the sweeper deletes, those that it leaves, and its counts. One count is one flow, both directions.
#include <chrono>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Sweep : public DatapathTest {
protected:
    void SetUp() override { service.backends({remote}).frontend(frontend); }

    Tuple forward(std::uint16_t port = 40000) const { return world.tuple({at.client, port}, frontend); }
    Tuple start(std::uint16_t port = 40000) {
        return read(world.arrive(world.packet({at.client, port}, frontend, syn)).frame).tuple;
    }
    void age(const Tuple& there, std::uint64_t seconds, std::uint16_t port = 40000) {
        world.datapath.age_flow(forward(port), seconds);
        world.datapath.age_flow(there.reversed(), seconds);
    }
    std::size_t flows() const {
        return world.datapath.count_flows(world.family(), Table::Unassured) +
               world.datapath.count_flows(world.family(), Table::Assured);
    }
    // Sweeps once and checks the result.
    void sweeps(std::uint64_t expired, std::uint64_t closed, std::uint64_t orphaned, std::size_t left) {
        std::size_t before = flows();
        abi::sweep_result result = world.datapath.sweep();
        EXPECT_EQ(result.expired, expired);
        EXPECT_EQ(result.closed, closed);
        EXPECT_EQ(result.orphaned, orphaned);
        EXPECT_EQ(flows(), left);
        EXPECT_GE(result.visited, left);
        EXPECT_LE(result.visited, before);
    }

    Service service = world.service();
};

TEST_P(Sweep, EmptyTables) {
    sweeps(0, 0, 0, 0);
}

TEST_P(Sweep, NothingIsLookedForWhereNothingCanBe) {
    auto until_rest = [&] {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (!world.datapath.sweep().at_rest) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    };
    until_rest();
    // A pair of the ring, and later an entry of the assured tables: the sweeper finds each and is not at rest any more.
    start();
    auto found = world.datapath.sweep();
    EXPECT_EQ(found.at_rest, 0U);
    EXPECT_EQ(found.visited, 2U);
    world.establish({at.client, 40001}, frontend);
    // Sweeps for longer than the sweeper needs to come to rest with empty tables.
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    do {
        found = world.datapath.sweep();
        ASSERT_EQ(found.at_rest, 0U);
        ASSERT_EQ(found.visited, 4U);
    } while (std::chrono::steady_clock::now() < end);
    age(read(world.arrive(world.packet({at.client, 40000}, frontend, syn)).frame).tuple, 100'000);
    sweeps(1, 0, 0, 2);
}

TEST_P(Sweep, YoungFlowsStay) {
    start();
    world.establish({at.client, 40001}, frontend);
    sweeps(0, 0, 0, 4);
}

TEST_P(Sweep, UnassuredFlowsGoAfterTheirTimeout) {
    std::uint64_t timeout = world.tcp() ? 60 : 30;
    Tuple there = start();
    age(there, timeout - 2);
    sweeps(0, 0, 0, 2);
    age(there, timeout + 2);
    sweeps(1, 0, 0, 0);
}

TEST_P(Sweep, AssuredFlowsGoAfterTheirTimeout) {
    std::uint64_t timeout = world.tcp() ? 86400 : 120;
    Tuple there = world.establish(client, frontend);
    age(there, timeout - 2);
    sweeps(0, 0, 0, 2);
    age(there, timeout + 2);
    sweeps(1, 0, 0, 0);
}

TEST_P(Sweep, AFlowLivesAsLongAsItsYoungerDirection) {
    Tuple there = world.establish(client, frontend);
    age(there, 100'000);
    world.datapath.age_flow(forward(), 1);
    sweeps(0, 0, 0, 2);
    age(there, 100'000);
    world.datapath.age_flow(there.reversed(), 1);
    sweeps(0, 0, 0, 2);
}

TEST_P(Sweep, AnOldEntryWithoutItsOtherDirectionGoes) {
    Tuple there = world.establish(client, frontend);
    age(there, 100'000);
    world.datapath.erase_flow(there.reversed());
    sweeps(1, 0, 0, 0);
    there = world.establish(client, frontend);
    age(there, 100'000);
    world.datapath.erase_flow(forward());
    sweeps(1, 0, 0, 0);
}

TEST_P(Sweep, UdpFlowsOfARemovedBackendGoAtOnceAndTcpFlowsStay) {
    start();
    world.establish({at.client, 40001}, frontend);
    world.tables.set_in_use(service.ids()[0], false);
    if (world.tcp())
        sweeps(0, 0, 0, 4);
    else
        sweeps(0, 0, 2, 0);
}

TEST_P(Sweep, FlowsOfOtherBackendsStay) {
    start();
    Service other = world.service().backends({remote2}).frontend({at.vip2, 80});
    world.tables.set_in_use(other.ids()[0], false);
    sweeps(0, 0, 0, 2);
}

TEST_P(Sweep, ManyFlowsAreCountedOnceEach) {
    constexpr std::uint16_t flow_count = 500;
    for (std::uint16_t i = 0; i < flow_count; ++i) {
        std::uint16_t port = static_cast<std::uint16_t>(20000 + i);
        Tuple there = start(port);
        if (i % 2) age(there, 1000, port);
    }
    ASSERT_EQ(flows(), 2u * flow_count);
    sweeps(flow_count / 2, 0, 0, flow_count);
    for (std::uint16_t i = 0; i < flow_count; ++i)
        EXPECT_EQ(world.datapath.flow(forward(static_cast<std::uint16_t>(20000 + i))).has_value(), i % 2 == 0);
}

TEST_P(Sweep, BothDirectionsInOneBucketAreCountedOnce) {
    // The kernel's walk goes on to an element that its visitor has just deleted with the other direction. A table of
    // few buckets makes that common.
    Settings settings;
    settings.assured = 64;
    settings.tables_refuse = true;
    World world(GetParam(), settings);
    world.service().backends({remote}).frontend(frontend);
    for (std::uint16_t round = 0; round < 40; ++round) {
        for (std::uint16_t i = 0; i < 20; ++i) {
            Endpoint from{at.client, static_cast<std::uint16_t>(20000 + 20 * round + i)};
            Tuple there = world.establish(from, frontend);
            world.datapath.age_flow(world.tuple(from, frontend), 100'000);
            world.datapath.age_flow(there.reversed(), 100'000);
        }
        ASSERT_EQ(world.datapath.sweep().expired, 20u) << "round " << round;
        ASSERT_EQ(world.datapath.count_flows(world.family(), Table::Assured), 0u);
    }
}

TEST_P(Sweep, AFlowOfTheFutureIsYoung) {
    // A packet that arrives while the sweeper runs carries a later tick than the sweeper's.
    Tuple there = start();
    for (const Tuple& tuple : {forward(), there.reversed()}) {
        auto flow = world.datapath.flow(tuple);
        flow->flow.last_seen = now_ticks() + 100;
        world.datapath.write_flow(tuple, *flow);
    }
    sweeps(0, 0, 0, 2);
}

INSTANTIATE_TEST_SUITE_P(, Sweep, testing::ValuesIn(each_protocol()), case_name);

class SweepTcp : public Sweep {};

TEST_P(SweepTcp, ClosingFlowsGoSoon) {
    Tuple there = world.establish(client, frontend);
    world.arrive(world.packet(client, frontend, rst));
    sweeps(0, 0, 0, 2);
    age(there, 12);
    sweeps(0, 1, 0, 0);
}

INSTANTIATE_TEST_SUITE_P(, SweepTcp, testing::ValuesIn(only(each_protocol(), is_tcp)), case_name);

}  // namespace
}  // namespace weir::test
