// SPDX-License-Identifier: Apache-2.0
// The arguments of `weir explain`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/cli/explain_arguments.hpp"

namespace weir::cli {
namespace {

using model::Address;
using model::Protocol;
using testing::HasSubstr;

std::string refusal(std::string_view source, std::string_view destination) {
    auto parsed = parse_question(source, destination);
    return parsed ? "" : parsed.error();
}

TEST(ExplainArguments, TcpAndAFixedSourcePortUnlessNamed) {
    auto question = parse_question("10.0.0.5", "10.96.0.1:443");
    ASSERT_TRUE(question.has_value());
    EXPECT_EQ(question->protocol, Protocol::tcp);
    EXPECT_EQ(question->source, Address::parse("10.0.0.5"));
    EXPECT_EQ(question->source_port, default_source_port);
    EXPECT_EQ(question->destination, Address::parse("10.96.0.1"));
    EXPECT_EQ(question->destination_port, 443);
}

TEST(ExplainArguments, SourcePortAndProtocol) {
    auto question = parse_question("10.0.0.5:1234", "10.96.0.1:53/udp");
    ASSERT_TRUE(question.has_value());
    EXPECT_EQ(question->source_port, 1234);
    EXPECT_EQ(question->protocol, Protocol::udp);
    EXPECT_EQ(parse_question("10.0.0.5", "10.96.0.1:53/SCTP")->protocol, Protocol::sctp);
}

TEST(ExplainArguments, Ipv6InBracketsWhereThereIsAPort) {
    auto question = parse_question("fd00::5", "[fd00:96::1]:53/tcp");
    ASSERT_TRUE(question.has_value());
    EXPECT_EQ(question->source, Address::parse("fd00::5"));
    EXPECT_EQ(question->source_port, default_source_port);
    EXPECT_EQ(question->destination, Address::parse("fd00:96::1"));
    EXPECT_EQ(parse_question("[fd00::5]:7", "[fd00:96::1]:53")->source_port, 7);
    EXPECT_EQ(parse_question("[fd00::5]", "[fd00:96::1]:53")->source_port, default_source_port);
}

TEST(ExplainArguments, WhatIsNoQuestionIsRefusedWithAnExample) {
    EXPECT_THAT(refusal("10.0.0.5", "10.96.0.1"), HasSubstr("is not DST:PORT"));
    EXPECT_THAT(refusal("10.0.0.5", "10.96.0.1:0"), HasSubstr("is not DST:PORT"));
    EXPECT_THAT(refusal("10.0.0.5", "10.96.0.1:65536"), HasSubstr("is not DST:PORT"));
    EXPECT_THAT(refusal("10.0.0.5", "[fd00::1:80"), HasSubstr("is not DST:PORT"));
    EXPECT_THAT(refusal("10.0.0.5", "10.96.0.1:80/icmp"), HasSubstr("one of tcp, udp, sctp"));
    EXPECT_THAT(refusal("host", "10.96.0.1:80"), HasSubstr("is not SRC[:PORT]"));
    EXPECT_THAT(refusal("10.0.0.5:", "10.96.0.1:80"), HasSubstr("is not SRC[:PORT]"));
    EXPECT_THAT(refusal("10.0.0.5", "[fd00::1]:80"), HasSubstr("different families"));
}

TEST(ExplainArguments, Via) {
    EXPECT_EQ(parse_via("workload"), explain::Via::workload);
    EXPECT_EQ(parse_via("pod"), std::nullopt);
}

}  // namespace
}  // namespace weir::cli
