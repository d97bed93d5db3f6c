// SPDX-License-Identifier: Apache-2.0
// A pod that reaches itself through its service: it would drop a packet that comes in with its own address as source.
#include <bpf/bpf.h>

#include <algorithm>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Hairpin : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({pod}).frontend(frontend); }

    static constexpr Mac pod_mac = {0x02, 0, 0, 0, 2, 5};
    static constexpr Mac pod_device_mac = {0x02, 0, 0, 0, 1, 3};
    Endpoint self{at.pod, 40000};

    static Frame routed(Packet packet) {
        Frame frame = packet.ttl(63).frame();
        std::copy(pod_mac.begin(), pod_mac.end(), frame.begin());
        std::copy(pod_device_mac.begin(), pod_device_mac.end(), frame.begin() + 6);
        return frame;
    }
    void set_node_addresses(const abi::address& node4, const abi::address& node6) {
        std::uint32_t zero = 0;
        abi::runtime runtime;
        ASSERT_EQ(bpf_map_lookup_elem(world.datapath.map("runtime"), &zero, &runtime), 0);
        runtime.node4_be = node4.words_be[3];
        runtime.node6 = node6;
        world.datapath.update("runtime", &zero, &runtime);
    }
};

TEST_P(Hairpin, ComesFromTheNodeAndTheReplyFromTheFrontend) {
    Outcome there = world.leave_pod(world.packet(self, frontend, syn));
    EXPECT_EQ(there.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(there.action, tc_redirect);
    Tuple rewritten = read(there.frame).tuple;
    EXPECT_EQ(rewritten.source.address, at.node) << "the route to the pod prefers no source";
    EXPECT_EQ(there.frame, routed(world.packet(rewritten.source, pod, syn)));
    EXPECT_TRUE(checksums_right(there.frame));
    EXPECT_EQ(world.egress(there.frame).verdict, abi::VERDICT_PASS_NO_FRONTEND) << "egress sees it on its way out";
    Outcome back = world.leave_pod(world.packet(pod, rewritten.source, syn | ack));
    EXPECT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
    EXPECT_EQ(back.frame, routed(world.packet(frontend, self, syn | ack)));
    EXPECT_TRUE(checksums_right(back.frame));
}

TEST_P(Hairpin, IsAssuredLikeOthers) {
    Tuple there = read(world.leave_pod(world.packet(self, frontend, syn)).frame).tuple;
    world.leave_pod(Packet::of(there.reversed(), syn | ack));
    world.datapath.age_connection(world.tuple(self, frontend), 3);
    EXPECT_EQ(read(world.leave_pod(world.packet(self, frontend, ack)).frame).tuple, there);
    EXPECT_TRUE(world.datapath.flow(world.tuple(self, frontend), Table::Assured));
    EXPECT_TRUE(world.datapath.flow(there.reversed(), Table::Assured));
    EXPECT_EQ(read(world.leave_pod(Packet::of(there.reversed(), ack)).frame).tuple, world.tuple(frontend, self));
}

TEST_P(Hairpin, OtherPodsKeepTheirAddress) {
    Endpoint other{at.pod2, 40000};
    Outcome out = world.leave_pod(world.packet(other, frontend, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
    EXPECT_EQ(read(out.frame).tuple, world.tuple(other, pod));
}

TEST_P(Hairpin, OnlyWhereThePodIsTheBackendThatWasChosen) {
    Endpoint frontend2{at.vip2, 80};
    world.service().backends({pod, remote}).frontend(frontend2);
    int forwarded = 0, delivered = 0;
    for (std::uint16_t port = 40000; port < 40032; ++port) {
        Outcome out = world.leave_pod(world.packet({at.pod, port}, frontend2, syn));
        bool itself = read(out.frame).tuple.destination == pod;
        EXPECT_EQ(out.verdict, itself ? abi::VERDICT_FORWARD : abi::VERDICT_DELIVER);
        ++(itself ? forwarded : delivered);
    }
    EXPECT_GT(forwarded, 0);
    EXPECT_GT(delivered, 0);
}

TEST_P(Hairpin, WithoutAnAddressOfTheNodeIsDropped) {
    set_node_addresses({}, {});
    Outcome out = world.leave_pod(world.packet(self, frontend, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_DROP_NO_SNAT_ADDRESS);
    EXPECT_EQ(out.action, tc_shot);
}

TEST_P(Hairpin, ErrorsAboutItAreTranslated) {
    Frame sent = world.packet(self, frontend, syn).frame();
    Frame there = world.leave_pod(sent).frame;
    int type = world.family() == 4 ? 3 : 1, code = world.family() == 4 ? 3 : 4;
    Outcome out = world.leave_pod(Packet::icmp(at.pod, at.node, type, code).payload(quotation(there, 20)).frame());
    EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_FORWARD);
    EXPECT_TRUE(checksums_right(out.frame));
    EXPECT_EQ(read_icmp(out.frame).source, at.vip);
    EXPECT_EQ(quoted_tuple(read_icmp(out.frame)), world.tuple(self, frontend));
}

INSTANTIATE_TEST_SUITE_P(, Hairpin, testing::ValuesIn(each_protocol()), case_name);

}  // namespace
}  // namespace weir::test
