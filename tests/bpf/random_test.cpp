// SPDX-License-Identifier: Apache-2.0
// Random packets by the hundred thousand, many of them of known flows, many of them damaged. Whatever they are: what an
// independent reader refuses is not modified, checksums that were right stay right (and wrong ones wrong), and the
// verdicts add up.
#include <cstdlib>
#include <deque>
#include <optional>
#include <random>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Random : public testing::TestWithParam<Hook> {
protected:
    static constexpr int packets = 100'000;

    void SetUp() override {
        if (const char* seed = std::getenv("WEIR_TEST_SEED")) engine_.seed(std::strtoull(seed, nullptr, 10));
        for (int family : {4, 6}) {
            const Places& at = places(family);
            for (std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
                for (std::uint16_t port = 80; port < 96; ++port)
                    world.tables.service(protocol)
                        .backends({{at.remote, 8080}, {at.across, 8080}, {at.pod, 8080}, {at.unresolved, 8080}})
                        .frontend({at.vip, port}, {.external = port == 95 ? abi::SCOPE_CLOSED : abi::SCOPE_BALANCE});
            }
        }
    }

    std::uint64_t pick(std::uint64_t below) { return engine_() % below; }
    bool chance(unsigned percent) { return pick(100) < percent; }

    Packet random_packet() {
        const Places& at = places(chance(50) ? 4 : 6);
        Endpoint from{chance(50) ? at.client : at.pod2, static_cast<std::uint16_t>(40000 + pick(64))};
        Endpoint to{chance(95) ? at.vip : at.vip2, static_cast<std::uint16_t>(80 + pick(17))};
        bool udp = chance(40);
        Packet packet = Packet::of({from, to, static_cast<std::uint8_t>(udp ? IPPROTO_UDP : IPPROTO_TCP)},
                                   chance(70) ? int{ack} : static_cast<int>(pick(64)));
        packet.payload(pick(200)).ttl(static_cast<std::uint8_t>(chance(90) ? 64 : pick(256)));
        if (at.family == 4) {
            if (chance(10)) packet.ipv4_options(pick(11));
            if (udp && chance(20)) packet.without_checksum();
            if (chance(2)) packet.fragment(static_cast<std::uint16_t>(pick(3)), chance(50));
        } else if (chance(20)) {
            constexpr std::uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT};
            for (auto count = pick(9); count; --count) packet.extension(types[pick(chance(5) ? 4 : 3)], 1 + pick(3));
        }
        if (chance(10)) packet.trailer(1 + pick(20));
        return packet;
    }

    void damage(Frame& frame) {
        if (chance(30)) frame.resize(14 + pick(frame.size() - 13));
        std::size_t headers = std::min<std::size_t>(frame.size(), 14 + 40 + 20);
        for (auto count = pick(4); count; --count)
            frame[12 + pick(headers - 12)] = static_cast<std::uint8_t>(pick(256));
        frame.resize(std::max(frame.size(), Datapath::shortest_frame(GetParam(), frame)));
    }

    static std::optional<Reading> try_read(const Frame& frame) {
        try {
            return read(frame);
        } catch (const std::runtime_error&) {
            return std::nullopt;
        }
    }

    // Behind the checksum nothing may change.
    static bool same_payload(const Frame& a, const Frame& b, const Reading& reading) {
        std::size_t checksum_end = reading.l4_offset + (reading.tuple.protocol == IPPROTO_TCP ? 18 : 8);
        return a.size() == b.size() && std::equal(a.begin() + static_cast<std::ptrdiff_t>(checksum_end), a.end(),
                                                  b.begin() + static_cast<std::ptrdiff_t>(checksum_end));
    }

    std::mt19937_64 engine_{20240607};
    World world{{4, IPPROTO_TCP, Hook::UplinkIngress}, {}};
};

TEST_P(Random, PacketsComeOutRightOrAsTheyWere) {
    Hook hook = GetParam();
    int pass = hook == Hook::Xdp ? xdp_pass : tc_unspec, drop = hook == Hook::Xdp ? xdp_drop : tc_shot;
    std::deque<Frame> translated;
    std::uint64_t octets = 0, changed = 0, dropped = 0, readable = 0;
    for (int i = 0; i < packets; ++i) {
        Frame frame = !translated.empty() && chance(30) ? turned_around(translated[pick(translated.size())])
                                                        : random_packet().frame();
        if (chance(25)) damage(frame);
        octets += frame.size();
        // Flows are made at ingress; egress sees their replies. Other hooks make flows of other kinds.
        Hook at = hook == Hook::Egress && chance(50) ? Hook::WorkloadIngress : hook;
        Outcome out = world.datapath.run_uncounted(at, frame, world.devices.uplink);
        dropped += out.action == drop;
        auto before = try_read(frame);
        readable += before.has_value();
        if (out.frame == frame) continue;
        ++changed;
        ASSERT_TRUE(before) << "packet " << i << " was changed, and is none";
        ASSERT_NE(out.action, drop) << "packet " << i << " was changed and dropped";
        auto after = try_read(out.frame);
        ASSERT_TRUE(after) << "packet " << i;
        ASSERT_EQ(static_cast<bool>(checksums_right(out.frame)), static_cast<bool>(checksums_right(frame)))
            << "packet " << i;
        ASSERT_TRUE(same_payload(frame, out.frame, *before)) << "packet " << i;
        ASSERT_EQ(before->tcp_flags, after->tcp_flags) << "packet " << i;
        bool finished = out.action != pass;
        ASSERT_EQ(after->ttl, before->ttl - finished) << "packet " << i;
        if (translated.size() == 256) translated.pop_front();
        if (checksums_right(out.frame)) translated.push_back(std::move(out.frame));
    }
    VerdictCounts counts = world.datapath.verdicts();
    std::uint64_t counted = 0, counted_octets = 0, counted_drops = 0, counted_rewrites = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counted += counts[i].packets;
        counted_octets += counts[i].octets;
        if (i >= abi::VERDICT_FIRST_DROP) counted_drops += counts[i].packets;
        if (i >= abi::VERDICT_DELIVER && i <= abi::VERDICT_REPLY_FORWARD) counted_rewrites += counts[i].packets;
    }
    EXPECT_EQ(counted, static_cast<std::uint64_t>(packets));
    EXPECT_EQ(counted_octets, octets);
    EXPECT_EQ(counted_drops, dropped);
    EXPECT_EQ(counted_rewrites, changed);
    // The generator has to reach what it is meant to test.
    EXPECT_GT(readable, packets / 2u);
    EXPECT_LT(readable, static_cast<std::uint64_t>(packets));
    EXPECT_GT(changed, packets / 10u);
    EXPECT_EQ(counts[abi::VERDICT_DROP_TABLE].packets, 0u);
    EXPECT_EQ(counts[abi::VERDICT_DROP_STALE_BACKEND].packets, 0u);
}

INSTANTIATE_TEST_SUITE_P(, Random, testing::Values(Hook::Xdp, Hook::UplinkIngress, Hook::WorkloadIngress, Hook::Egress),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace weir::test
