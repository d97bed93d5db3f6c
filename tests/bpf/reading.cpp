// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/reading.hpp"

#include <algorithm>
#include <array>
#include <map>
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

std::uint32_t big32(Octets octets, std::size_t at) {
    return big16(octets, at) << 16 | big16(octets, at + 2);
}

// Computes the CRC of RFC 9260, appendix A, with a table.
std::uint32_t crc32c(Octets octets) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t entry = i;
            for (int bit = 0; bit < 8; ++bit) entry = (entry >> 1) ^ (entry & 1 ? 0x82f63b78 : 0);
            entries[i] = entry;
        }
        return entries;
    }();
    std::uint32_t crc = 0xffffffff;
    for (std::uint8_t octet : octets) crc = (crc >> 8) ^ table[(crc ^ octet) & 0xff];
    return ~crc;
}

// The offsets and lengths within a frame.
struct Layout {
    bool v4 = false;
    std::size_t l4 = 0, end = 0;
    std::uint8_t protocol = 0;
    Octets source, destination;
    bool icmp() const { return v4 ? protocol == IPPROTO_ICMP : protocol == IPPROTO_ICMPV6; }
};

std::size_t l4_header(std::uint8_t protocol) {
    return protocol == IPPROTO_TCP ? 20 : protocol == IPPROTO_SCTP ? 12 : 8;
}

// Throws for a malformed frame. quoted: it may be a first fragment, and needs only 8 octets of its transport header.
Layout layout_of(Octets frame, bool quoted = false) {
    Layout layout;
    std::uint32_t type = big16(frame, 12);
    if (type == 0x0800) {
        if (frame.size() < 34 || frame[14] / 16 != 4) throw std::runtime_error("no IPv4 header");
        if (big16(frame, 20) & (quoted ? 0x1fff : 0x3fff)) throw std::runtime_error("a fragment");
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
               layout.protocol == IPPROTO_DSTOPTS || layout.protocol == IPPROTO_FRAGMENT) {
            std::uint32_t two = big16(frame, layout.l4);
            if (layout.protocol == IPPROTO_FRAGMENT) {
                // An atomic fragment is a whole packet (RFC 6946).
                if (big16(frame, layout.l4 + 2) & (quoted ? 0xfff8 : 0xfff9)) throw std::runtime_error("a fragment");
                two &= 0xff00;
            }
            layout.protocol = static_cast<std::uint8_t>(two / 256);
            layout.l4 += 8 + two % 256 * 8;
        }
    } else {
        throw std::runtime_error("not IP");
    }
    if (layout.protocol != IPPROTO_TCP && layout.protocol != IPPROTO_UDP && layout.protocol != IPPROTO_SCTP &&
        !layout.icmp())
        throw std::runtime_error("a protocol that nobody translates");
    std::size_t minimum = quoted ? 8 : l4_header(layout.protocol);
    if (layout.l4 + minimum > (quoted ? frame.size() : layout.end) || (!quoted && layout.end > frame.size()))
        throw std::runtime_error("lengths do not add up");
    return layout;
}

Layout transport_layout_of(Octets frame) {
    Layout layout = layout_of(frame);
    if (layout.icmp()) throw std::runtime_error("ICMP");
    return layout;
}

abi::address address_of(Octets octets) {
    abi::address result{};
    if (octets.size() == 4) result.bytes[10] = result.bytes[11] = 0xff;
    std::copy(octets.begin(), octets.end(), result.bytes + 16 - octets.size());
    return result;
}

::testing::AssertionResult header_right(Octets frame) {
    std::size_t header = std::size_t{frame[14]} % 16 * 4;
    if (14 + header > frame.size() || ones_sum(frame.subspan(14, header)) != 0xffff)
        return ::testing::AssertionFailure() << "the IPv4 header checksum is wrong";
    return ::testing::AssertionSuccess();
}

