// SPDX-License-Identifier: Apache-2.0
// Whether ports may be used for SNAT, given the ports that the kernel chooses for the node's own connections.
#include "loader/net/local_ports.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(LocalPorts, Lists) {
    EXPECT_THAT(parse_port_list("\n"), IsEmpty());
    EXPECT_THAT(parse_port_list("8080,9000-9010\n"), ElementsAre(PortRange{8080, 8080}, PortRange{9000, 9010}));
}

struct SnatCase {
    PortRange ports;
    LocalPorts local;
    unsigned shared;  // how many of the ports the kernel may choose too
};

class SnatPorts : public testing::TestWithParam<SnatCase> {};

TEST_P(SnatPorts, AreSafeIfTheNodeChoosesNone) {
    auto advice = judge_snat_ports(GetParam().ports, GetParam().local);
    EXPECT_EQ(advice.safe, GetParam().shared == 0) << advice.detail;
    EXPECT_EQ(advice.remedy.empty(), advice.safe);
    auto ports = GetParam().ports.to_string();
    EXPECT_THAT(advice.detail, HasSubstr(advice.safe ? ports : std::to_string(GetParam().shared) + " of " + ports));
}

INSTANTIATE_TEST_SUITE_P(Apart, SnatPorts,
                         testing::Values(SnatCase{{10000, 29999}, {PortRange{32768, 60999}, {}}, 0},
                                         SnatCase{{61000, 65535}, {PortRange{32768, 60999}, {}}, 0},
                                         SnatCase{{50000, 50000}, {PortRange{50001, 50001}, {}}, 0}));

INSTANTIATE_TEST_SUITE_P(Overlapping, SnatPorts,
                         testing::Values(SnatCase{{10000, 29999}, {PortRange{29900, 60999}, {}}, 100},
                                         SnatCase{{10000, 29999}, {PortRange{1024, 10000}, {}}, 1},
                                         SnatCase{{10000, 29999}, {PortRange{1024, 65535}, {}}, 20000},
                                         SnatCase{{10000, 29999}, {PortRange{20000, 20009}, {}}, 10},
                                         SnatCase{{1, 65535}, {PortRange{65535, 65535}, {}}, 1}));

INSTANTIATE_TEST_SUITE_P(
    Reserved, SnatPorts,
    testing::Values(SnatCase{{10000, 29999}, {PortRange{29900, 60999}, {{29900, 29999}}}, 0},
                    SnatCase{{10000, 29999}, {PortRange{29900, 60999}, {{29950, 29999}}}, 50},
                    SnatCase{{10000, 29999}, {PortRange{29900, 60999}, {{8080, 8080}}}, 100},
                    SnatCase{{10000, 29999}, {PortRange{1024, 60999}, {{10000, 19999}, {20000, 29999}}}, 0}));

TEST(SnatPortsUnknown, AreNotCalledSafe) {
    EXPECT_FALSE(judge_snat_ports({10000, 29999}, {}).safe);
}

}  // namespace
}  // namespace weir::net
