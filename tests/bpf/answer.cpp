// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/answer.hpp"

#include <algorithm>
#include <stdexcept>

#include "tests/bpf/reading.hpp"

namespace weir::test {

namespace {

constexpr std::uint8_t answer_ttl = 64;

bool is_v4(const Frame& frame) {
    return frame.at(12) == 0x08;
}

// Checks that both Ethernet addresses are swapped, and every checksum.
::testing::AssertionResult sent_back(const Frame& answer, const Frame& question) {
    if (!std::equal(answer.begin(), answer.begin() + 6, question.begin() + 6) ||
        !std::equal(answer.begin() + 6, answer.begin() + 12, question.begin()))
        return ::testing::AssertionFailure() << "the Ethernet addresses are not turned around";
    return checksums_right(answer);
}

}  // namespace

::testing::AssertionResult is_rst_about(const Frame& answer, const Frame& question) try {
    Reading asked = read(question), reading = read(answer);
    if (auto result = sent_back(answer, question); !result) return result;
    if (!(reading.tuple == asked.tuple.reversed())) return ::testing::AssertionFailure() << "another tuple";
    if (answer.size() != (is_v4(answer) ? 14u + 20 + 20 : 14u + 40 + 20))
        return ::testing::AssertionFailure() << answer.size() << " octets";
    if (reading.ttl != answer_ttl) return ::testing::AssertionFailure() << "TTL " << int{reading.ttl};
    std::uint32_t length = static_cast<std::uint32_t>(asked.payload.size());
    length += (asked.tcp_flags & syn ? 1 : 0) + (asked.tcp_flags & fin ? 1 : 0);
    bool acknowledged = asked.tcp_flags & ack;
    int flags = acknowledged ? rst + 0 : rst | ack;
    std::uint32_t sequence = acknowledged ? asked.acknowledgement : 0;
    std::uint32_t acknowledgement = acknowledged ? 0 : asked.sequence + length;
    if (reading.tcp_flags != flags || reading.sequence != sequence || reading.acknowledgement != acknowledgement)
        return ::testing::AssertionFailure()
               << "flags " << int{reading.tcp_flags} << " SEQ " << reading.sequence << " ACK "
               << reading.acknowledgement << ", not " << flags << " " << sequence << " " << acknowledgement;
    return ::testing::AssertionSuccess();
} catch (const std::runtime_error& error) {
    return ::testing::AssertionFailure() << error.what();
}

IcmpError IcmpError::port_unreachable(int family) {
    return family == 4 ? IcmpError{3, 3} : IcmpError{1, 4};
}

IcmpError IcmpError::time_exceeded(int family) {
    return family == 4 ? IcmpError{11, 0} : IcmpError{3, 0};
}

IcmpError IcmpError::too_big(int family, std::uint32_t mtu) {
    return family == 4 ? IcmpError{3, 4, mtu} : IcmpError{2, 0, mtu};
}

::testing::AssertionResult is_error_about(const Frame& answer, const Frame& question, IcmpError error,
                                          const abi::address& from) try {
    Message message = read_icmp(answer);
    if (auto result = sent_back(answer, question); !result) return result;
    if (message.type != error.type || message.code != error.code || message.rest != error.rest)
        return ::testing::AssertionFailure()
               << "type " << int{message.type} << " code " << int{message.code} << " rest " << message.rest;
    if (message.ttl != answer_ttl) return ::testing::AssertionFailure() << "TTL " << int{message.ttl};
    if (!(message.source == from)) return ::testing::AssertionFailure() << "from " << to_string(message.source);
    abi::address asker{};
    if (is_v4(question)) {
        asker.bytes[10] = asker.bytes[11] = 0xff;
        std::copy_n(question.begin() + 26, 4, asker.bytes + 12);
    } else {
        std::copy_n(question.begin() + 22, 16, asker.bytes);
    }
    if (!(message.destination == asker))
        return ::testing::AssertionFailure() << "to " << to_string(message.destination);

    std::size_t headers = is_v4(answer) ? 14 + 20 + 8 : 14 + 40 + 8;
    if (answer.size() != headers + message.body.size()) return ::testing::AssertionFailure() << "octets behind its end";
    std::size_t said =
        is_v4(question) ? question.at(16) * 256u + question.at(17) : 40u + question.at(18) * 256u + question.at(19);
    if (message.body.size() > said || !std::equal(message.body.begin(), message.body.end(), question.begin() + 14))
        return ::testing::AssertionFailure() << "does not quote the question";
    quoted_tuple(message);
    return ::testing::AssertionSuccess();
} catch (const std::runtime_error& error_of_reading) {
    return ::testing::AssertionFailure() << error_of_reading.what();
}

}  // namespace weir::test
