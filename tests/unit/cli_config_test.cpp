// SPDX-License-Identifier: Apache-2.0
// weir.yaml: what does each form of a key mean, and what is said about those that mean nothing?
#include "loader/cli/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> healthz(const std::string& yaml) {
    auto config = parse_config(yaml, "weir.yaml");
    std::vector<std::string> out;
    for (const auto& address : config.value().healthz_addresses) out.push_back(address.to_string());
    return out;
}

TEST(Config, HealthzAddress) {
    EXPECT_THAT(healthz(""), ElementsAre("0.0.0.0:10256", "[::]:10256"));
    EXPECT_THAT(healthz("healthzAddress: 127.0.0.1:10000"), ElementsAre("127.0.0.1:10000"));
    EXPECT_THAT(healthz("healthzAddress: '[::1]:10000'"), ElementsAre("[::1]:10000"));
    EXPECT_THAT(healthz("healthzAddress: ['10.0.0.1:1', '[fd00::1]:2']"), ElementsAre("10.0.0.1:1", "[fd00::1]:2"));
    EXPECT_THAT(healthz("healthzAddress: off"), IsEmpty());
    EXPECT_THAT(healthz("healthzAddress: \"off\""), IsEmpty());
}

TEST(Config, HealthzAddressThatIsNone) {
    for (const std::string wrong : {"10256", "localhost:10256", "10.0.0.1:0", "10.0.0.1", "::1:80", "{}", "on"}) {
        auto config = parse_config("node: a\nhealthzAddress: \"" + wrong + "\"\n", "weir.yaml");
        ASSERT_FALSE(config) << wrong;
        EXPECT_THAT(config.error(), AllOf(HasSubstr("weir.yaml:2: healthzAddress: "), HasSubstr(wrong)));
    }
    EXPECT_FALSE(parse_config("healthzAddress: {a: b}", "weir.yaml"));
}

}  // namespace
}  // namespace weir::cli
