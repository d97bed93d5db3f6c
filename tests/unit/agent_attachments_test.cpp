// SPDX-License-Identifier: Apache-2.0
// Given these interfaces: where the agent attaches and detaches programs, and what it logs.
#include "loader/agent/attachments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent_log.hpp"
#include "tests/unit/plan_fixture.hpp"

namespace weir::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Records the calls that it gets.
class FakeHooks : public Hooks {
public:
    std::expected<datapath::Attached, std::string> attach(const net::Link& link, bool is_uplink,
                                                          std::vector<std::string>& notes) override {
        calls.push_back("attach " + link.name + (is_uplink ? " uplink" : " workload"));
        if (!failure.empty()) return std::unexpected(link.name + ": " + failure);
        if (!note.empty()) notes.push_back(note);
        return datapath::Attached{.ifindex = link.ifindex,
                                  .name = link.name,
                                  .uplink = is_uplink,
                                  .xdp = is_uplink && xdp_failure.empty() ? "native" : "",
                                  .tc = "tcx",
                                  .xdp_xmit = is_uplink,
                                  .failure = is_uplink ? xdp_failure : ""};
    }
    void detach(unsigned ifindex) override { calls.push_back("detach " + std::to_string(ifindex)); }
    void drop_others(const std::vector<unsigned>& in_use) override { kept = in_use; }
    std::expected<datapath::Cgroup, std::string> attach_sockets() override {
        calls.push_back("attach sockets");
        return cgroup;
    }
    void remove_sockets() override { calls.push_back("remove sockets"); }

    std::vector<std::string> take() { return std::exchange(calls, {}); }

    std::vector<std::string> calls;
    std::vector<unsigned> kept;
    std::string failure, xdp_failure, note;
    std::expected<datapath::Cgroup, std::string> cgroup = datapath::Cgroup{.path = "/sys/fs/cgroup"};
};

net::Link device(unsigned ifindex, const std::string& name) {
    return {.ifindex = ifindex, .name = name, .up = true, .ethernet = true, .mtu = 1500, .addresses = {}};
}

net::Link pod(unsigned ifindex, const std::string& name) {
    auto link = device(ifindex, name);
    link.kind = "veth";
    link.peer_elsewhere = true;
    return link;
}

class AttachmentsTest : public testing::Test {
protected:
    Attachments::Outcome attach(std::vector<net::Link> all, std::vector<unsigned> default_routes = {2}) {
        links = {std::move(all), std::move(default_routes)};
        return attachments.attach(links, plan::test::node());
    }
    std::string problems() const { return boost::json::serialize(to_json(attachments.problems(links))); }

    test::Log log;
    std::unique_ptr<FakeHooks> owned = std::make_unique<FakeHooks>();
    FakeHooks* hooks = owned.get();
    Problems told;
    net::InterfaceRules rules;
    net::Links links;
    Attachments attachments{std::move(owned), rules, told};
};

TEST_F(AttachmentsTest, AttachesByRoleAndOnce) {
    auto outcome = attach({device(2, "eth0"), pod(3, "veth3"), device(4, "dummy0")});
    EXPECT_THAT(hooks->take(), ElementsAre("attach eth0 uplink", "attach veth3 workload"));
    EXPECT_TRUE(outcome.has_changed);
    EXPECT_EQ(log.take(), "info: eth0: uplink, tcx, XDP native\ninfo: veth3: workload, tcx\n");
    EXPECT_EQ(attachments.count(), 2u);
    EXPECT_THAT(hooks->kept, ElementsAre(2u, 3u));
    EXPECT_EQ(boost::json::serialize(attachments.interfaces()),
              R"([{"name":"eth0","role":"uplink","tc":"tcx","xdp":"native"},)"
              R"({"name":"veth3","role":"workload","tc":"tcx","xdp":"off"}])");
    EXPECT_FALSE(attach({device(2, "eth0"), pod(3, "veth3"), device(4, "dummy0")}).has_changed);
    EXPECT_THAT(hooks->take(), IsEmpty());
}

TEST_F(AttachmentsTest, TellsTheDatapathOfUplinksAlone) {
    auto eth0 = device(2, "eth0");
    eth0.addresses = {plan::test::address("192.0.2.7")};
    auto outcome = attach({eth0, pod(3, "veth3")});
    ASSERT_EQ(outcome.uplinks.size(), 1u);
    const auto& [ifindex, entry] = *outcome.uplinks.begin();
    EXPECT_EQ(ifindex, 2u);
    EXPECT_EQ(entry.flags, abi::DEVICE_UPLINK | abi::DEVICE_XDP_XMIT);
    EXPECT_EQ(entry.source4_be, htonl(0xc0000207));
    eth0.addresses = {plan::test::address("192.0.2.8")};
    auto next = attach({eth0, pod(3, "veth3")});
    EXPECT_EQ(next.uplinks.at(2).source4_be, htonl(0xc0000208)) << "the device gets an address that changes later";
    EXPECT_FALSE(next.has_changed);
}

TEST_F(AttachmentsTest, TakesTheProgramsOffWhereTheRoleHasGone) {
    attach({device(2, "eth0"), pod(3, "veth3")});
    hooks->take();
    log.take();
    EXPECT_TRUE(attach({device(2, "eth0")}).has_changed);
    EXPECT_THAT(hooks->take(), ElementsAre("detach 3"));
    EXPECT_EQ(log.take(), "info: veth3: gone\n");
    EXPECT_THAT(hooks->kept, ElementsAre(2u));
}

