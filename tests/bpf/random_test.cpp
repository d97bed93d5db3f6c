// SPDX-License-Identifier: Apache-2.0
// Random packets by the hundred thousand (or WEIR_TEST_PACKETS): packets of known flows, fragments, ICMP errors, many
// of them damaged. The datapath never modifies a packet that an independent reader refuses. Right checksums stay right
// (and wrong ones wrong), answers are right, and the verdicts add up.
#include <cstdlib>
#include <deque>
#include <optional>
#include <random>
#include <tuple>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Random : public testing::TestWithParam<Hook> {
protected:
    const int packets = [] {
        const char* wish = std::getenv("WEIR_TEST_PACKETS");
        return wish ? std::atoi(wish) : 100'000;
    }();

    void SetUp() override {
        if (const char* seed = std::getenv("WEIR_TEST_SEED")) engine_.seed(std::strtoull(seed, nullptr, 10));
        for (int family : {4, 6}) {
            const Places& at = places(family);
            for (std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP}) {
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
        bool udp = chance(40), sctp = !udp && chance(20);
        Packet packet = Packet::of({from, to,
                                    static_cast<std::uint8_t>(udp    ? IPPROTO_UDP
                                                              : sctp ? IPPROTO_SCTP
                                                                     : IPPROTO_TCP)},
                                   chance(70) ? int{ack} : static_cast<int>(pick(64)));
        packet.payload(pick(200)).ttl(static_cast<std::uint8_t>(chance(90) ? 64 : pick(256)));
        if (at.family == 4) {
            if (chance(10)) packet.ipv4_options(pick(11));
            if (udp && chance(20)) packet.without_checksum();
        } else if (chance(20)) {
            constexpr std::uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT};
            for (auto count = pick(9); count; --count) packet.extension(types[pick(chance(5) ? 4 : 3)], 1 + pick(3));
        }
        if (chance(10)) packet.trailer(1 + pick(20));
        return packet;
    }

    // Returns one of a datagram's fragments. Identifications repeat, so that many later ones follow their first.
    Frame random_fragment() {
        Frame whole = random_packet().trailer(0).frame();
        auto fragments = cut(whole, 24 + 8 * pick(8), static_cast<std::uint32_t>(pick(4)));
        return fragments[chance(50) ? 0 : pick(fragments.size())];
    }

    // Returns an error about a packet that left translated, from a router on its way or from its addressee.
    Frame random_error(const Frame& about) {
        Tuple tuple = read(about).tuple;
        bool v4 = is_ipv4(tuple.source.address);
        constexpr int types4[] = {3, 3, 11, 12, 5}, types6[] = {1, 2, 3, 4, 200};
        abi::address from = chance(50) ? tuple.destination.address : places(v4 ? 4 : 6).other_client;
        Packet packet = Packet::icmp(from, tuple.source.address, v4 ? types4[pick(5)] : types6[pick(5)],
                                     static_cast<int>(pick(6)), static_cast<std::uint32_t>(pick(1500)));
        packet.payload(quotation(about, pick(60)));
        if (chance(10)) packet.ttl(static_cast<std::uint8_t>(pick(3)));
        if (chance(10)) packet.trailer(1 + pick(20));
        return packet.frame();
    }

    Frame random_ping() {
        const Places& at = places(chance(50) ? 4 : 6);
        Packet packet = Packet::icmp(at.client, chance(90) ? at.vip : at.vip2, at.family == 4 ? 8 : 128, 0,
                                     static_cast<std::uint32_t>(pick(1 << 20)));
        return packet.payload(pick(100)).frame();
    }

    Frame random_frame() {
        if (!translated.empty() && chance(30)) return turned_around(translated[pick(translated.size())]);
        if (!translated.empty() && chance(10)) return random_error(translated[pick(translated.size())]);
        if (chance(15)) return random_fragment();
        return chance(3) ? random_ping() : random_packet().frame();
    }

    void damage(Frame& frame) {
        if (chance(30)) frame.resize(14 + pick(frame.size() - 13));
        std::size_t headers = std::min<std::size_t>(frame.size(), 14 + 40 + 20 + (chance(50) ? 60 : 0));
        for (auto count = pick(4); count; --count)
            frame[12 + pick(headers - 12)] = static_cast<std::uint8_t>(pick(256));
        frame.resize(std::max(frame.size(), Datapath::shortest_frame(GetParam(), frame)));
    }

    template <class Read>
    static auto try_to(Read read_it, const Frame& frame) -> std::optional<decltype(read_it(frame))> {
        try {
            return read_it(frame);
        } catch (const std::runtime_error&) {
            return std::nullopt;
        }
    }
    static std::optional<Reading> try_read(const Frame& frame) {
        return try_to([](const Frame& f) { return read(f); }, frame);
    }
    static std::optional<Message> try_read_icmp(const Frame& frame) {
        return try_to([](const Frame& f) { return read_icmp(f); }, frame);
    }

    // Returns the offset behind the checksum, from which nothing may change.
    static std::size_t fixed_from(const Reading& reading) {
        constexpr std::size_t udp_end = 8, tcp_end = 18, sctp_end = 12;
        std::uint8_t protocol = reading.tuple.protocol;
        return reading.l4_offset + (protocol == IPPROTO_TCP ? tcp_end : protocol == IPPROTO_SCTP ? sctp_end : udp_end);
    }
    static bool same_from(std::size_t offset, const Frame& a, const Frame& b) {
        auto at = static_cast<std::ptrdiff_t>(offset);
        return a.size() == b.size() && std::equal(a.begin() + at, a.end(), b.begin() + at);
    }
    static std::uint8_t ttl_of(const Frame& frame) { return frame[frame[12] == 0x08 ? 22 : 21]; }

    // Returns whether the datapath sent the packet back as an answer.
    static bool is_answer(const Frame& frame, const Outcome& out) {
        return std::equal(out.frame.begin(), out.frame.begin() + 6, frame.begin() + 6) &&
               std::equal(out.frame.begin() + 6, out.frame.begin() + 12, frame.begin());
    }

    void check_translated(const Frame& frame, const Outcome& out, bool finished) {
        ASSERT_EQ(ttl_of(out.frame), ttl_of(frame) - finished);
        if (auto before = try_read(frame)) {
            auto after = try_read(out.frame);
            ASSERT_TRUE(after);
            ASSERT_EQ(static_cast<bool>(checksums_right(out.frame)), static_cast<bool>(checksums_right(frame)));
            ASSERT_TRUE(same_from(fixed_from(*before), frame, out.frame));
            ASSERT_EQ(before->tcp_flags, after->tcp_flags);
            if (translated.size() == 256) translated.pop_front();
            if (checksums_right(out.frame)) translated.push_back(out.frame);
        } else if (auto message = try_read_icmp(frame)) {
            auto after = try_read_icmp(out.frame);
            ASSERT_TRUE(after);
            ASSERT_EQ(static_cast<bool>(checksums_right(out.frame)), static_cast<bool>(checksums_right(frame)))
                << checksums_right(out.frame).message() << checksums_right(frame).message();
            ASSERT_EQ(std::tuple(message->type, message->code, message->rest, message->body.size()),
                      std::tuple(after->type, after->code, after->rest, after->body.size()));
            ++errors;
        } else {
            // It must be a fragment: behind the IP header only ports and checksum may change, and only in the first.
            bool v4 = frame[12] == 0x08;
            ASSERT_TRUE(!v4 || ((frame[20] & 0x3f) | frame[21])) << "neither readable nor a fragment";
            ASSERT_EQ(frame.size(), out.frame.size());
            int differ = 0;
            for (std::size_t i = v4 ? 14 + frame[14] % 16u * 4 : 54; i < frame.size(); ++i)
                differ += frame[i] != out.frame[i];
            ASSERT_LE(differ, v4 && ((frame[20] & 0x1f) | frame[21]) ? 0 : 8);
            ++fragments;
        }
    }

    void check_answer(const Frame& frame, const Outcome& out) {
        // An echo of a damaged ping or a quotation of a damaged packet keeps the wrong checksum.
        bool right = false;
        try {
            right = static_cast<bool>(checksums_right(frame));
        } catch (const std::runtime_error&) {
        }
        ASSERT_TRUE(try_read(out.frame) || try_read_icmp(out.frame));
        if (right) {
            auto result = checksums_right(out.frame);
            ASSERT_TRUE(result);
        }
        ++answers;
    }

    std::deque<Frame> translated;
    std::uint64_t errors = 0, fragments = 0, answers = 0;
    std::mt19937_64 engine_{20240607};
    World world{{4, IPPROTO_TCP, Hook::UplinkIngress}, {}};
};

