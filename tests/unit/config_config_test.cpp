// SPDX-License-Identifier: Apache-2.0
// weir.yaml: the meaning of every form of a key, and the errors about unknown ones.
#include "loader/config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "maps/sizes.hpp"

namespace weir::config {
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

TEST(Config, MapSizes) {
    auto sizes = [](const std::string& maps) {
        return parse_config("datapath: {maps: {" + maps + "}}", "weir.yaml").value().datapath.sizes;
    };
    EXPECT_EQ(sizes("").fragments, 8192u);
    EXPECT_EQ(sizes("").socket_peers, 65536u);
    EXPECT_EQ(sizes("fragments: 1024").fragments, 1024u);
    EXPECT_EQ(sizes("socketPeers: 16777216").socket_peers, 16777216u);
}

TEST(Config, EverySizeOfTheTableHasItsKeyAndItsBounds) {
    for (const auto& setting : maps::size_settings) {
        auto first = setting.key.find('.'), last = setting.key.rfind('.');
        auto group = std::string(setting.key.substr(first + 1, last - first - 1));
        auto parse = [&](std::uint64_t size) {
            auto name = std::string(setting.key.substr(last + 1));
            return parse_config("datapath: {" + group + ": {" + name + ": " + std::to_string(size) + "}}", "weir.yaml");
        };
        EXPECT_FALSE(parse(setting.least - 1)) << setting.key;
        EXPECT_FALSE(parse(std::uint64_t{setting.most} + 1)) << setting.key;
        for (auto size : {setting.least, setting.most}) {
            auto config = parse(size);
            ASSERT_TRUE(config) << setting.key << ": " << config.error();
            EXPECT_EQ(config->datapath.sizes.*setting.value, size) << setting.key;
        }
    }
}

TEST(Config, MapSizesThatAreNone) {
    for (const std::string key : {"fragments", "socketPeers", "affinity"}) {
        for (const std::string wrong : {"1023", "16777217", "many", "-1", "4e3", ""}) {
            auto config = parse_config("datapath:\n  maps:\n    " + key + ": '" + wrong + "'\n", "weir.yaml");
            ASSERT_FALSE(config) << key << wrong;
            EXPECT_EQ(config.error(),
                      "weir.yaml:3: datapath.maps." + key + ": '" + wrong + "' is not a number from 1024 to 16777216");
        }
    }
    auto unknown = parse_config("datapath: {maps: {fragment: 1024}}", "weir.yaml");
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error(), HasSubstr("unknown key 'datapath.maps.fragment'; known here: affinity, backends, "
                                           "fragments, frontends"));
}

}  // namespace
}  // namespace weir::config
