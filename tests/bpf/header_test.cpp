// SPDX-License-Identifier: Apache-2.0
// Headers off the beaten track: IPv4 options, IPv6 extension headers, UDP's special checksums, Ethernet padding.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Header : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({remote}).frontend(frontend); }

    // Sends the packet forward and back: every checksum must be right, and the way back must restore the packet.
    void translates(const Frame& sent) {
        Outcome there = world.arrive(sent);
        ASSERT_EQ(there.verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(read(there.frame).tuple.destination, remote);
        EXPECT_TRUE(checksums_right(there.frame));
        Outcome back = world.arrive(turned_around(there.frame));
        ASSERT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
        EXPECT_TRUE(checksums_right(back.frame));
        EXPECT_TRUE(equal_but_for_routing(turned_around(back.frame), sent));
    }
};

TEST_P(Header, EthernetPaddingStaysBehindThePacket) {
    Frame sent = world.packet(client, frontend).payload(1).trailer(18).frame();
    std::fill(sent.end() - 18, sent.end(), std::uint8_t{0x5a});
    translates(sent);
}

TEST_P(Header, EveryTtl) {
    for (int ttl : {3, 4, 64, 128, 254, 255}) translates(world.packet(client, frontend).ttl(ttl & 0xff).frame());
}

INSTANTIATE_TEST_SUITE_P(, Header, testing::ValuesIn(each_hook()), case_name);

class HeaderIPv4 : public Header {};

TEST_P(HeaderIPv4, OptionsOfEveryLength) {
    for (std::size_t words = 0; words <= 10; ++words)
        translates(world.packet(client, frontend).ipv4_options(words).frame());
}

INSTANTIATE_TEST_SUITE_P(, HeaderIPv4, testing::ValuesIn(only(each_hook(), is_v4)), case_name);

class HeaderIPv6 : public Header {};

TEST_P(HeaderIPv6, ExtensionHeadersAreSkipped) {
    for (std::uint8_t type : {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS})
        for (std::size_t units : {1, 2, 5}) translates(world.packet(client, frontend).extension(type, units).frame());
}

TEST_P(HeaderIPv6, AChainUpToTheBound) {
    for (int length = 1; length <= 6; ++length) {
        Packet packet = world.packet(client, frontend);
        for (int i = 0; i < length; ++i) packet.extension(i ? IPPROTO_DSTOPTS : IPPROTO_HOPOPTS);
        SCOPED_TRACE(length);
        translates(packet.frame());
    }
}

TEST_P(HeaderIPv6, AChainBeyondTheBoundIsPassed) {
    for (int length : {7, 8, 20}) {
        Packet packet = world.packet(client, frontend);
        for (int i = 0; i < length; ++i) packet.extension(IPPROTO_DSTOPTS);
        Frame sent = packet.frame();
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_PROTOCOL) << length;
        EXPECT_EQ(out.frame, sent) << length;
    }
}

TEST_P(HeaderIPv6, AChainThatLeavesThePacketIsPassed) {
    Frame sent = world.packet(client, frontend).extension(IPPROTO_DSTOPTS).frame();
    for (int length : {8, 100, 255}) {
        sent[14 + 40 + 1] = static_cast<std::uint8_t>(length);
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_MALFORMED) << length;
        EXPECT_EQ(out.frame, sent) << length;
    }
}

INSTANTIATE_TEST_SUITE_P(, HeaderIPv6, testing::ValuesIn(only(each_hook(), is_v6)), case_name);

class UdpChecksum : public Header {};

TEST_P(UdpChecksum, OneThatWouldBecomeZeroBecomesMinusZero) {
    Tuple there = read(world.arrive(world.packet(client, frontend)).frame).tuple;
    // Searches with the builder for a payload whose translated packet has the sum zero.
    std::string payload(2, '\0');
    for (int word = 0; word < 65536; ++word) {
        payload = {static_cast<char>(word >> 8), static_cast<char>(word & 0xff)};
        if (read(Packet::of(there).payload(payload).frame()).l4_checksum == 0xffff) break;
    }
    Outcome out = world.arrive(world.packet(client, frontend).payload(payload));
    ASSERT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(out.frame).l4_checksum, 0xffff);
    EXPECT_TRUE(checksums_right(out.frame));
    translates(world.packet(client, frontend).payload(payload).frame());
}

TEST_P(UdpChecksum, EverySumComesOutRight) {
    // Varying one word of the payload takes the checksum through its whole range.
    for (int word = 0; word < 65536; word += 7) {
        Frame sent = world.packet(client, frontend)
                         .payload(std::string{static_cast<char>(word >> 8), static_cast<char>(word & 0xff)})
                         .frame();
        Outcome out = world.datapath.run_uncounted(GetParam().hook, sent, world.devices.uplink);
        ASSERT_TRUE(checksums_right(out.frame)) << word;
        ASSERT_EQ(read(out.frame).tuple.destination, remote);
    }
}

INSTANTIATE_TEST_SUITE_P(, UdpChecksum, testing::ValuesIn(only(each_hook(), is_udp)), case_name);

// RFC 768 lets a datagram go without a checksum; RFC 8200 does not.
class UdpChecksumIPv4 : public Header {};

TEST_P(UdpChecksumIPv4, NoneStaysNone) {
    Frame sent = world.packet(client, frontend).without_checksum().frame();
    Frame there = world.arrive(sent).frame;
    EXPECT_EQ(read(there).l4_checksum, 0);
    EXPECT_TRUE(checksums_right(there));
    Frame back = world.arrive(turned_around(there)).frame;
    EXPECT_EQ(read(back).l4_checksum, 0);
    EXPECT_TRUE(equal_but_for_routing(turned_around(back), sent));
}

INSTANTIATE_TEST_SUITE_P(, UdpChecksumIPv4, testing::ValuesIn(only(only(each_hook(), is_udp), is_v4)), case_name);

}  // namespace
}  // namespace weir::test
