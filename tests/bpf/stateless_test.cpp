// SPDX-License-Identifier: Apache-2.0
// A refused packet changes no entry of any map except for counters, from however many sources such packets come, whole
// or in fragments. So a refused sender can neither fill a table nor push out its entries.
#include <algorithm>
#include <functional>

#include "tests/bpf/case.hpp"
#include "tests/bpf/contents.hpp"

namespace weir::test {
namespace {

constexpr int senders = 20;

Settings small_tables() {
    Settings settings;
    settings.assured = settings.unassured = 256;  // all of it is read again and again
    auto range = [](const char* base, const char* mask) {
        return abi::address_range{.base = address(base), .mask = address(mask)};
    };
    settings.config.service_ranges[0] = range("::ffff:10.96.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:0000");
    settings.config.service_ranges[1] = range("2001:db8:96::", "ffff:ffff:ffff::");
    return settings;
}

class Stateless : public testing::TestWithParam<Case> {
protected:
    // Puts another service to use, so that the tables have entries that could be lost.
    void SetUp() override {
        world.service().backends({remote}).affinity(100).frontend(used);
        established_ = world.establish(friendly, used);
        world.arrive(world.packet({at.other_client, 1}, used, syn));
        world.arrive(cut(world.packet(friendly, used).payload(100).frame(), 48, 1)[0]);
        auto contents = Contents::of(world.datapath);
        ASSERT_EQ(world.datapath.count_flows(world.family(), Table::Assured), 2u);
        ASSERT_EQ(contents.entries("affinity"), 1u);
        ASSERT_EQ(contents.entries("fragments"), 1u);
    }

    Endpoint sender(int i) const {
        Endpoint from{at.client, static_cast<std::uint16_t>(1024 + i)};
        from.address.bytes[15] = static_cast<std::uint8_t>(100 + i);
        return from;
    }

    using Send = std::function<Outcome(const Frame&)>;
    void leave_nothing(const std::vector<Frame>& frames, const std::vector<abi::verdict>& expected, const Send& send) {
        auto before = Contents::of(world.datapath);
        for (const Frame& frame : frames) expect_one_of(send(frame).verdict, expected);
        EXPECT_EQ(before.differences(Contents::of(world.datapath)), std::vector<std::string>{});
    }

    // Expects packets of many senders to one address to be refused: whole ones, first fragments and later ones.
    void refused(const Endpoint& to, int flags, abi::verdict verdict, const Send& send) {
        std::vector<Frame> whole, first, later;
        for (int i = 0; i < senders; ++i) {
            whole.push_back(world.packet(sender(i), to, flags).frame());
            auto cuts =
                cut(world.packet(sender(i), to, flags).payload(100).frame(), 48, 100u + static_cast<unsigned>(i));
            first.push_back(cuts[0]);
            later.push_back(cuts[1]);
        }
        leave_nothing(whole, {verdict}, send);
        leave_nothing(first, {verdict}, send);
        leave_nothing(later,
                      {abi::VERDICT_DROP_VIP_PROTOCOL, abi::VERDICT_DROP_CLOSED_FRONTEND,
                       abi::VERDICT_DROP_SERVICE_RANGE, abi::VERDICT_PASS_FRAGMENT},
                      send);
    }
    void refused_from_outside(const Endpoint& to, int flags, abi::verdict verdict) {
        SCOPED_TRACE("from outside");
        refused(to, flags, verdict, [&](const Frame& frame) { return world.arrive(frame); });
    }
    void refused_from_pods(const Endpoint& to, int flags, abi::verdict verdict) {
        SCOPED_TRACE("from pods");
        refused(to, flags, verdict, [&](const Frame& frame) { return world.leave_pod(frame); });
    }

    static void expect_one_of(abi::verdict verdict, const std::vector<abi::verdict>& expected) {
        EXPECT_NE(std::ranges::find(expected, verdict), expected.end()) << to_string(verdict);
    }