TEST_F(AttachmentsTest, AttachesAnewInAnotherRole) {
    attach({device(2, "eth0"), pod(3, "veth3")});
    hooks->take();
    auto outcome = attach({device(2, "eth0"), pod(3, "veth3")}, {2, 3});
    EXPECT_THAT(hooks->take(), ElementsAre("attach veth3 uplink"));
    EXPECT_TRUE(outcome.uplinks.contains(3));
}

TEST_F(AttachmentsTest, TriesWhatFailedAgainAndSaysItOnce) {
    hooks->failure = "no room";
    EXPECT_TRUE(attach({device(2, "eth0")}).uplinks.empty());
    EXPECT_EQ(log.take(), "error: eth0: no room\n");
    EXPECT_EQ(problems(), R"([{"severity":"error","message":"eth0: no room"}])");
    attach({device(2, "eth0")});
    EXPECT_EQ(log.take(), "");
    hooks->failure = "";
    EXPECT_TRUE(attach({device(2, "eth0")}).uplinks.contains(2));
    EXPECT_EQ(problems(), "[]");
}

TEST_F(AttachmentsTest, ForgetsAFailureWithItsInterface) {
    hooks->failure = "no room";
    attach({device(2, "eth0")});
    attach({});
    EXPECT_EQ(problems(), "[]");
}

TEST_F(AttachmentsTest, ServesAnUplinkThatCannotHaveXdp) {
    hooks->xdp_failure = "eth0: cannot attach XDP";
    EXPECT_TRUE(attach({device(2, "eth0")}).uplinks.contains(2));
    EXPECT_EQ(problems(), R"([{"severity":"error","message":"eth0: cannot attach XDP"}])");
    hooks->take();
    attach({device(2, "eth0")});
    EXPECT_THAT(hooks->take(), IsEmpty()) << "the agent does not try XDP again";
}

TEST_F(AttachmentsTest, WarnsOfWhatWasNotDoneAsAsked) {
    hooks->note = "eth0: works through tc";
    attach({device(2, "eth0")});
    EXPECT_THAT(log.take(), HasSubstr("warning: eth0: works through tc\n"));
}

TEST_F(AttachmentsTest, SaysWhichUplinkIsMissingUntilItAppears) {
    rules.uplinks = {"eth7"};
    EXPECT_FALSE(attach({device(2, "eth0")}).has_changed);
    EXPECT_THAT(log.take(), HasSubstr("warning: eth7: no such interface"));
    EXPECT_THAT(problems(),
                HasSubstr(R"("warning","message":"eth7: no such interface; it is attached when it appears")"));
    attach({device(2, "eth0")});
    EXPECT_EQ(log.take(), "") << "it is logged only once";
    EXPECT_TRUE(attach({device(7, "eth7")}).uplinks.contains(7));
    EXPECT_EQ(problems(), "[]");
}

TEST_F(AttachmentsTest, SaysWhichUplinkIsRefused) {
    auto tunnel = device(2, "wg0");
    tunnel.ethernet = false;
    EXPECT_TRUE(attach({tunnel}).has_changed);
    EXPECT_THAT(hooks->take(), IsEmpty());
    EXPECT_THAT(log.take(), HasSubstr("warning: wg0 is left out: "));
    EXPECT_THAT(problems(), HasSubstr(R"("warning","message":"wg0 is left out: )"));
    EXPECT_FALSE(attach({tunnel}).has_changed);
    EXPECT_EQ(log.take(), "") << "it is logged only once";
}

TEST_F(AttachmentsTest, AttachesSocketsToTheRootCgroup) {
    EXPECT_TRUE(attachments.socket_cgroup().is_null());
    attachments.attach_sockets(true, "");
    EXPECT_EQ(attachments.socket_cgroup(), boost::json::value("/sys/fs/cgroup"));
    EXPECT_EQ(problems(), "[]");
}

TEST_F(AttachmentsTest, WarnsWhereOnlySomeProcessesAreServed) {
    hooks->cgroup = datapath::Cgroup{.path = "/sys/fs/cgroup/x", .root = false};
    attachments.attach_sockets(true, "");
    EXPECT_THAT(problems(), HasSubstr("/sys/fs/cgroup/x is not the root cgroup"));
}

TEST_F(AttachmentsTest, DoesNotWarnOfACgroupThatWasChosen) {
    hooks->cgroup = datapath::Cgroup{.path = "/sys/fs/cgroup/x", .root = false};
    attachments.attach_sockets(true, "/sys/fs/cgroup/x");
    EXPECT_EQ(problems(), "[]");
}

TEST_F(AttachmentsTest, SaysWhyProcessesAreNotServed) {
    hooks->cgroup = std::unexpected("no cgroup2 is mounted");
    attachments.attach_sockets(true, "");
    EXPECT_TRUE(attachments.socket_cgroup().is_null());
    EXPECT_EQ(problems(),
              R"([{"severity":"warning","message":"processes on the node reach no services: no cgroup2 is mounted"}])");
}

TEST_F(AttachmentsTest, RemovesSocketHooksThatAreNotWanted) {
    attachments.attach_sockets(false, "");
    EXPECT_THAT(hooks->take(), ElementsAre("remove sockets"));
}

}  // namespace
}  // namespace weir::agent
