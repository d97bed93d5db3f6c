// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/reading.hpp"

#include <algorithm>
#include <stdexcept>

namespace weir::test {

namespace {

using Octets = std::span<const std::uint8_t>;

std::uint32_t big16(Octets octets, std::size_t at) {
    if (at + 2 > octets.size()) throw std::runtime_error("truncated");
    return static_cast<std::uint32_t>(octets[at] * 256 + octets[at + 1]);
}

std::uint32_t ones_sum(Octets octets, std::uint32_t start = 0) {
    std::uint32_t sum = start;
    for (std::size_t i = 0; i < octets.size(); i += 2) {
        sum += octets[i] * 256u + (i + 1 < octets.size() ? octets[i + 1] : 0u);
        sum = sum % 65536 + sum / 65536;
    }
    return sum;
}

// Where things are; filled before anything is judged.
struct Layout {
    bool v4 = false;
    std::size_t l4 = 0, end = 0;
    std::uint8_t protocol = 0;
    Octets source, destination;
};

Layout layout_of(Octets frame) {
    Layout layout;
    std::uint32_t type = big16(frame, 12);
    if (type == 0x0800) {
        if (frame.size() < 34 || frame[14] / 16 != 4) throw std::runtime_error("no IPv4 header");
        if (big16(frame, 20) & 0x3fff) throw std::runtime_error("a fragment");
        layout.v4 = true;
        layout.l4 = 14 + frame[14] % 16 * 4u;
        layout.end = 14 + big16(frame, 16);
        layout.protocol = frame[23];
        layout.source = frame.subspan(26, 4);
        layout.destination = frame.subspan(30, 4);
    } else if (type == 0x86dd) {
        if (frame.size() < 54 || frame[14] / 16 != 6) throw std::runtime_error("no IPv6 header");
        layout.l4 = 54;
        layout.end = 54 + big16(frame, 18);
        layout.protocol = frame[20];
        layout.source = frame.subspan(22, 16);
        layout.destination = frame.subspan(38, 16);
        while (layout.protocol == IPPROTO_HOPOPTS || layout.protocol == IPPROTO_ROUTING ||
               layout.protocol == IPPROTO_DSTOPTS) {
            std::uint32_t two = big16(frame, layout.l4);
            layout.protocol = static_cast<std::uint8_t>(two / 256);
            layout.l4 += 8 + two % 256 * 8;
        }
    } else {
        throw std::runtime_error("not IP");
    }
    std::size_t minimum = layout.protocol == IPPROTO_TCP ? 20 : 8;
    if (layout.protocol != IPPROTO_TCP && layout.protocol != IPPROTO_UDP)
        throw std::runtime_error("neither TCP nor UDP");
    if (layout.l4 + minimum > layout.end || layout.end > frame.size())
        throw std::runtime_error("lengths do not add up");
    return layout;
}

abi::address address_of(Octets octets) {
    abi::address result{};
    if (octets.size() == 4) result.bytes[10] = result.bytes[11] = 0xff;
    std::copy(octets.begin(), octets.end(), result.bytes + 16 - octets.size());
    return result;
}

}  // namespace

Reading read(Octets frame) {
    Layout layout = layout_of(frame);
    Reading reading;
    std::copy_n(frame.begin(), 6, reading.destination_mac.begin());
    std::copy_n(frame.begin() + 6, 6, reading.source_mac.begin());
    reading.tuple = {{address_of(layout.source), static_cast<std::uint16_t>(big16(frame, layout.l4))},
                     {address_of(layout.destination), static_cast<std::uint16_t>(big16(frame, layout.l4 + 2))},
                     layout.protocol};
    reading.ttl = frame[layout.v4 ? 22 : 21];
    reading.l4_offset = layout.l4;
    bool tcp = layout.protocol == IPPROTO_TCP;
    if (tcp) reading.tcp_flags = frame[layout.l4 + 13];
    reading.l4_checksum = static_cast<std::uint16_t>(big16(frame, layout.l4 + (tcp ? 16 : 6)));
    auto payload = frame.subspan(layout.l4 + (tcp ? 20 : 8), layout.end - layout.l4 - (tcp ? 20 : 8));
    reading.payload.assign(payload.begin(), payload.end());
    return reading;
}

::testing::AssertionResult checksums_right(Octets frame) {
    Layout layout = layout_of(frame);
    if (layout.v4) {
        std::size_t header = std::size_t{frame[14]} % 16 * 4;
        if (ones_sum(frame.subspan(14, header)) != 0xffff)
            return ::testing::AssertionFailure() << "the IPv4 header checksum is wrong";
    }
    bool udp = layout.protocol == IPPROTO_UDP;
    if (udp && big16(frame, layout.l4 + 6) == 0) {
        if (layout.v4) return ::testing::AssertionSuccess() << "UDP without a checksum";
        return ::testing::AssertionFailure() << "UDP over IPv6 has the checksum zero (RFC 8200, 8.1)";
    }
    std::size_t length = layout.end - layout.l4;
    std::uint32_t pseudo =
        ones_sum(layout.destination, ones_sum(layout.source)) + layout.protocol + static_cast<std::uint32_t>(length);
    if (ones_sum(frame.subspan(layout.l4, length), pseudo) != 0xffff)
        return ::testing::AssertionFailure() << "the " << (udp ? "UDP" : "TCP") << " checksum is wrong";
    return ::testing::AssertionSuccess();
}

Frame turned_around(const Frame& frame) {
    Layout layout = layout_of(frame);
    Frame result = frame;
    std::swap_ranges(result.begin(), result.begin() + 6, result.begin() + 6);
    auto source = result.begin() + (layout.source.data() - frame.data());
    auto width = static_cast<std::ptrdiff_t>(layout.source.size());
    std::swap_ranges(source, source + width, source + width);
    auto ports = result.begin() + static_cast<std::ptrdiff_t>(layout.l4);
    std::swap_ranges(ports, ports + 2, ports + 2);
    return result;
}

::testing::AssertionResult equal_but_for_routing(const Frame& a, const Frame& b) {
    if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
    bool v4 = big16(a, 12) == 0x0800;
    for (std::size_t i = 12; i < a.size(); ++i) {
        bool routed = v4 ? i == 22 || i == 24 || i == 25 : i == 21;
        if (!routed && a[i] != b[i]) return ::testing::AssertionFailure() << "octet " << i << " differs";
    }
    return ::testing::AssertionSuccess();
}

}  // namespace weir::test
