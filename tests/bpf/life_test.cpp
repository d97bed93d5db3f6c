// SPDX-License-Identifier: Apache-2.0
// The life of a flow: retransmission, promotion, closing, tuple reuse, and the loss of its backend.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

// The tests that TCP and UDP share.
class Life : public DatapathTest {
protected:
    Tuple forward() const { return world.tuple(client, frontend); }
    bool assured(const Tuple& tuple) const { return world.datapath.flow(tuple, Table::Assured).has_value(); }
    bool unassured(const Tuple& tuple) const { return world.datapath.flow(tuple, Table::Unassured).has_value(); }
};

TEST_P(Life, OneDirectionNeverAssuresAFlow) {
    world.service().backends({remote}).frontend(frontend);
    for (int flags : {syn + 0, syn + 0, ack + 0, ack | psh}) world.arrive(world.packet(client, frontend, flags));
    EXPECT_TRUE(unassured(forward()));
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Assured), 0u);
}

TEST_P(Life, AReplyAloneNeverAssuresAFlow) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple;
    for (int i = 0; i < 3; ++i) world.arrive(world.packet(there.destination, there.source, syn | ack));
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Assured), 0u);
}

TEST_P(Life, TheNextForwardPacketAfterAReplyAssuresBothDirections) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    EXPECT_TRUE(assured(forward()));
    EXPECT_TRUE(assured(there.reversed()));
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 0u);
    auto flow = world.datapath.flow(forward());
    EXPECT_TRUE(flow->flow.flags & abi::FLOW_ASSURED);
    EXPECT_EQ(flow->flow.packets, 2u) << "counts move with the flow";
    Outcome back = world.arrive(world.packet(there.destination, there.source));
    EXPECT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
    EXPECT_EQ(read(back.frame).tuple, forward().reversed());
}

TEST_P(Life, PodsFlowsAreAssuredToo) {
    Endpoint client_pod{at.pod2, 40000};
    world.service().backends({remote}).frontend(frontend);
    world.leave_pod(world.packet(client_pod, frontend, syn));
    world.egress(world.packet(remote, client_pod, syn | ack));
    world.datapath.age_connection(world.tuple(client_pod, frontend), 3);
    EXPECT_EQ(world.leave_pod(world.packet(client_pod, frontend, ack)).frame,
              world.packet(client_pod, remote, ack).frame());
    EXPECT_TRUE(assured(world.tuple(client_pod, frontend)));
    EXPECT_TRUE(assured(world.tuple(remote, client_pod)));
    EXPECT_EQ(world.egress(world.packet(remote, client_pod)).frame, world.packet(frontend, client_pod).frame());
}

TEST_P(Life, ARemovedBackendKeepsItsEstablishedFlow) {
    auto service = world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    world.tables.set_in_use(service.ids()[0], false);
    service.backends({remote2});
    EXPECT_EQ(read(world.arrive(world.packet(client, frontend, ack)).frame).tuple, there);
    EXPECT_EQ(read(world.arrive(world.packet({at.client, 40001}, frontend, syn)).frame).tuple.destination, remote2);
}

INSTANTIATE_TEST_SUITE_P(, Life, testing::ValuesIn(each_hook()), case_name);

// UDP: without flags, packets prove less about a connection.
class UdpLife : public Life {};

TEST_P(UdpLife, IsAssuredOnceItHasLasted) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(world.arrive(world.packet(client, frontend)).frame).tuple;
    world.arrive(world.packet(there.destination, there.source));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(read(world.arrive(world.packet(client, frontend)).frame).tuple, there);
    EXPECT_FALSE(assured(forward())) << "it may be one question and its answer, or a spoofed source that sends again";
    world.datapath.age_connection(forward(), 3);
    EXPECT_EQ(read(world.arrive(world.packet(client, frontend)).frame).tuple, there);
    EXPECT_TRUE(assured(forward()));
}

INSTANTIATE_TEST_SUITE_P(, UdpLife, testing::ValuesIn(only(each_hook(), is_udp)), case_name);

