// SPDX-License-Identifier: Apache-2.0
// The addresses of the node, and those of them that serve NodePorts.
#include "loader/config/node_context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> text(const std::vector<model::Address>& addresses) {
    std::vector<std::string> out;
    for (const auto& address : addresses) out.push_back(address.to_string());
    return out;
}

std::vector<model::Address> addresses(const std::vector<std::string>& list) {
    std::vector<model::Address> out;
    for (const auto& item : list) out.push_back(model::Address::parse(item).value());
    return out;
}

Config config() {
    Config config;
    config.node = "node-1";
    return config;
}

model::Cluster cluster(const std::vector<model::Node>& nodes) {
    model::Cluster cluster;
    for (const auto& node : nodes) cluster.apply(model::Upsert{node});
    return cluster;
}

model::Node node(const std::string& name, const std::vector<std::string>& internal,
                 const std::vector<std::string>& external = {}) {
    model::Node node;
    node.name.name = name;
    node.internal_ips = addresses(internal);
    node.external_ips = addresses(external);
    node.zone = "zone-of-" + name;
    return node;
}

// eth0 has the default route.
std::vector<net::Link> links() {
    net::Link eth0{.ifindex = 2, .name = "eth0", .kind = "", .up = true, .ethernet = true, .addresses = {}};
    eth0.addresses = addresses({"192.0.2.1", "2001:db8::1"});
    net::Link eth1{.ifindex = 3, .name = "eth1", .kind = "", .up = true, .ethernet = true, .addresses = {}};
    eth1.addresses = addresses({"198.51.100.1"});
    return {eth1, eth0};
}

TEST(NodeContext, SettingsComeFromTheConfiguration) {
    auto given = config();
    given.service_cidrs = {model::Cidr::parse("10.96.0.0/16").value()};
    given.node_port_min = 31000;
    given.node_port_max = 31999;
    given.external_cluster_ip = true;
    auto context = node_context(given, cluster({}));
    EXPECT_EQ(context.name, "node-1");
    EXPECT_EQ(context.service_cidrs, given.service_cidrs);
    EXPECT_EQ(context.node_port_min, 31000);
    EXPECT_EQ(context.node_port_max, 31999);
    EXPECT_TRUE(context.external_cluster_ip);
    EXPECT_THAT(context.addresses, IsEmpty());
}

TEST(NodeContext, WithoutANodeObjectTheUplinksServeNodePorts) {
    auto context = node_context(config(), cluster({}), links(), {2});
    EXPECT_THAT(text(context.addresses), ElementsAre("198.51.100.1", "192.0.2.1", "2001:db8::1"));
    EXPECT_THAT(text(context.node_port_addresses), ElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST(NodeContext, InternalIpsOfTheNodeObjectServeNodePorts) {
    auto context =
        node_context(config(), cluster({node("node-1", {"203.0.113.1", "192.0.2.1"}, {"203.0.113.9"})}), links(), {2});
    EXPECT_EQ(context.zone, "zone-of-node-1");
    EXPECT_THAT(text(context.addresses),
                ElementsAre("198.51.100.1", "192.0.2.1", "2001:db8::1", "203.0.113.1", "203.0.113.9"));
    EXPECT_THAT(text(context.node_port_addresses), ElementsAre("203.0.113.1", "192.0.2.1"));
}

TEST(NodeContext, ANodeObjectWithoutInternalIpsLeavesItToTheUplinks) {
    auto context = node_context(config(), cluster({node("node-1", {}, {"203.0.113.9"})}), links(), {2});
    EXPECT_THAT(text(context.node_port_addresses), ElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST(NodeContext, NodePortAddressesSelectAmongAll) {
    auto given = config();
    given.node_port_addresses = {model::Cidr::parse("198.51.100.0/24").value(),
                                 model::Cidr::parse("203.0.113.8/29").value()};
    auto context = node_context(given, cluster({node("node-1", {"203.0.113.1"}, {"203.0.113.9"})}), links(), {2});
    EXPECT_THAT(text(context.node_port_addresses), ElementsAre("198.51.100.1", "203.0.113.9"));
}

TEST(NodeContext, OtherNodesAreSorted) {
    auto context = node_context(config(), cluster({node("node-3", {"192.0.2.3"}, {"198.51.100.3"}),
                                                   node("node-1", {"192.0.2.1"}), node("node-2", {"192.0.2.2"})}));
    EXPECT_THAT(text(context.other_nodes), ElementsAre("192.0.2.2", "192.0.2.3", "198.51.100.3"));
}

}  // namespace
}  // namespace weir::config
