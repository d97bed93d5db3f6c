// SPDX-License-Identifier: Apache-2.0
// An object's way from a source to the maps, in memory: Source, Cluster, Planner, Layout, write().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/apply/write_order.hpp"
#include "loader/plan/planner.hpp"
#include "tests/fakes/checked_maps.hpp"
#include "tests/fakes/faulty_writer.hpp"
#include "tests/fakes/scripted_source.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::apply {
namespace {

using plan::test::port;
using plan::test::service;
using plan::test::slice;
using testing::IsEmpty;

constexpr plan::Capacity capacity{.frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000};

model::Change upsert(model::Object object) {
    return model::Upsert{std::move(object)};
}

class Way : public testing::Test {
protected:
    explicit Way(std::vector<source::Report> at_start = first_reading())
        : source_([this](auto report) { take(std::move(report)); }, std::move(at_start)) {}

    // The source reports in two parts; a Service's endpoints come with the second.
    static std::vector<source::Report> first_reading() {
        return {{.changes = {upsert(service("web", "10.96.0.1"))}, .more = true},
                {.changes = {upsert(std::vector{slice("web", {{"10.0.0.1"}})})}, .synced = true}};
    }

    void take(source::Report report) {
        for (auto& change : report.changes) cluster_.apply(std::move(change));
        if (report.more) return;
        plan::MapChanges changes;
        for (const auto& plan : planner_.plan(cluster_, cluster_.take_dirty()))
            EXPECT_THAT(layout_.update(plan, changes), IsEmpty());
        EXPECT_TRUE(write(counted_, changes));
    }

    plan::test::Kernel maps_{capacity};
    fakes::FaultyWriter counted_{maps_, [](std::size_t, std::size_t) { return std::nullopt; }};
    model::Cluster cluster_;
    plan::Planner planner_{plan::test::node()};
    plan::Layout layout_{capacity};
    fakes::ScriptedSource source_;
};

TEST_F(Way, WhatASourceTellsIsInTheMaps) {
    ASSERT_TRUE(source_.start());
    EXPECT_EQ(maps_.backends_of("10.96.0.1"), "10.0.0.1:8080");
    auto before = counted_.calls();
    source_.tell({.synced = true});
    EXPECT_EQ(counted_.calls(), before) << "nothing has changed";
    source_.tell({.changes = {upsert(std::vector{slice("web", {{"10.0.0.1"}, {"10.0.0.2"}})})}, .synced = true});
    EXPECT_EQ(maps_.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.2:8080");
    source_.tell({.changes = {model::Remove{model::Kind::service, {"ns", "web"}}}, .synced = true});
    auto left = maps_.contents();
    EXPECT_TRUE(left.frontends.empty() && left.backends.empty() && left.services.empty() && left.vips.empty());
    EXPECT_THAT(maps_.violations(), IsEmpty());
}

}  // namespace
}  // namespace weir::apply