::testing::AssertionResult transport_right(Octets frame, const Layout& layout) {
    Octets packet = frame.subspan(layout.l4, layout.end - layout.l4);
    if (layout.protocol == IPPROTO_SCTP) {
        Frame zeroed(packet.begin(), packet.end());
        for (std::size_t i = 8; i < 12; ++i) zeroed.at(i) = 0;
        std::uint32_t crc = crc32c(zeroed);
        for (std::size_t i = 0; i < 4; ++i)
            if (packet[8 + i] != (crc >> 8 * i & 0xff)) return ::testing::AssertionFailure() << "the CRC-32C is wrong";
        return ::testing::AssertionSuccess();
    }
    if (layout.protocol == IPPROTO_UDP && big16(packet, 6) == 0) {
        if (layout.v4) return ::testing::AssertionSuccess() << "UDP without a checksum";
        return ::testing::AssertionFailure() << "UDP over IPv6 has the checksum zero (RFC 8200, 8.1)";
    }
    std::uint32_t pseudo = 0;
    if (layout.protocol != IPPROTO_ICMP)
        pseudo = ones_sum(layout.destination, ones_sum(layout.source)) + layout.protocol +
                 static_cast<std::uint32_t>(packet.size());
    if (ones_sum(packet, pseudo) != 0xffff)
        return ::testing::AssertionFailure() << "the checksum of protocol " << int{layout.protocol} << " is wrong";
    return ::testing::AssertionSuccess();
}

bool is_error(const Layout& layout, std::uint8_t type) {
    return layout.v4 ? type == 3 || type == 11 || type == 12 : type < 128;
}

// Returns the quoted packet with an Ethernet header in front.
Frame quoted_frame(bool v4, Octets quoted) {
    Frame frame(14 + quoted.size());
    std::copy(quoted.begin(), quoted.end(), frame.begin() + 14);
    frame[12] = v4 ? 0x08 : 0x86;
    frame[13] = v4 ? 0x00 : 0xdd;
    return frame;
}

::testing::AssertionResult quotation_right(bool v4, Octets quoted) {
    Frame frame = quoted_frame(v4, quoted);
    if (v4 && frame.size() >= 34)
        if (auto result = header_right(frame); !result) return result << " (quoted)";
    try {
        Layout layout = layout_of(frame);
        // A sender of SCTP does not check the quoted CRC, but ports and tag (RFC 9260, 10).
        if (layout.protocol == IPPROTO_SCTP) return ::testing::AssertionSuccess();
        if (auto result = transport_right(frame, layout); !result) return result << " (quoted)";
    } catch (const std::runtime_error&) {
        // The packet is not quoted whole, or its protocol has no checksum.
    }
    return ::testing::AssertionSuccess();
}

}  // namespace

Reading read(Octets frame) {
    Layout layout = transport_layout_of(frame);
    Reading reading;
    std::copy_n(frame.begin(), 6, reading.destination_mac.begin());
    std::copy_n(frame.begin() + 6, 6, reading.source_mac.begin());
    reading.tuple = {{address_of(layout.source), static_cast<std::uint16_t>(big16(frame, layout.l4))},
                     {address_of(layout.destination), static_cast<std::uint16_t>(big16(frame, layout.l4 + 2))},
                     layout.protocol};
    reading.ttl = frame[layout.v4 ? 22 : 21];
    reading.l4_offset = layout.l4;
    std::size_t header = l4_header(layout.protocol);
    if (layout.protocol == IPPROTO_TCP) {
        reading.tcp_flags = frame[layout.l4 + 13];
        reading.sequence = big32(frame, layout.l4 + 4);
        reading.acknowledgement = big32(frame, layout.l4 + 8);
        reading.l4_checksum = static_cast<std::uint16_t>(big16(frame, layout.l4 + 16));
    } else if (layout.protocol == IPPROTO_UDP) {
        reading.l4_checksum = static_cast<std::uint16_t>(big16(frame, layout.l4 + 6));
    }
    auto payload = frame.subspan(layout.l4 + header, layout.end - layout.l4 - header);
    reading.payload.assign(payload.begin(), payload.end());
    return reading;
}

Message read_icmp(Octets frame) {
    Layout layout = layout_of(frame);
    if (!layout.icmp()) throw std::runtime_error("not ICMP");
    Message message;
    std::copy_n(frame.begin(), 6, message.destination_mac.begin());
    std::copy_n(frame.begin() + 6, 6, message.source_mac.begin());
    message.source = address_of(layout.source);
    message.destination = address_of(layout.destination);
    message.ttl = frame[layout.v4 ? 22 : 21];
    message.type = frame[layout.l4];
    message.code = frame[layout.l4 + 1];
    message.rest = big32(frame, layout.l4 + 4);
    auto body = frame.subspan(layout.l4 + 8, layout.end - layout.l4 - 8);
    message.body.assign(body.begin(), body.end());
    return message;
}

