// SPDX-License-Identifier: Apache-2.0
// The source port of a flow: the choice, a port that is taken, and a range without a free one.
#include <set>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

Settings port_range(std::uint16_t first, std::uint16_t last) {
    Settings settings;
    settings.config.snat_port_min = first;
    settings.config.snat_port_max = last;
    return settings;
}

class SourcePort : public DatapathTest {};

TEST_P(SourcePort, ARangeOfOnePortServesOneFlowAndCountsTheOthers) {
    World world(GetParam(), port_range(61000, 61000));
    world.service().backends({remote}).frontend(frontend);
    EXPECT_EQ(world.establish(client, frontend).source, (Endpoint{at.node, 61000}));
    Outcome second = world.arrive(world.packet({at.client, 40001}, frontend, syn));
    EXPECT_EQ(second.verdict, abi::VERDICT_DROP_NO_SNAT_PORT);
    EXPECT_EQ(second.action, world.drop());
    EXPECT_FALSE(world.datapath.flow(world.tuple({at.client, 40001}, frontend)));
    EXPECT_EQ(world.arrive(world.packet(client, frontend, ack)).verdict, abi::VERDICT_FORWARD);
}

TEST_P(SourcePort, ATakenPortIsLeftToItsFlow) {
    // As many flows as ports: nearly every flow's first choice is taken by an earlier one.
    World world(GetParam(), port_range(61000, 61015));
    world.service().backends({remote}).frontend(frontend);
    std::set<std::uint16_t> ports;
    for (std::uint16_t i = 0; i < 16; ++i) {
        Endpoint from{at.client, static_cast<std::uint16_t>(40000 + i)};
        Outcome out = world.arrive(world.packet(from, frontend, syn));
        ASSERT_EQ(out.verdict, abi::VERDICT_FORWARD) << i;
        ports.insert(read(out.frame).tuple.source.port);
        // The reply finds its own client.
        Outcome back = world.arrive(turned_around(out.frame));
        EXPECT_EQ(read(back.frame).tuple, world.tuple(frontend, from));
    }
    EXPECT_EQ(ports.size(), 16u);
    EXPECT_EQ(*ports.begin(), 61000);
    EXPECT_EQ(*ports.rbegin(), 61015);
    // One flow more takes the port of the flow that has waited longest for its reply.
    Outcome more = world.arrive(world.packet({at.client, 50000}, frontend, syn));
    EXPECT_EQ(more.verdict, abi::VERDICT_FORWARD);
    EXPECT_FALSE(world.datapath.flow(world.tuple({at.client, 40000}, frontend)));
    Outcome back = world.arrive(turned_around(more.frame));
    EXPECT_EQ(read(back.frame).tuple, world.tuple(frontend, {at.client, 50000}));
}

TEST_P(SourcePort, OnePortServesManyBackends) {
    World world(GetParam(), port_range(61000, 61000));
    for (std::uint16_t i = 0; i < 8; ++i) {
        Endpoint backend{at.remote, static_cast<std::uint16_t>(8080 + i)};
        Endpoint vip{at.vip, static_cast<std::uint16_t>(80 + i)};
        world.service().backends({backend}).frontend(vip);
        EXPECT_EQ(read(world.arrive(world.packet(client, vip, syn)).frame).tuple,
                  world.tuple({at.node, 61000}, backend));
    }
}

TEST_P(SourcePort, TheHighestPortIsPartOfTheRange) {
    World world(GetParam(), port_range(65535, 65535));
    world.service().backends({remote}).frontend(frontend);
    EXPECT_EQ(read(world.arrive(world.packet(client, frontend, syn)).frame).tuple.source.port, 65535);
}

TEST_P(SourcePort, PortsSpreadOverTheRange) {
    world.service().backends({remote}).frontend(frontend);
    int lower_half = 0;
    for (std::uint16_t i = 0; i < 400; ++i) {
        Outcome out = world.arrive(world.packet({at.client, static_cast<std::uint16_t>(20000 + i)}, frontend, syn));
        lower_half += read(out.frame).tuple.source.port < 61500;
    }
    EXPECT_NEAR(lower_half, 200, 50);  // five standard deviations
}

TEST_P(SourcePort, TwoFrontendsToOneBackendFromOnePortGetTwoPorts) {
    Endpoint frontend2{at.vip2, 80};
    world.service().backends({remote}).frontend(frontend).frontend(frontend2);
    Tuple first = world.establish(client, frontend);
    Tuple second = world.establish(client, frontend2);
    EXPECT_NE(first.source, second.source);
    EXPECT_EQ(read(world.arrive(world.packet(remote, first.source)).frame).tuple, world.tuple(frontend, client));
    EXPECT_EQ(read(world.arrive(world.packet(remote, second.source)).frame).tuple, world.tuple(frontend2, client));
}

TEST_P(SourcePort, AFloodOfFirstPacketsDoesNotKeepThePorts) {
    World world(GetParam(), port_range(61000, 61015));
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    for (std::uint16_t i = 0; i < 200; ++i) {
        Endpoint spoofed{at.other_client, static_cast<std::uint16_t>(20000 + i)};
        ASSERT_EQ(world.arrive(world.packet(spoofed, frontend, syn)).verdict, abi::VERDICT_FORWARD);
    }
    world.establish({at.client, 40001}, frontend);
    EXPECT_EQ(read(world.arrive(world.packet(client, frontend)).frame).tuple, there);
    EXPECT_EQ(read(world.arrive(Packet::of(there.reversed())).frame).tuple, world.tuple(frontend, client));
}

