// SPDX-License-Identifier: Apache-2.0
// The kernel's maps and those in memory have the same content after the same changes, so tests on the latter are valid.
#include "loader/apply/kernel_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "loader/apply/write_order.hpp"
#include "tests/bpf/datapath.hpp"
#include "tests/fakes/checked_maps.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::test {
namespace {

using plan::test::cidr;
using plan::test::gone;
using plan::test::plan_of;

// Returns the octets of all entries, sorted: a hash map has no order.
template <class Entries>
std::vector<std::string> octets(const Entries& entries) {
    std::vector<std::string> out;
    auto text = [](const auto& value) { return std::string(reinterpret_cast<const char*>(&value), sizeof(value)); };
    for (const auto& entry : entries) {
        if constexpr (requires { entry.first; })
            out.push_back(text(entry.first) + text(entry.second));
        else
            out.push_back(text(entry));
    }
    std::ranges::sort(out);
    return out;
}

void expect_same(const plan::MapContents& kernel, const plan::MapContents& fake) {
    EXPECT_EQ(octets(kernel.backends), octets(fake.backends));
    EXPECT_EQ(octets(kernel.services), octets(fake.services));
    EXPECT_EQ(octets(kernel.frontends), octets(fake.frontends));
    EXPECT_EQ(octets(kernel.vips), octets(fake.vips));
    EXPECT_EQ(octets(kernel.source_ranges), octets(fake.source_ranges));
    ASSERT_LE(fake.slots.size(), kernel.slots.size());
    EXPECT_EQ(std::memcmp(kernel.slots.data(), fake.slots.data(), fake.slots.size() * sizeof(abi::slot_line)), 0);
}

TEST(KernelWriter, HoldsWhatTheMapsInMemoryHold) {
    constexpr plan::Capacity capacity{
        .frontends = 50, .services = 50, .backends = 50, .slot_lines = 500, .source_ranges = 10};
    Datapath datapath;
    apply::KernelWriter kernel([&](std::string_view name) { return datapath.map(std::string(name)); });
    fakes::CheckedMaps fake(capacity);
    plan::Layout layout(capacity);
    auto restricted = plan_of("a", {"10.0.0.1", "10.0.0.2"}, "192.0.2.1");
    restricted.ports[0].frontends[0].restricted = true;
    restricted.ports[0].source_ranges = {cidr("10.0.0.0/8"), cidr("2001:db8::/32")};
    for (const auto& plan : {restricted, plan_of("b", {"10.0.0.3"}, "10.96.0.2"), plan_of("c", {}, "10.96.0.3"),
                             plan_of("b", {"10.0.0.3", "10.0.0.4"}, "10.96.0.4"), gone("c"), plan_of("a", {"10.0.0.2"}),
                             gone("b"), gone("a")}) {
        plan::MapChanges changes;
        ASSERT_TRUE(layout.update(plan, changes).empty());
        ASSERT_TRUE(apply::write(fake, changes));
        // The second time all new entries are there, and all old ones are gone.
        for (int times = 0; times < 2; ++times) {
            auto written = apply::write(kernel, changes);
            ASSERT_TRUE(written) << written.error();
            auto contents = kernel.read();
            ASSERT_TRUE(contents) << contents.error();
            expect_same(*contents, fake.contents());
        }
    }
    EXPECT_TRUE(fake.contents().frontends.empty());
}

}  // namespace
}  // namespace weir::test