Tuple quoted_tuple(const Message& message) {
    Frame frame = quoted_frame(is_ipv4(message.source), message.body);
    Layout layout = layout_of(frame, true);
    return {{address_of(layout.source), static_cast<std::uint16_t>(big16(frame, layout.l4))},
            {address_of(layout.destination), static_cast<std::uint16_t>(big16(frame, layout.l4 + 2))},
            layout.protocol};
}

::testing::AssertionResult checksums_right(Octets frame) {
    Layout layout = layout_of(frame);
    if (layout.v4)
        if (auto result = header_right(frame); !result) return result;
    auto result = transport_right(frame, layout);
    if (result && layout.icmp() && is_error(layout, frame[layout.l4]))
        return quotation_right(layout.v4, frame.subspan(layout.l4 + 8, layout.end - layout.l4 - 8));
    return result;
}

Frame turned_around(const Frame& frame) {
    Layout layout = transport_layout_of(frame);
    Frame result = frame;
    std::swap_ranges(result.begin(), result.begin() + 6, result.begin() + 6);
    auto source = result.begin() + (layout.source.data() - frame.data());
    auto width = static_cast<std::ptrdiff_t>(layout.source.size());
    std::swap_ranges(source, source + width, source + width);
    auto ports = result.begin() + static_cast<std::ptrdiff_t>(layout.l4);
    std::swap_ranges(ports, ports + 2, ports + 2);
    return result;
}

Frame reassembled(const std::vector<Frame>& fragments) {
    std::map<std::size_t, Frame> parts;
    Frame head;
    std::size_t total = 0;
    for (const Frame& fragment : fragments) {
        bool v4 = big16(fragment, 12) == 0x0800;
        std::ptrdiff_t addresses = v4 ? 26 : 22, payload = v4 ? 34 : 54;
        if (!std::equal(fragment.begin() + addresses, fragment.begin() + payload, fragments[0].begin() + addresses))
            throw std::runtime_error("fragments between different hosts");
        std::size_t header = v4 ? std::size_t{fragment[14]} % 16 * 4 : 40, end = 14 + big16(fragment, v4 ? 16 : 18);
        std::size_t offset, next_at = 20;
        bool more;
        if (v4) {
            if (!header_right(fragment)) throw std::runtime_error("the IPv4 header checksum of a fragment is wrong");
            offset = (big16(fragment, 20) & 0x1fff) * 8;
            more = big16(fragment, 20) & 0x2000;
        } else {
            end += 40;
            while (fragment[next_at] != IPPROTO_FRAGMENT) {
                if (fragment[next_at] != IPPROTO_HOPOPTS && fragment[next_at] != IPPROTO_ROUTING &&
                    fragment[next_at] != IPPROTO_DSTOPTS)
                    throw std::runtime_error("no fragment header");
                next_at = 14 + header;
                header += 8 + fragment.at(14 + header + 1) * 8u;
            }
            offset = big16(fragment, 14 + header + 2) & 0xfff8;
            more = fragment.at(14 + header + 3) & 1;
        }
        std::size_t data = 14 + header + (v4 ? 0 : 8);
        if (end > fragment.size() || data > end) throw std::runtime_error("lengths do not add up");
        if (!more) total = offset + end - data;
        if (offset == 0) {
            head.assign(fragment.begin(), fragment.begin() + static_cast<std::ptrdiff_t>(14 + header));
            if (!v4) head[next_at] = fragment[14 + header];
        }
        parts[offset].assign(fragment.begin() + static_cast<std::ptrdiff_t>(data),
                             fragment.begin() + static_cast<std::ptrdiff_t>(end));
    }
    if (head.empty()) throw std::runtime_error("no first fragment");
    std::size_t header = head.size();
    for (const auto& [offset, part] : parts) {
        if (header + offset != head.size()) throw std::runtime_error("a gap between fragments");
        head.insert(head.end(), part.begin(), part.end());
    }
    if (header + total != head.size()) throw std::runtime_error("no last fragment");
    bool v4 = big16(head, 12) == 0x0800;
    std::size_t length = head.size() - (v4 ? 14 : 54), at = v4 ? 16 : 18;
    head[at] = static_cast<std::uint8_t>(length >> 8);
    head[at + 1] = static_cast<std::uint8_t>(length);
    if (v4) {
        for (std::size_t i : {20, 21, 24, 25}) head.at(i) = 0;
        std::uint32_t check = 0xffff ^ ones_sum(Octets(head).subspan(14, header - 14));
        head[24] = static_cast<std::uint8_t>(check >> 8);
        head[25] = static_cast<std::uint8_t>(check);
    }
    return head;
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