TEST_P(SourcePort, AForwardEntryThatWasEvictedIsRecoveredWithItsPort) {
    // Other flows hold the ports around it, so only the flow's own claim can lead back to its port.
    World world(GetParam(), port_range(61000, 61015));
    world.service().backends({remote}).frontend(frontend);
    for (std::uint16_t i = 0; i < 8; ++i)
        world.arrive(world.packet({at.other_client, static_cast<std::uint16_t>(30000 + i)}, frontend, syn));
    Tuple before = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple;
    world.datapath.erase_flow(world.tuple(client, frontend));
    Outcome again = world.arrive(world.packet(client, frontend, syn));
    EXPECT_EQ(again.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(again.frame).tuple, before);
    // The same for an established flow, in the middle of the connection.
    before = world.establish({at.client, 41000}, frontend);
    world.datapath.erase_flow(world.tuple({at.client, 41000}, frontend));
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(read(world.arrive(world.packet({at.client, 41000}, frontend, ack)).frame).tuple, before);
    EXPECT_TRUE(world.datapath.flow(world.tuple({at.client, 41000}, frontend), Table::Assured))
        << "a recovered flow is as assured as its reply direction is";
}

class PortCrowd : public DatapathTest {};

TEST_P(PortCrowd, ARangeIsUsedUpBeforeItFails) {
    // Fails if candidates are adjacent ports: from two thirds on, the range has stretches of 24 taken ports.
    World world(GetParam(), port_range(61000, 61999));
    world.service().backends({remote}).frontend(frontend);
    int failed = 0;
    for (std::uint16_t i = 0; i < 850; ++i) {
        Endpoint from{at.client, static_cast<std::uint16_t>(20000 + i)};
        if (world.arrive(world.packet(from, frontend, syn)).verdict == abi::VERDICT_DROP_NO_SNAT_PORT)
            ++failed;
        else
            world.establish(from, frontend);
    }
    EXPECT_LE(failed, 5);
}

TEST_P(PortCrowd, AHandshakeOutlivesAFloodThatHoldsEveryPort) {
    World world(GetParam(), port_range(61000, 61999));
    world.service().backends({remote}).frontend(frontend);
    auto flood = [&](std::uint16_t first, std::uint16_t count) {
        for (std::uint16_t i = 0; i < count; ++i) {
            Endpoint spoofed{at.other_client, static_cast<std::uint16_t>(first + i)};
            ASSERT_EQ(world.arrive(world.packet(spoofed, frontend, syn)).verdict, abi::VERDICT_FORWARD) << i;
        }
    };
    flood(20000, 2000);
    Tuple there = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple;
    // A quarter as many flows as ports: among a new flow's candidates some holders are older than the handshake.
    flood(30000, 250);
    Outcome back = world.arrive(world.packet(there.destination, there.source, syn | ack));
    EXPECT_EQ(read(back.frame).tuple, world.tuple(frontend, client));
}

INSTANTIATE_TEST_SUITE_P(, SourcePort, testing::ValuesIn(each_hook()), case_name);
INSTANTIATE_TEST_SUITE_P(, PortCrowd, testing::ValuesIn(only(each_hook(), is_tcp)), case_name);

class ClosedPort : public DatapathTest {
protected:
    Outcome connect(std::uint16_t port) { return small.arrive(small.packet({at.client, port}, frontend, syn)); }
    void close(std::uint16_t port, const Tuple& there) {
        small.arrive(small.packet({at.client, port}, frontend, fin | ack));
        small.arrive(small.packet(there.destination, there.source, fin | ack));
        small.arrive(small.packet({at.client, port}, frontend, ack));
    }
    void age(std::uint16_t port, const Tuple& there, std::uint64_t seconds) {
        small.datapath.age_flow(small.tuple({at.client, port}, frontend), seconds);
        small.datapath.age_flow(there.reversed(), seconds);
    }

    World small{GetParam(), port_range(61000, 61001)};
};

TEST_P(ClosedPort, TheOneClosedLongestIsTakenOver) {
    small.service().backends({remote}).frontend(frontend);
    Tuple first = small.establish({at.client, 40001}, frontend);
    Tuple second = small.establish({at.client, 40002}, frontend);
    EXPECT_EQ(connect(40003).verdict, abi::VERDICT_DROP_NO_SNAT_PORT) << "both ports are in use";
    close(40001, first);
    close(40002, second);
    EXPECT_EQ(connect(40003).verdict, abi::VERDICT_DROP_NO_SNAT_PORT) << "packets of both may still be under way";
    age(40001, first, 2);
    age(40002, second, 3);
    Outcome third = connect(40003);
    EXPECT_EQ(third.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(third.frame).tuple.source, second.source);
    Outcome back = small.arrive(turned_around(third.frame));
    EXPECT_EQ(read(back.frame).tuple, small.tuple(frontend, {at.client, 40003}));
    EXPECT_FALSE(small.datapath.flow(small.tuple({at.client, 40002}, frontend))) << "both directions are gone";
    EXPECT_TRUE(small.datapath.flow(small.tuple({at.client, 40001}, frontend)));
}

TEST_P(ClosedPort, IsTakenOverBeforeAHandshakeIs) {
    small.service().backends({remote}).frontend(frontend);
    Tuple first = small.establish({at.client, 40001}, frontend);
    close(40001, first);
    age(40001, first, 2);
    ASSERT_EQ(connect(40002).verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(connect(40003).frame).tuple.source, first.source);
    EXPECT_TRUE(small.datapath.flow(small.tuple({at.client, 40002}, frontend)));
}

INSTANTIATE_TEST_SUITE_P(, ClosedPort, testing::ValuesIn(only(each_hook(), is_tcp)), case_name);

}  // namespace
}  // namespace weir::test
