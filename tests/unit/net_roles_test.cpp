// SPDX-License-Identifier: Apache-2.0
// The roles of interfaces by the rules: uplinks, and those that belong to workloads.
#include "loader/net/roles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/model/abi_address.hpp"
namespace weir::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Link device(unsigned ifindex, std::string name, std::string kind = "") {
    return {.ifindex = ifindex,
            .name = std::move(name),
            .kind = std::move(kind),
            .up = true,
            .ethernet = true,
            .mtu = 1500,
            .addresses = {}};
}

Link pod(unsigned ifindex, std::string name) {
    auto link = device(ifindex, std::move(name), "veth");
    link.peer_elsewhere = true;
    return link;
}

Link part_of(unsigned master, Link link) {
    link.master = master;
    return link;
}

Link without_ethernet(Link link) {
    link.ethernet = false;
    return link;
}

Link down(Link link) {
    link.up = false;
    return link;
}

std::vector<std::string> names(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                               const InterfaceRules& rules, Role wanted) {
    std::vector<std::string> found;
    for (const auto& [link, role] : assign(links, default_routes, rules))
        if (role == wanted) found.push_back(link.name);
    return found;
}

std::vector<std::string> uplinks(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                 const InterfaceRules& rules = {}) {
    return names(links, default_routes, rules, Role::uplink);
}

std::vector<std::string> workloads(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                   const InterfaceRules& rules = {}) {
    return names(links, default_routes, rules, Role::workload);
}

// The interfaces of a node with a routed or bridged pod network and an overlay.
const std::vector<Link> node = {
    without_ethernet(device(1, "lo")), device(2, "eth0"),           device(3, "eth1"), device(4, "flannel.1", "vxlan"),
    device(5, "cni0", "bridge"),       part_of(5, pod(6, "veth6")), pod(7, "cali7"),
};

TEST(Roles, DefaultsAreDefaultRoutesOverlaysAndPods) {
    EXPECT_THAT(uplinks(node, {2}), ElementsAre("eth0", "flannel.1"));
    EXPECT_THAT(workloads(node, {2}), ElementsAre("veth6", "cali7"));
}

TEST(Roles, EveryLinkIsAnsweredInOrder) {
    auto assigned = assign(node, {2}, {});
    ASSERT_EQ(assigned.size(), node.size());
    for (std::size_t i = 0; i < node.size(); ++i) EXPECT_EQ(assigned[i].first, node[i]);
}

TEST(Roles, SeveralDefaultRoutes) {
    EXPECT_THAT(uplinks(node, {2, 3}), ElementsAre("eth0", "eth1", "flannel.1"));
}

TEST(Roles, NoDefaultRoute) {
    EXPECT_THAT(uplinks({device(2, "eth0")}, {}), IsEmpty());
}

// The node is itself a namespace, its eth0 the end of a veth.
TEST(Roles, AVethWithTheDefaultRouteIsAnUplink) {
    std::vector<Link> links = {pod(2, "eth0"), pod(3, "pod1")};
    EXPECT_THAT(uplinks(links, {2}), ElementsAre("eth0"));
    EXPECT_THAT(workloads(links, {2}), ElementsAre("pod1"));
}

TEST(Roles, AVethWithBothEndsHereIsNoWorkload) {
    EXPECT_THAT(workloads({device(2, "veth0", "veth"), device(3, "veth1", "veth")}, {}), IsEmpty());
}

TEST(Roles, OverlaysThatAreDownAreLeftOut) {
    EXPECT_THAT(uplinks({device(2, "geneve0", "geneve"), down(device(3, "gretap0", "gretap"))}, {}),
                ElementsAre("geneve0"));
}

TEST(Roles, AListReplacesItsDefaultOnly) {
    EXPECT_THAT(uplinks(node, {2}, {.uplinks = {"eth1"}, .workloads = {}}), ElementsAre("eth1"));
    EXPECT_THAT(workloads(node, {2}, {.uplinks = {"eth1"}, .workloads = {}}), ElementsAre("veth6", "cali7"));
    EXPECT_THAT(workloads(node, {2}, {.uplinks = {}, .workloads = {"cali*", "lxc*"}}), ElementsAre("cali7"));
    EXPECT_THAT(uplinks(node, {2}, {.uplinks = {}, .workloads = {"cali*", "lxc*"}}), ElementsAre("eth0", "flannel.1"));
}

TEST(Roles, ANamedUplinkWinsOverAWorkloadGlob) {
    EXPECT_THAT(uplinks(node, {2}, {.uplinks = {"veth6"}, .workloads = {"veth*"}}), ElementsAre("veth6"));
}

TEST(Roles, ANamedWorkloadWinsOverAnUplinkGlobAndADefault) {
    InterfaceRules globs{.uplinks = {"*"}, .workloads = {"cali7"}};
    EXPECT_THAT(workloads(node, {2}, globs), ElementsAre("cali7"));
    EXPECT_THAT(uplinks(node, {2}, globs), ElementsAre("eth0", "eth1", "flannel.1", "veth6"));
    EXPECT_THAT(workloads(node, {2}, {.uplinks = {}, .workloads = {"eth0"}}), ElementsAre("eth0"));
}