// TCP: the flags tell the state of a connection.
class TcpLife : public Life {
protected:
    std::uint32_t flags(const Tuple& tuple) const {
        auto flow = world.datapath.flow(tuple);
        return flow ? flow->flow.flags : 0;
    }
    Outcome send(int tcp_flags) { return world.arrive(world.packet(client, frontend, tcp_flags)); }
    Outcome answer(const Tuple& there, int tcp_flags) {
        return world.arrive(world.packet(there.destination, there.source, tcp_flags));
    }
};

TEST_P(TcpLife, ASynRetransmissionKeepsBackendAndPort) {
    auto service = world.service().backends({remote, remote2}).frontend(frontend);
    Outcome first = send(syn);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(send(syn).frame, first.frame);
    // The flow stays, although a new one would get another backend now.
    service.backends({remote2, remote});
    EXPECT_EQ(send(syn).frame, first.frame);
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 2u);
}

TEST_P(TcpLife, ASynAfterASynAckAssuresNothing) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(send(syn).frame).tuple;
    answer(there, syn | ack);
    send(syn);
    EXPECT_FALSE(assured(forward()));
    send(rst);
    EXPECT_FALSE(assured(forward()));
}

TEST_P(TcpLife, AnAckThatHasNotSeenTheSynAckAssuresNothing) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(send(syn).frame).tuple;
    constexpr std::uint32_t number = 0xffff'fff0;  // wraps
    auto ack_of = [&](std::uint32_t acknowledged) {
        return Packet::of(forward(), ack).numbers(1, acknowledged).payload(33);
    };
    world.arrive(Packet::of(there.reversed(), syn | ack).numbers(number, 1).payload(33));
    for (std::uint32_t blind : {number, number + 1 + (1u << 16), number - 100'000, number + (1u << 31)}) {
        EXPECT_EQ(world.arrive(ack_of(blind)).verdict, abi::VERDICT_FORWARD);
        EXPECT_FALSE(assured(forward())) << blind;
    }
    EXPECT_EQ(read(world.arrive(ack_of(number + 1)).frame).tuple, there);
    EXPECT_TRUE(assured(forward()));
}

TEST_P(TcpLife, ABackendsRstAssuresNothing) {
    // A spoofed ACK makes a flow that the backend does not know; a second spoofed ACK must not promote it.
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(send(ack).frame).tuple;
    EXPECT_EQ(answer(there, rst).verdict, abi::VERDICT_REPLY_FORWARD);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(send(ack).verdict, abi::VERDICT_FORWARD);
    EXPECT_FALSE(assured(forward()));
    EXPECT_FALSE(assured(there.reversed()));
}

TEST_P(TcpLife, OneFinDoesNotClose) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    send(fin | ack);
    send(fin | ack);
    EXPECT_FALSE(flags(forward()) & abi::FLOW_CLOSING);
    EXPECT_TRUE(flags(forward()) & abi::FLOW_FIN);
    EXPECT_TRUE(flags(there.reversed()) & abi::FLOW_PEER_FIN);
    EXPECT_EQ(answer(there, ack).verdict, abi::VERDICT_REPLY_FORWARD) << "the half-open connection goes on";
}

TEST_P(TcpLife, FinsOfBothDirectionsClose) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    answer(there, fin | ack);
    EXPECT_FALSE(flags(forward()) & abi::FLOW_CLOSING);
    EXPECT_EQ(send(fin | ack).verdict, abi::VERDICT_FORWARD);
    EXPECT_TRUE(flags(forward()) & abi::FLOW_CLOSING);
    EXPECT_TRUE(flags(there.reversed()) & abi::FLOW_CLOSING);
    EXPECT_EQ(answer(there, ack).verdict, abi::VERDICT_REPLY_FORWARD) << "the last ACK still arrives";
}

TEST_P(TcpLife, ARstOfEitherDirectionCloses) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    EXPECT_EQ(answer(there, rst | ack).verdict, abi::VERDICT_REPLY_FORWARD) << "the RST itself is delivered";
    EXPECT_TRUE(flags(forward()) & abi::FLOW_CLOSING);
    EXPECT_TRUE(flags(there.reversed()) & abi::FLOW_CLOSING);
    client.port = 40001;
    there = world.establish(client, frontend);
    EXPECT_EQ(send(rst).verdict, abi::VERDICT_FORWARD);
    EXPECT_TRUE(flags(forward()) & abi::FLOW_CLOSING);
    EXPECT_TRUE(flags(there.reversed()) & abi::FLOW_CLOSING);
}

