// SPDX-License-Identifier: Apache-2.0
// Floods larger than every table: established flows stay.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Flood : public DatapathTest {
protected:
    static constexpr int flood_size = 20'000;

    static Settings small_tables() {
        Settings settings;
        settings.assured = settings.unassured = 1024;
        // More ports than the small table has entries.
        settings.config.snat_port_min = 50000;
        settings.config.snat_port_max = 65535;
        return settings;
    }

    // Sends first packets from sources that never answer.
    void flood() {
        for (int i = 0; i < flood_size; ++i) {
            Endpoint from{places(small.family()).client, static_cast<std::uint16_t>(1024 + i)};
            from.address.bytes[14] = static_cast<std::uint8_t>(i);
            small.datapath.run_uncounted(GetParam().hook, small.packet(from, frontend, syn).frame(),
                                         small.devices.uplink);
        }
    }

    World small{GetParam(), small_tables()};
};

TEST_P(Flood, EstablishedFlowsStay) {
    small.service().backends({remote, remote2}).frontend(frontend);
    std::vector<std::pair<Endpoint, Tuple>> flows;
    for (std::uint16_t i = 0; i < 100; ++i) {
        Endpoint from{at.client, static_cast<std::uint16_t>(40000 + i)};
        flows.emplace_back(from, small.establish(from, frontend));
    }
    flood();
    EXPECT_EQ(small.datapath.count_flows(small.family(), Table::Assured), 200u);
    EXPECT_LE(small.datapath.count_flows(small.family(), Table::Unassured), 2u * 1024);
    for (const auto& [from, there] : flows) {
        Outcome out = small.arrive(small.packet(from, frontend));
        EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(read(out.frame).tuple, there);
        Outcome back = small.arrive(small.packet(there.destination, there.source));
        EXPECT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
        EXPECT_EQ(read(back.frame).tuple, small.tuple(frontend, from));
    }
}

TEST_P(Flood, AConnectionCanBeMadeAfterwards) {
    small.service().backends({remote}).frontend(frontend);
    flood();
    small.establish(client, frontend);
}

INSTANTIATE_TEST_SUITE_P(, Flood, testing::ValuesIn(each_hook()), case_name);

class StreamFlood : public Flood {};

// A service that answers, and spoofed sources that keep on sending: the datapath cannot tell them from clients.
TEST_P(StreamFlood, ConnectionsOfTcpStay) {
    small.service().backends({remote}).frontend(frontend);
    small.tables.service(IPPROTO_TCP).backends({remote}).frontend(frontend);
    std::vector<std::pair<Tuple, Tuple>> connections;
    for (std::uint16_t i = 0; i < 100; ++i) {
        Tuple forward{{at.client, static_cast<std::uint16_t>(40000 + i)}, frontend, IPPROTO_TCP};
        Tuple there = read(small.arrive(Packet::of(forward, syn)).frame).tuple;
        small.arrive(Packet::of(there.reversed(), syn | ack));
        small.arrive(Packet::of(forward, ack));
        ASSERT_TRUE(small.datapath.flow(forward, Table::Assured));
        connections.emplace_back(forward, there);
    }
    for (std::uint16_t i = 0; i < 2000; ++i)
        small.establish({at.other_client, static_cast<std::uint16_t>(10000 + i)}, frontend);
    for (const auto& [forward, there] : connections) {
        // Looks the flow up: if it were lost, a packet would make it again with the same backend and port.
        EXPECT_TRUE(small.datapath.flow(forward, Table::Assured));
        EXPECT_TRUE(small.datapath.flow(there.reversed(), Table::Assured));
    }
}

INSTANTIATE_TEST_SUITE_P(, StreamFlood, testing::ValuesIn(only(each_hook(), is_udp)), case_name);

}  // namespace
}  // namespace weir::test
