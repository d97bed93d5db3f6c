// SPDX-License-Identifier: Apache-2.0
// Checks that a frame is the right answer to a question: recomputes every checksum and compares every field.
#pragma once

#include <gtest/gtest.h>

#include "tests/bpf/packet.hpp"

namespace weir::test {

// RFC 9293, 3.5.2; the question is TCP.
::testing::AssertionResult is_rst_about(const Frame& answer, const Frame& question);

struct IcmpError {
    int type, code;
    std::uint32_t rest = 0;
    static IcmpError port_unreachable(int family);
    static IcmpError time_exceeded(int family);
    static IcmpError too_big(int family, std::uint32_t mtu);
};

// Quotes the question word by word (RFC 792, RFC 4443 section 3), at least 8 octets of its transport header.
::testing::AssertionResult is_error_about(const Frame& answer, const Frame& question, IcmpError error,
                                          const abi::address& from);

}  // namespace weir::test