TEST_P(TcpLife, ASynOnAnEstablishedFlowIsNothingNew) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    EXPECT_EQ(read(send(syn).frame).tuple, there);
    EXPECT_TRUE(assured(forward()));
}

TEST_P(TcpLife, ASynOnAClosingFlowStartsAfresh) {
    auto service = world.service().backends({remote}).frontend(frontend);
    for (bool by_rst : {false, true}) {
        service.backends({remote});
        Tuple old = world.establish(client, frontend);
        if (by_rst) {
            send(rst);
        } else {
            send(fin | ack);
            answer(old, fin | ack);
        }
        service.backends({remote2});
        Outcome out = send(syn);
        EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(read(out.frame).tuple.destination, remote2) << "chosen anew";
        EXPECT_TRUE(unassured(forward()));
        EXPECT_FALSE(assured(forward()));
        EXPECT_FALSE(flags(forward()) & abi::FLOW_CLOSING);
        EXPECT_FALSE(world.datapath.flow(old.reversed())) << "the old reply direction is gone";
        send(rst);
    }
}

TEST_P(TcpLife, AConnectionAfterAClosingOneStaysWithItsBackend) {
    std::vector<Endpoint> backends;
    for (std::uint16_t i = 0; i < 64; ++i) backends.push_back({at.remote, static_cast<std::uint16_t>(8080 + i)});
    world.service().backends(backends).frontend(frontend);
    for (int i = 0; i < 4; ++i) {
        client.port = static_cast<std::uint16_t>(40000 + i);
        world.establish(client, frontend);
        send(rst);
        // The first packet, its repetition and the rest of the handshake go the same way.
        Tuple there = read(send(syn).frame).tuple;
        EXPECT_EQ(read(send(syn).frame).tuple, there);
        EXPECT_EQ(answer(there, syn | ack).verdict, abi::VERDICT_REPLY_FORWARD);
        EXPECT_EQ(read(send(ack).frame).tuple, there);
        EXPECT_TRUE(assured(forward()));
    }
}

TEST_P(TcpLife, ASynWhoseBackendHasLeftGetsAnotherOne) {
    auto service = world.service().backends({remote}).frontend(frontend);
    std::uint32_t gone = service.ids()[0];
    Tuple old = read(send(syn).frame).tuple;
    service.backends({remote2});
    world.tables.set_in_use(gone, false);
    Tuple there = read(send(syn).frame).tuple;
    EXPECT_EQ(there.destination, remote2);
    EXPECT_FALSE(world.datapath.flow(old.reversed()));
    EXPECT_EQ(read(answer(there, syn | ack).frame).tuple, forward().reversed());
}

TEST_P(TcpLife, ABackendsIdGivenToAnotherOneDoesNotKeepTheFlow) {
    auto service = world.service().backends({remote}).frontend(frontend);
    send(syn);
    // The same port, another address, the same id: as an agent that restarted might do.
    std::uint32_t id = service.ids()[0];
    abi::backend another{.address = remote2.address,
                         .port_be = htons(remote2.port),
                         .protocol = world.protocol(),
                         .flags = abi::BACKEND_IN_USE,
                         .service_id = 1};
    world.datapath.update("backends", &id, &another);
    EXPECT_EQ(read(send(syn).frame).tuple.destination, remote2);
}

TEST_P(TcpLife, ASynRestoresAReplyDirectionThatWasEvicted) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(send(syn).frame).tuple;
    world.datapath.erase_flow(there.reversed());
    EXPECT_EQ(read(send(syn).frame).tuple, there);
    Outcome back = answer(there, syn | ack);
    EXPECT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD) << "without it the client can never connect from this port";
}

TEST_P(TcpLife, AFlowIsNotAssuredWithoutItsReplyDirection) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(send(syn).frame).tuple;
    answer(there, syn | ack);
    world.datapath.erase_flow(there.reversed());
    EXPECT_EQ(read(send(ack).frame).tuple, there);
    EXPECT_EQ(answer(there, ack).verdict, abi::VERDICT_REPLY_FORWARD);
}

INSTANTIATE_TEST_SUITE_P(, TcpLife, testing::ValuesIn(only(each_hook(), is_tcp)), case_name);

}  // namespace
}  // namespace weir::test