TEST_P(Random, PacketsComeOutRightOrAsTheyWere) {
    Hook hook = GetParam();
    int pass = hook == Hook::Xdp ? xdp_pass : tc_unspec, drop = hook == Hook::Xdp ? xdp_drop : tc_shot;
    std::uint64_t octets = 0, changed = 0, dropped = 0, readable = 0;
    for (int i = 0; i < packets; ++i) {
        SCOPED_TRACE(i);
        Frame frame = random_frame();
        if (chance(25)) damage(frame);
        octets += frame.size();
        // Flows are made at ingress; egress sees their replies. Other hooks make flows of other kinds.
        Hook at = hook == Hook::Egress && chance(50) ? Hook::WorkloadIngress : hook;
        Outcome out = world.datapath.run_uncounted(at, frame, world.devices.uplink);
        dropped += out.action == drop;
        readable += try_read(frame).has_value();
        if (out.frame == frame) continue;
        ++changed;
        ASSERT_NE(out.action, drop) << "the datapath changed a packet and dropped it";
        if (is_answer(frame, out))
            check_answer(frame, out);
        else
            check_translated(frame, out, out.action != pass);
        if (HasFatalFailure()) return;
    }
    VerdictCounts counts = world.datapath.verdicts();
    std::uint64_t counted = 0, counted_octets = 0, counted_drops = 0, counted_rewrites = 0, counted_answers = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counted += counts[i].packets;
        counted_octets += counts[i].octets;
        auto verdict = static_cast<abi::verdict>(i);
        if (abi::verdict_is_dropped(verdict)) counted_drops += counts[i].packets;
        if (abi::verdict_is_answered(verdict)) counted_answers += counts[i].packets;
        if (abi::verdict_is_rewritten(verdict)) counted_rewrites += counts[i].packets;
    }
    EXPECT_EQ(counted, static_cast<std::uint64_t>(packets));
    EXPECT_EQ(counted_octets, octets);
    EXPECT_EQ(counted_drops, dropped);
    EXPECT_EQ(counted_answers, answers);
    EXPECT_EQ(counted_rewrites, changed - answers);
    // Enough packets must reach the code under test.
    EXPECT_GT(readable, static_cast<std::uint64_t>(packets) / 2);
    // A workload sends no errors about its own packets; the egress case covers errors about replies.
    if (hook != Hook::WorkloadIngress) {
        EXPECT_GT(errors, static_cast<std::uint64_t>(packets) / 200);
    }
    EXPECT_GT(fragments, static_cast<std::uint64_t>(packets) / 100);
    EXPECT_GT(answers, static_cast<std::uint64_t>(packets) / 1000);
    EXPECT_LT(readable, static_cast<std::uint64_t>(packets));
    EXPECT_GT(changed, static_cast<std::uint64_t>(packets) / 10);
    EXPECT_EQ(counts[abi::VERDICT_DROP_TABLE].packets, 0u);
    EXPECT_EQ(counts[abi::VERDICT_DROP_STALE_BACKEND].packets, 0u);
}

INSTANTIATE_TEST_SUITE_P(, Random, testing::Values(Hook::Xdp, Hook::UplinkIngress, Hook::WorkloadIngress, Hook::Egress),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace weir::test