    World world{GetParam(), small_tables()};
    const Places& at = world.at;
    Endpoint friendly{at.other_client, 40000}, used{at.vip2, 80};
    Endpoint frontend{at.vip, 80}, remote{at.remote, 8080};
    Tuple established_;
};

TEST_P(Stateless, OutsideTheSourceRanges) {
    world.service()
        .source_ranges({"192.0.2.0/24", "2001:db8:2::/64"})
        .affinity(100)
        .backends({remote})
        .frontend(frontend);
    refused_from_outside(frontend, syn, abi::VERDICT_DROP_SOURCE_RANGE);
    refused_from_outside(frontend, ack, abi::VERDICT_DROP_SOURCE_RANGE);
    refused_from_pods(frontend, syn, abi::VERDICT_DROP_SOURCE_RANGE);
}

TEST_P(Stateless, ClosedFrontend) {
    world.service().backends({remote}).affinity(100).frontend(frontend, {.external = abi::SCOPE_CLOSED});
    world.tables.set_vip(at.vip, abi::VIP_CLOSED_OUTSIDE);
    refused_from_outside(frontend, syn, abi::VERDICT_DROP_CLOSED_FRONTEND);
    refused_from_outside({at.vip, 81}, syn, abi::VERDICT_DROP_CLOSED_FRONTEND);
}

TEST_P(Stateless, AddressOfTheServiceRangeThatNoServiceHas) {
    Endpoint nobody{address(world.family() == 4 ? "10.96.200.1" : "2001:db8:96:ffff::1"), 80};
    refused_from_outside(nobody, syn, abi::VERDICT_DROP_SERVICE_RANGE);
    refused_from_pods(nobody, syn, abi::VERDICT_DROP_SERVICE_RANGE);
}

TEST_P(Stateless, NoLocalBackend) {
    world.service().backends({remote}).affinity(100).frontend(frontend, {.external = abi::SCOPE_NO_LOCAL});
    refused_from_outside(frontend, syn, abi::VERDICT_DROP_NO_LOCAL_BACKEND);
}

// Answers have a budget, in a map of the programs' own; no other map changes with them.
TEST_P(Stateless, NoBackendAndUnusedPort) {
    world.service().affinity(100).frontend(frontend, {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT});
    for (auto [port, verdict] : {std::pair(80, abi::VERDICT_REJECT_NO_BACKEND), {81, abi::VERDICT_REJECT_NO_PORT}}) {
        refused_from_outside({at.vip, static_cast<std::uint16_t>(port)}, syn, verdict);
        refused_from_pods({at.vip, static_cast<std::uint16_t>(port)}, syn, verdict);
    }
}

// Malformed packets of new flows and of an established one; compares all maps.
TEST_P(Stateless, Malformed) {
    world.service().backends({remote}).affinity(100).frontend(frontend);
    Tuple reply = established_.reversed();
    for (const Packet& packet : {world.packet(sender(0), frontend, syn), world.packet(friendly, used, fin | ack),
                                 world.packet(reply.source, reply.destination, fin | ack)}) {
        Frame frame = packet.frame(), other_version = frame, too_long = frame;
        other_version[14] ^= 0x20;
        too_long[world.family() == 4 ? 16 : 18] = 0xff;
        std::vector<Frame> frames = {other_version, too_long};
        for (auto length = Datapath::shortest_frame(GetParam().hook, frame); length < frame.size(); ++length)
            frames.emplace_back(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
        leave_nothing(frames, {abi::VERDICT_PASS_MALFORMED}, [&](const Frame& one) { return world.arrive(one); });
    }
}

INSTANTIATE_TEST_SUITE_P(, Stateless, testing::ValuesIn(each_hook()), case_name);

class StatelessTcp : public Stateless {};

TEST_P(StatelessTcp, StrayRst) {
    world.service().backends({remote}).affinity(100).frontend(frontend);
    refused_from_outside(frontend, rst, abi::VERDICT_DROP_STRAY_RST);
    refused_from_outside(frontend, rst | ack, abi::VERDICT_DROP_STRAY_RST);
    refused_from_pods(frontend, rst, abi::VERDICT_DROP_STRAY_RST);
}

INSTANTIATE_TEST_SUITE_P(, StatelessTcp, testing::ValuesIn(only(each_hook(), is_tcp)), case_name);

}  // namespace
}  // namespace weir::test
