// SPDX-License-Identifier: Apache-2.0
// Is a frame the answer that a question has to get? Every checksum is recomputed, every field compared.
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