TEST(Roles, BetweenGlobsTheUplinkWins) {
    EXPECT_THAT(uplinks(node, {2}, {.uplinks = {"eth?"}, .workloads = {"*"}}), ElementsAre("eth0", "eth1"));
}

TEST(Roles, BondsButNotTheirParts) {
    std::vector<Link> links = {part_of(4, device(2, "eth0")), part_of(4, device(3, "eth1")),
                               device(4, "bond0", "bond")};
    EXPECT_THAT(uplinks(links, {4}), ElementsAre("bond0"));
    EXPECT_THAT(uplinks(links, {4}, {.uplinks = {"eth*", "bond0"}, .workloads = {}}), ElementsAre("bond0"));
    EXPECT_THAT(refused_uplinks(links, {4}, {.uplinks = {"eth0"}, .workloads = {}}),
                ElementsAre(RefusedUplink{"eth0", "part of bond0: name that one"}));
}

TEST(Roles, APortOfABridgeIsAnUplinkIfNamed) {
    std::vector<Link> links = {part_of(3, device(2, "eth0")), device(3, "br0", "bridge")};
    EXPECT_THAT(uplinks(links, {3}), IsEmpty());
    auto refused = refused_uplinks(links, {3}, {});
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].name, "br0");
    EXPECT_THAT(refused[0].reason, HasSubstr("name the port"));
    EXPECT_THAT(uplinks(links, {3}, {.uplinks = {"eth0"}, .workloads = {}}), ElementsAre("eth0"));
}

TEST(Roles, OverlaysWithoutEthernetAreRefusedAloud) {
    std::vector<Link> links = {device(2, "eth0"), without_ethernet(device(3, "tunl0", "ipip")),
                               without_ethernet(down(device(4, "sit0", "sit")))};
    EXPECT_THAT(uplinks(links, {2}), ElementsAre("eth0"));
    auto refused = refused_uplinks(links, {2}, {});
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].name, "tunl0");
    EXPECT_THAT(refused[0].reason, HasSubstr("no Ethernet header"));
}

TEST(Roles, LoopbackIsNeverServed) {
    InterfaceRules rules{.uplinks = {"lo"}, .workloads = {"*"}};
    EXPECT_THAT(uplinks(node, {2}, rules), IsEmpty());
    EXPECT_THAT(workloads(node, {2}, rules), testing::Not(testing::Contains("lo")));
    EXPECT_EQ(refused_uplinks(node, {2}, rules).size(), 1u);
}

TEST(Roles, AGlobLeavesOutSilentlyWhatDoesNotFit) {
    EXPECT_THAT(refused_uplinks(node, {2}, {.uplinks = {"*"}, .workloads = {}}), IsEmpty());
}

TEST(Roles, MissingUplinksAreThoseNamed) {
    EXPECT_THAT(missing_uplinks(node, {.uplinks = {"eth0", "eth9", "ens*", "wan[01]", "eth8"}, .workloads = {"cali9"}}),
                ElementsAre("eth9", "eth8"));
    EXPECT_THAT(missing_uplinks(node, {}), IsEmpty());
}

model::Address address(const std::string& text) {
    return *model::Address::parse(text);
}

TEST(SourceAddresses, TheDevicesOwnFirstOfEachFamily) {
    auto link = device(2, "eth0");
    link.addresses = {address("192.0.2.1"), address("192.0.2.2"), address("2001:db8::1"), address("2001:db8::2")};
    abi::device device{};
    device.flags = abi::DEVICE_UPLINK;
    set_source_addresses(device, link, {address("198.51.100.1"), address("2001:db8:9::1")});
    EXPECT_EQ(device.source4_be, __builtin_bswap32(0xc0000201));
    EXPECT_EQ(model::address_of(device.source6), address("2001:db8::1"));
    EXPECT_EQ(device.flags, abi::DEVICE_UPLINK);
}

TEST(SourceAddresses, TheNodesWhereTheDeviceHasNone) {
    auto link = device(2, "eth0");
    link.addresses = {address("2001:db8::1")};
    abi::device device{};
    set_source_addresses(device, link, {address("2001:db8:9::1"), address("198.51.100.1")});
    EXPECT_EQ(device.source4_be, __builtin_bswap32(0xc6336401));
    EXPECT_EQ(model::address_of(device.source6), address("2001:db8::1"));
}

TEST(SourceAddresses, NoneAtAllIsZero) {
    abi::device device{};
    device.source4_be = 1;
    device.source6.bytes[0] = 1;
    set_source_addresses(device, Link{}, {});
    EXPECT_EQ(device.source4_be, 0u);
    EXPECT_EQ(model::address_of(device.source6), model::Address{});
}

}  // namespace
}  // namespace weir::net
