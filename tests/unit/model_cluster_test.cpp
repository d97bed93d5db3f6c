// SPDX-License-Identifier: Apache-2.0
// The Cluster returns objects as they went in, although it keeps them packed.
#include "loader/model/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/model/pool.hpp"
#include "tests/unit/decode_describe.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Address ip(std::uint32_t last) {
    return Address::from_ipv4(0x0a000000 + last);
}

Service service(const std::string& name, Labels selector = {}) {
    Service out;
    out.name = {"ns", name};
    out.origin = {"f.yaml", 7};
    out.ports = {{.name = "http", .port = 80, .target_port = std::uint16_t{8080}}};
    out.selector = std::move(selector);
    return out;
}

EndpointSlice slice(const std::string& name, const std::string& of, std::uint32_t last) {
    EndpointSlice out;
    out.name = {"ns", name};
    out.origin = {"f.yaml", 3};
    out.service = of;
    out.endpoints.push_back({.addresses = {ip(last)}, .node_name = "n1"});
    out.ports.push_back({.name = "http", .port = std::uint16_t{8080}});
    return out;
}

EndpointSlice rich() {
    auto out = slice("rich", "web", 1);
    out.endpoints.push_back({.addresses = {ip(2), ip(3)}, .for_zones = {"a", "b"}, .for_nodes = {"n2"}});
    out.endpoints.push_back({.addresses = {ip(4)}, .ready = false, .serving = false, .node_name = "n1"});
    out.endpoints.push_back({.addresses = {ip(5)}, .ready = false, .terminating = true, .node_name = "n1"});
    out.endpoints.push_back({.addresses = {}, .node_name = "n3"});
    out.ports.push_back({.name = "", .protocol = Protocol::udp, .port = std::nullopt});
    return out;
}

std::vector<std::string> names(const std::vector<EndpointSlice>& slices) {
    std::vector<std::string> out;
    for (const auto& one : slices) out.push_back(one.name.name);
    return out;
}

class ClusterTest : public testing::Test {
protected:
    void put(Service object) { cluster_.apply(Upsert{std::move(object)}); }
    void put(EndpointSlice object) { cluster_.apply(Upsert{std::vector{std::move(object)}}); }
    void put_endpoints(const std::string& name, std::uint32_t count) {
        std::vector<EndpointSlice> slices;
        for (std::uint32_t i = 0; i < count; ++i) {
            slices.push_back(slice(i == 0 ? name : fmt::format("{}#{}", name, i), name, i));
            slices.back().from_endpoints = true;
        }
        cluster_.apply(Upsert{std::move(slices)});
    }
    void remove(Kind kind, const std::string& name) { cluster_.apply(Remove{kind, {"ns", name}}); }
    std::vector<EndpointSlice> slices_of(const std::string& name) { return cluster_.slices_of(service(name)); }
    std::vector<std::string> dirty() {
        std::vector<std::string> out;
        for (const auto& name : cluster_.take_dirty()) out.push_back(name.name);
        return out;
    }

    Cluster cluster_;
};

TEST_F(ClusterTest, GivesSlicesBackAsTheyWere) {
    put(rich());
    auto six = slice("six", "web", 9);
    six.family = Family::ipv6;
    six.fqdn = true;
    put(six);
    auto out = slices_of("web");
    EXPECT_EQ(describe(out), describe(std::vector{rich(), six}));
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].origin.file, "f.yaml");
    EXPECT_EQ(out[0].origin.line, 3);
    EXPECT_EQ(cluster_.endpoint_count(), 6u);
}

TEST_F(ClusterTest, SlicesAreInNameOrder) {
    for (const auto* name : {"c", "a", "b"}) put(slice(name, "web", 1));
    put(slice("other", "db", 1));
    EXPECT_THAT(names(slices_of("web")), ElementsAre("a", "b", "c"));
}

TEST_F(ClusterTest, ASliceIsReplacedAndMovesBetweenServices) {
    put(slice("a", "web", 1));
    put(slice("a", "web", 2));
    EXPECT_EQ(describe(slices_of("web")), describe(std::vector{slice("a", "web", 2)}));
    dirty();
    put(slice("a", "db", 2));
    EXPECT_THAT(slices_of("web"), IsEmpty());
    EXPECT_THAT(names(slices_of("db")), ElementsAre("a"));
    EXPECT_THAT(dirty(), ElementsAre("db", "web"));
    remove(Kind::endpoint_slice, "a");
    EXPECT_THAT(slices_of("db"), IsEmpty());
    EXPECT_THAT(dirty(), ElementsAre("db"));
    EXPECT_EQ(cluster_.endpoint_count(), 0u);
    remove(Kind::endpoint_slice, "a");
    EXPECT_THAT(dirty(), IsEmpty());
}

TEST_F(ClusterTest, EndpointsCountWhereThereIsNoSlice) {
    put_endpoints("web", 12);
    auto in_order = names(slices_of("web"));
    ASSERT_EQ(in_order.size(), 12u);
    EXPECT_EQ(in_order[2], "web#2");
    EXPECT_EQ(in_order[10], "web#10");
    // A slice and an Endpoints object may have the same name.
    put(slice("web", "web", 99));
    EXPECT_EQ(describe(slices_of("web")), describe(std::vector{slice("web", "web", 99)}));
    EXPECT_EQ(cluster_.endpoint_count(), 13u);
    put_endpoints("web", 2);
    remove(Kind::endpoint_slice, "web");
    EXPECT_THAT(names(slices_of("web")), ElementsAre("web", "web#1"));
    remove(Kind::endpoints, "web");
    EXPECT_THAT(slices_of("web"), IsEmpty());
    EXPECT_EQ(cluster_.endpoint_count(), 0u);
}

TEST_F(ClusterTest, APodMarksTheServicesThatSelectIt) {
    put(service("web", {{"app", "web"}}));
    put(service("both", {{"app", "web"}, {"tier", "front"}}));
    put(service("db", {{"app", "db"}}));
    put(service("sliced", {{"app", "web"}}));
    put(service("gone", {{"app", "web"}}));
    put(service("none"));
    put(slice("sliced-1", "sliced", 1));
    remove(Kind::service, "gone");
    dirty();
    Pod pod;
    pod.name = {"ns", "pod"};
    pod.labels = {{"app", "web"}, {"tier", "back"}};
    pod.ips = {ip(1)};
    cluster_.apply(Upsert{pod});
    EXPECT_THAT(dirty(), ElementsAre("web"));
    pod.labels = {{"app", "web"}, {"tier", "front"}};
    cluster_.apply(Upsert{pod});
    EXPECT_THAT(dirty(), ElementsAre("both", "web"));
}

struct Text {
    std::string text;
    bool operator==(const Text&) const = default;
    std::size_t hash() const { return std::hash<std::string>()(text); }
};

TEST(Pool, KeepsEqualValuesOnceAndNoLongerThanNeeded) {
    Pool<Text> pool;
    auto held = pool.share({"a"});
    EXPECT_EQ(pool.share({"a"}), held);
    EXPECT_EQ(pool.size(), 1u);
    for (int i = 0; i < 10'000; ++i) pool.share({std::to_string(i)});
    EXPECT_LE(pool.size(), 128u);
    EXPECT_EQ(pool.share({"a"}), held) << "a value in use stays";
}

}  // namespace
}  // namespace weir::model::test
