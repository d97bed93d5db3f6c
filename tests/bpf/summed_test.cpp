// SPDX-License-Identifier: Apache-2.0
// skbs that the device has summed (CHECKSUM_COMPLETE): skb->csum must follow every rewrite. After a test run the kernel
// compares it with the packet, and fails the run if it is wrong.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Summed : public testing::TestWithParam<Case> {
protected:
    static Settings summed() {
        Settings settings;
        settings.checksum_complete = true;
        return settings;
    }
    void SetUp() override {
        if (!world.datapath.can_run_complete()) GTEST_SKIP() << "test runs know no CHECKSUM_COMPLETE before Linux 6.16";
        world.service().backends({remote}).frontend(frontend);
    }
    World world{GetParam(), summed()};
    const Places& at = world.at;
    Endpoint client{at.client, 40000}, client_pod{at.pod2, 40000}, frontend{at.vip, 80}, remote{at.remote, 8080};
};

TEST_P(Summed, ForwardAndReply) {
    for (std::size_t octets : {0, 1, 33, 1000}) {
        Outcome there = world.arrive(world.packet(client, frontend).payload(octets));
        EXPECT_EQ(there.verdict, abi::VERDICT_FORWARD);
        EXPECT_TRUE(checksums_right(there.frame));
        EXPECT_EQ(world.arrive(turned_around(there.frame)).verdict, abi::VERDICT_REPLY_FORWARD);
    }
}

TEST_P(Summed, DeliverAndUndo) {
    Outcome there = world.leave_pod(world.packet(client_pod, frontend));
    EXPECT_EQ(there.verdict, abi::VERDICT_DELIVER);
    EXPECT_EQ(world.egress(turned_around(there.frame)).verdict, abi::VERDICT_REPLY_DELIVER);
}

TEST_P(Summed, Fragments) {
    for (const Frame& fragment : cut(world.packet(client, frontend).payload(1000).frame(), 400, 3))
        EXPECT_EQ(world.arrive(fragment).verdict, abi::VERDICT_FORWARD);
    for (const Frame& fragment : cut(world.packet(client_pod, frontend).payload(1000).frame(), 400, 4))
        EXPECT_EQ(world.leave_pod(fragment).verdict, abi::VERDICT_DELIVER);
}

TEST_P(Summed, IcmpErrors) {
    int type = world.family() == 4 ? 3 : 1;
    Frame there = world.arrive(world.packet(client, frontend)).frame;
    for (std::size_t octets : {8, 20, 100})
        EXPECT_EQ(world.arrive(Packet::icmp(at.remote, at.node, type).payload(quotation(there, octets))).verdict,
                  abi::VERDICT_REPLY_FORWARD);
    there = world.leave_pod(world.packet(client_pod, frontend)).frame;
    for (std::size_t octets : {8, 20, 100})
        EXPECT_EQ(world.egress(Packet::icmp(at.remote, at.pod2, type).payload(quotation(there, octets))).verdict,
                  abi::VERDICT_REPLY_DELIVER);
}

INSTANTIATE_TEST_SUITE_P(, Summed, testing::ValuesIn(each_protocol()), case_name);

}  // namespace
}  // namespace weir::test
