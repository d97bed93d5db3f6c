// SPDX-License-Identifier: Apache-2.0
// Access by source: loadBalancerSourceRanges, and the addresses of the service CIDR that no Service has.
#include <algorithm>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class SourceRange : public DatapathTest {
protected:
    std::vector<std::string> ranges() const {
        if (world.family() == 4) return {"203.0.113.0/29", "10.244.1.6/32", "2001:db8:f::/48"};
        return {"2001:db8:f::/126", "2001:db8:1:1::6/128", "203.0.113.0/24"};
    }
    // Return addresses inside and outside of the first range.
    abi::address near(std::uint8_t last) const {
        abi::address result = at.client;
        result.bytes[15] = last;
        return result;
    }
    void refused(Outcome out, const Frame& sent, int drop) {
        EXPECT_EQ(out.verdict, abi::VERDICT_DROP_SOURCE_RANGE);
        EXPECT_EQ(out.action, drop);
        EXPECT_EQ(out.frame, sent);
    }
    std::size_t flows() const { return world.datapath.count_flows(world.family(), Table::Unassured); }
};

TEST_P(SourceRange, ThePrefixDecides) {
    world.service().source_ranges(ranges()).backends({remote}).frontend(frontend);
    std::uint8_t inside = world.family() == 4 ? 7 : 3;
    for (std::uint8_t last = 0; last <= inside; ++last)
        EXPECT_EQ(world.arrive(world.packet({near(last), 40000}, frontend, syn)).verdict, abi::VERDICT_FORWARD);
    std::size_t before = flows();
    for (int last : {inside + 1, inside + 2, 64, 255}) {
        Frame sent = world.packet({near(static_cast<std::uint8_t>(last)), 40000}, frontend, syn).frame();
        refused(world.arrive(sent), sent, world.drop());
    }
    EXPECT_EQ(flows(), before) << "no flow is made for a refused source";
}

TEST_P(SourceRange, PodsAreHeldToThemToo) {
    world.service().source_ranges(ranges()).backends({remote}).frontend(frontend);
    EXPECT_EQ(world.leave_pod(world.packet({at.pod2, 40000}, frontend, syn)).verdict, abi::VERDICT_DELIVER);
    Frame sent = world.packet({at.pod, 40000}, frontend, syn).frame();
    refused(world.leave_pod(sent), sent, tc_shot);
}

