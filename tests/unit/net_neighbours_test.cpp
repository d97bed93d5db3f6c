// SPDX-License-Identifier: Apache-2.0
// The changes of neighbours that matter, and the neighbours that the agent probes.
#include "loader/net/neighbours.hpp"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

const auto address = model::Address::from_ipv4(0xc0000201);
const std::string mac_a = "\2aaaaa";
const std::string mac_b = "\2bbbbb";

Neighbour valid(const std::string& mac, unsigned ifindex = 2) {
    return {.ifindex = ifindex, .address = address, .mac = mac, .valid = true};
}

Neighbour stale(const std::string& mac, unsigned ifindex = 2) {
    auto neighbour = valid(mac, ifindex);
    neighbour.stale = true;
    return neighbour;
}

Neighbour invalid(unsigned ifindex = 2) {
    return {.ifindex = ifindex, .address = address, .mac = {}, .valid = false};
}

TEST(Neighbours, OnlyAChangeOfWhatWasKnownIsNews) {
    Neighbours neighbours;
    EXPECT_FALSE(neighbours.update(invalid()));  // incomplete
    EXPECT_FALSE(neighbours.update(valid(mac_a)));
    EXPECT_FALSE(neighbours.update(stale(mac_a)));
    EXPECT_FALSE(neighbours.update(valid(mac_a)));
    EXPECT_TRUE(neighbours.update(stale(mac_b)));
    EXPECT_FALSE(neighbours.update(valid(mac_b)));
    EXPECT_TRUE(neighbours.update(invalid()));  // failed or deleted
    EXPECT_FALSE(neighbours.update(invalid()));
    EXPECT_FALSE(neighbours.update(valid(mac_a)));
}

TEST(Neighbours, AreKnownByInterface) {
    Neighbours neighbours;
    neighbours.update(valid(mac_a, 2));
    EXPECT_FALSE(neighbours.update(valid(mac_b, 3)));
    EXPECT_FALSE(neighbours.update(valid(mac_a, 2)));
}

TEST(Neighbours, BeyondTheBoundEverythingIsNews) {
    Neighbours neighbours(1);
    neighbours.update(valid(mac_a, 2));
    EXPECT_TRUE(neighbours.update(valid(mac_a, 3)));
    EXPECT_TRUE(neighbours.update(valid(mac_a, 3)));
    EXPECT_TRUE(neighbours.update(invalid(3)));
    EXPECT_FALSE(neighbours.update(valid(mac_a, 2)));
    neighbours.replace({valid(mac_a, 4)});
    EXPECT_FALSE(neighbours.update(valid(mac_a, 4)));
    EXPECT_FALSE(neighbours.update(invalid(5)));
}

TEST(Neighbours, StaleOnesOnUplinksAreNamedOncePerTurn) {
    Neighbours neighbours;
    neighbours.set_uplinks({2});
    neighbours.update(stale(mac_a, 2));
    neighbours.update(stale(mac_a, 2));
    neighbours.update(stale(mac_a, 3));
    EXPECT_EQ(neighbours.take_stale(), (Neighbours::Key{2, address}));
    EXPECT_EQ(neighbours.take_stale(), std::nullopt);
    neighbours.update(valid(mac_a, 2));
    EXPECT_FALSE(neighbours.has_stale());
    neighbours.update(stale(mac_a, 2));
    EXPECT_TRUE(neighbours.take_stale().has_value());
}

TEST(Neighbours, WhatIsNotStaleAnyMoreIsNotProbed) {
    Neighbours neighbours;
    neighbours.set_uplinks({2, 3, 4});
    neighbours.update(stale(mac_a, 2));
    neighbours.update(stale(mac_a, 3));
    neighbours.update(stale(mac_a, 4));
    neighbours.update(valid(mac_a, 2));
    neighbours.update(invalid(3));
    neighbours.set_uplinks({2, 3});
    EXPECT_EQ(neighbours.take_stale(), std::nullopt);
}

TEST(Neighbours, ANewUplinksStaleOnesAreProbed) {
    Neighbours neighbours;
    neighbours.update(stale(mac_a, 2));
    EXPECT_FALSE(neighbours.has_stale());
    neighbours.set_uplinks({2});
    EXPECT_TRUE(neighbours.take_stale().has_value());
}

}  // namespace
}  // namespace weir::net
