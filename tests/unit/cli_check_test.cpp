// SPDX-License-Identifier: Apache-2.0
// The report of `weir check` for given facts about a host, and whether weir can run there.
#include "loader/cli/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace weir::cli {
namespace {

using State = Finding::State;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

HostFacts healthy() {
    HostFacts facts;
    facts.kernel_release = "6.12.9-amd64";
    facts.capabilities = ~std::uint64_t{0};
    facts.btf = true;
    facts.jit = 1;
    facts.cgroup = datapath::Cgroup{.path = "/sys/fs/cgroup"};
    facts.tcx = datapath::Answer::yes;
    facts.forwarding4 = 1;
    facts.forwarding6 = 1;
    facts.local_ports.range = net::PortRange{32768, 60999};
    facts.memory = 16ull << 30;
    facts.memory_needed = 512ull << 20;
    facts.uplinks = {{.name = "eth0", .kind = "", .xdp = datapath::Answer::yes, .rp_filter = 0}};
    return facts;
}

std::vector<Finding> judged(const HostFacts& facts) {
    return judge(facts, config::default_config());
}

Finding finding(const std::vector<Finding>& findings, const std::string& name) {
    auto found = std::ranges::find(findings, name, &Finding::name);
    return found == findings.end() ? Finding{} : *found;
}

TEST(Check, AHealthyHostHasNothingToDo) {
    auto findings = judged(healthy());
    EXPECT_TRUE(can_run(findings));
    for (const auto& finding : findings) {
        EXPECT_EQ(finding.state, State::ok) << finding.name << ": " << finding.detail;
        EXPECT_THAT(finding.remedy, IsEmpty());
        EXPECT_THAT(finding.detail, Not(IsEmpty()));
    }
}

TEST(Check, KernelVersions) {
    auto state = [](const std::string& release) {
        auto facts = healthy();
        facts.kernel_release = release;
        return finding(judged(facts), "kernel").state;
    };
    EXPECT_EQ(state("6.1.0-13-amd64"), State::ok);
    EXPECT_EQ(state("10.0"), State::ok);
    EXPECT_EQ(state("5.15.0"), State::missing);
    EXPECT_EQ(state("6.0.9"), State::missing);
    EXPECT_EQ(state(""), State::missing);
}

TEST(Check, SaysWhichRightsAreMissing) {
    auto facts = healthy();
    facts.capabilities = 0;
    auto rights = finding(judged(facts), "rights");
    EXPECT_EQ(rights.state, State::missing);
    EXPECT_THAT(rights.detail, HasSubstr("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"));
    facts.capabilities = 1ull << 21;  // CAP_SYS_ADMIN
    EXPECT_THAT(finding(judged(facts), "rights").detail, HasSubstr("lacks CAP_NET_ADMIN"));
    facts.capabilities = 1ull << 12 | 1ull << 38 | 1ull << 39;  // CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF
    EXPECT_EQ(finding(judged(facts), "rights").state, State::ok);
}

TEST(Check, ABpffsCanBeMountedWithTheRightToDoSo) {
    auto facts = healthy();
    facts.bpffs = datapath::BpffsState::mountable;
    EXPECT_EQ(finding(judged(facts), "bpffs").state, State::note);
    facts.capabilities = 0;
    EXPECT_EQ(finding(judged(facts), "bpffs").state, State::missing);
    facts = healthy();
    facts.bpffs = datapath::BpffsState::elsewhere;
    EXPECT_EQ(finding(judged(facts), "bpffs").state, State::missing);
}

TEST(Check, WithoutTcxClsactServesUnlessTcxIsAsked) {
    auto facts = healthy();
    facts.tcx = datapath::Answer::no;
    EXPECT_EQ(finding(judged(facts), "tcx").state, State::ok);
    auto config = config::default_config();
    config.datapath.tc = datapath::TcMode::tcx;
    EXPECT_EQ(finding(judge(facts, config), "tcx").state, State::missing);
}

TEST(Check, SnatPortsThatTheNodeUsesToo) {
    auto facts = healthy();
    facts.local_ports.range = net::PortRange{29900, 60999};
    auto found = finding(judged(facts), "snat-ports");
    EXPECT_EQ(found.state, State::note);
    EXPECT_THAT(found.detail, HasSubstr("100 of 10000-29999"));
    facts.local_ports.reserved = {{8080, 8080}, {29900, 29999}};
    EXPECT_EQ(finding(judged(facts), "snat-ports").state, State::ok);
    facts.local_ports.reserved = {{29950, 29999}};
    EXPECT_THAT(finding(judged(facts), "snat-ports").detail, HasSubstr("50 of"));
}

TEST(Check, MemoryForTheMaps) {
    auto facts = healthy();
    facts.memory = 1ull << 30;
    EXPECT_EQ(finding(judged(facts), "memory").state, State::note);
    facts.memory = 256ull << 20;
    EXPECT_EQ(finding(judged(facts), "memory").state, State::missing);
}

TEST(Check, NotesComeWithARemedyAndStopNothing) {
    auto facts = healthy();
    facts.btf = false;
    facts.jit = 0;
    facts.cgroup = std::unexpected("no cgroup v2 hierarchy is mounted; mount one");
    facts.forwarding4 = 0;
    facts.forwarding6 = 0;
    facts.uplinks[0].rp_filter = 1;
    facts.missing_uplinks = {"eth9"};
    auto findings = judged(facts);
    EXPECT_TRUE(can_run(findings));
    EXPECT_EQ(std::ranges::count(findings, State::note, &Finding::state), 7);
    for (const auto& finding : findings) EXPECT_EQ(finding.remedy.empty(), finding.state == State::ok) << finding.name;
}

TEST(Check, NativeXdpThatTheDriverLacks) {
    auto facts = healthy();
    facts.uplinks[0].xdp = datapath::Answer::no;
    auto config = config::default_config();
    EXPECT_THAT(finding(judge(facts, config), "xdp").detail, HasSubstr("through tc"));
    config.datapath.xdp = datapath::XdpMode::native;
    EXPECT_EQ(finding(judge(facts, config), "xdp").state, State::note);
    config.datapath.xdp = datapath::XdpMode::off;
    EXPECT_EQ(finding(judge(facts, config), "xdp").name, "");
}

TEST(Check, TableIsOneLineEach) {
    EXPECT_EQ(check_table({{"kernel", State::ok, "Linux 6.1", ""}, {"bpffs", State::missing, "none", "mount one"}}),
              "STATE    WHAT    FOUND\n"
              "ok       kernel  Linux 6.1\n"
              "missing  bpffs   none; mount one\n");
}

TEST(Check, MapsAndWhatTheyTakeTogether) {
    EXPECT_EQ(map_table({{"slots", 1024, 65536, "datapath.maps.slots"}, {"runtime", 1, 1 << 20, ""}}),
              "MAP       SIZE  MEMORY WHEN FULL  SET BY\n"
              "slots     1024  0.1 MiB           datapath.maps.slots\n"
              "runtime   1     1.0 MiB\n"
              "all maps        1.1 MiB\n");
}

TEST(Check, Json) {
    EXPECT_EQ(
        boost::json::serialize(check_json({{"bpffs", State::missing, "none", "mount one"}},
                                          {{"slots", 1024, 65536, "datapath.maps.slots"}, {"runtime", 1, 32, ""}})),
        R"({"canRun":false,"findings":[{"name":"bpffs","state":"missing","detail":"none","remedy":"mount one"}],)"
        R"("maps":{"slots":{"size":1024,"memory":65536,"key":"datapath.maps.slots"},)"
        R"("runtime":{"size":1,"memory":32,"key":""}},"mapMemory":65568})");
}

TEST(Check, ACgroupThatIsNotTheRoot) {
    auto facts = healthy();
    facts.cgroup->root = false;
    EXPECT_EQ(finding(judged(facts), "cgroup").state, State::note);
}

TEST(Check, UdpSocketsThatCannotBeAborted) {
    auto facts = healthy();
    facts.socket_abort = std::unexpected("no CONFIG_INET_DIAG_DESTROY");
    auto abort = finding(judged(facts), "socket-abort");
    EXPECT_EQ(abort.state, State::note);
    EXPECT_THAT(abort.detail, HasSubstr("CONFIG_INET_DIAG_DESTROY"));
}

TEST(Check, NoSocketHooksAsConfigured) {
    auto facts = healthy();
    facts.cgroup = std::unexpected("none");
    auto config = config::default_config();
    config::set_cgroup(config, "off");
    auto findings = judge(facts, config);
    EXPECT_EQ(finding(findings, "cgroup").state, State::ok);
    EXPECT_EQ(finding(findings, "socket-abort").name, "");
}

}  // namespace
}  // namespace weir::cli