TEST_P(SourceRange, AreNoBusinessOfOtherServices) {
    Endpoint open{at.vip, 81}, other{at.vip, 82};
    world.service().source_ranges(ranges()).backends({remote}).frontend(frontend);
    world.service().backends({remote}).frontend(open);
    world.service().source_ranges({"192.0.2.0/24"}).backends({remote}).frontend(other);
    Endpoint stranger{near(200), 40000};
    EXPECT_EQ(world.arrive(world.packet(stranger, open, syn)).verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(world.arrive(world.packet(client, other, syn)).verdict, abi::VERDICT_DROP_SOURCE_RANGE)
        << "another service's ranges do not admit a client here";
}

TEST_P(SourceRange, AreAskedBeforeAnythingIsTold) {
    world.service().source_ranges(ranges()).frontend(frontend,
                                                     {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT});
    Frame sent = world.packet({near(200), 40000}, frontend, syn).frame();
    refused(world.arrive(sent), sent, world.drop());
    EXPECT_EQ(world.arrive(world.packet({near(1), 40000}, frontend, syn)).verdict, abi::VERDICT_REJECT_NO_BACKEND);
}

TEST_P(SourceRange, EverythingOfAFamily) {
    world.service().source_ranges({world.family() == 4 ? "0.0.0.0/0" : "::/0"}).backends({remote}).frontend(frontend);
    EXPECT_EQ(world.arrive(world.packet({near(200), 40000}, frontend, syn)).verdict, abi::VERDICT_FORWARD);
}

TEST_P(SourceRange, AFlowThatIsKnownGoesOn) {
    auto service = world.service().backends({remote}).frontend(frontend);
    world.establish(client, frontend);
    service.source_ranges({"192.0.2.0/24"});
    EXPECT_EQ(world.arrive(world.packet(client, frontend, ack)).verdict, abi::VERDICT_FORWARD);
}

TEST_P(SourceRange, FragmentsAreHeldToThem) {
    world.service().source_ranges(ranges()).backends({remote}).frontend(frontend);
    auto fragments = cut(world.packet({near(200), 40000}, frontend).payload(1000).frame(), 400, 3);
    refused(world.arrive(fragments[0]), fragments[0], world.drop());
    // The refused first fragment left no entry by which the datapath could match the later ones.
    EXPECT_EQ(world.arrive(fragments[1]).verdict, abi::VERDICT_DROP_VIP_PROTOCOL);
    EXPECT_EQ(flows(), 0u);
}

INSTANTIATE_TEST_SUITE_P(, SourceRange, testing::ValuesIn(each_hook()), case_name);

// Tests of config.service_ranges.
class ServiceRange : public testing::TestWithParam<Case> {
protected:
    static abi::address_range range(const std::string& base, const std::string& mask) {
        abi::address_range result{.base = address(base), .mask = address(mask)};
        if (is_ipv4(result.base)) std::fill_n(result.mask.bytes, 12, std::uint8_t{0xff});
        return result;
    }
    static Settings settings() {
        Settings settings;
        settings.config.service_ranges[0] = range("10.96.0.0", "255.255.0.0");
        settings.config.service_ranges[1] = range("2001:db8:96::", "ffff:ffff:ffff::");
        return settings;
    }
    World world{GetParam(), settings()};
    const Places& at = world.at;
    Endpoint client{at.client, 40000}, pod{at.pod2, 40000};
    abi::address unallocated = address(world.family() == 4 ? "10.96.200.1" : "2001:db8:96:ffff::1");
    std::vector<abi::address> beyond = world.family() == 4
                                           ? std::vector{address("10.97.0.1"), address("10.95.255.255")}
                                           : std::vector{address("2001:db8:97::1"), address("2001:db8:95:ffff::1")};
};

TEST_P(ServiceRange, AnAddressThatNoServiceHasIsDropped) {
    world.service().backends({{at.remote, 8080}}).frontend({at.vip, 80});
    std::vector<Frame> frames = {world.packet(client, {unallocated, 80}, syn).frame(),
                                 Packet::icmp(at.client, unallocated, world.family() == 4 ? 8 : 128).frame(),
                                 Packet::of({client, {unallocated, 0}, IPPROTO_GRE}).frame(),
                                 cut(world.packet(client, {unallocated, 80}).payload(100).frame(), 48, 1)[1]};
    for (const Frame& frame : frames) {
        Outcome out = world.arrive(frame);
        EXPECT_EQ(out.verdict, abi::VERDICT_DROP_SERVICE_RANGE);
        EXPECT_EQ(out.action, world.drop());
        EXPECT_EQ(world.leave_pod(frame).verdict, abi::VERDICT_DROP_SERVICE_RANGE);
        EXPECT_EQ(world.egress(frame).action, tc_unspec);
    }
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 0u);
}

TEST_P(ServiceRange, EverythingElseIsAsWithoutIt) {
    world.service().backends({{at.remote, 8080}}).frontend({at.vip, 80});
    EXPECT_EQ(world.arrive(world.packet(client, {at.vip, 80}, syn)).verdict, abi::VERDICT_FORWARD);
    for (const abi::address& address : beyond)
        EXPECT_EQ(world.arrive(world.packet(client, {address, 80}, syn)).verdict, abi::VERDICT_PASS_NO_FRONTEND);
}

INSTANTIATE_TEST_SUITE_P(, ServiceRange, testing::ValuesIn(each_hook()), case_name);

}  // namespace
}  // namespace weir::test
