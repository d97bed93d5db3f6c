// SPDX-License-Identifier: Apache-2.0
// A folder of manifests of its own for each test, and the source that follows it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "loader/source/manifests/manifests.hpp"

namespace weir::source {

class Manifests : public testing::Test {
protected:
    Manifests() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weir-manifests-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        folder_ = root_ / "manifests";
        std::filesystem::create_directory(folder_);
    }
    ~Manifests() override { std::filesystem::remove_all(root_); }

    static std::string service(const std::string& name, int port = 80) {
        return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name +
               "}\nspec: {ports: [{port: " + std::to_string(port) + "}]}\n---\n";
    }
    // More than half as many objects as the first reading passes on at once.
    static std::string many_services(const std::string& prefix) {
        std::string text;
        for (int i = 0; i < 1100; ++i) text += service(prefix + std::to_string(i));
        return text;
    }
    static void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }
    void replace(const std::string& name, const std::string& text) {
        write(root_ / "unfinished", text);
        std::filesystem::rename(root_ / "unfinished", folder_ / name);
    }

    static constexpr auto by_events_alone = std::chrono::hours(1);
    static constexpr auto by_looks_too = std::chrono::milliseconds(50);

    // Starts following the files and returns after the first report.
    void follow(const std::filesystem::path& path, std::chrono::steady_clock::duration look_period = by_events_alone) {
        auto take = [this](Report report) {
            // A source that is synced stays so.
            EXPECT_TRUE(report.synced || !synced_) << "the source is not synced any more";
            EXPECT_FALSE(report.more && (report.synced || !report.problems.empty()));
            synced_ = report.synced;
            if (!report.more)
                ++reports_;
            else if (++parts_ == 1 && on_first_part_)
                on_first_part_();
            problems_ = std::move(report.problems);
            for (auto& change : report.changes) {
                if (const auto* removed = std::get_if<model::Remove>(&change)) {
                    ++removals_;
                    services_.erase(removed->name.name);
                } else {
                    auto& object = std::get<model::Service>(std::get<model::Upsert>(change).object);
                    services_[object.name.name] = object.ports.at(0).port;
                }
            }
        };
        source_ = std::make_unique<ManifestSource>(io_, path.string(), take, look_period);
        ASSERT_TRUE(source_->start());
        ASSERT_EQ(reports_, 1);
    }
    // Runs the loop until the condition holds; a test that would wait for ever fails after a minute.
    template <class Condition>
    void until(Condition condition) {
        auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "the source noticed nothing";
            io_.run_one_for(std::chrono::seconds(1));
        }
    }
    std::vector<std::string> services() const {
        std::vector<std::string> out;
        for (const auto& [name, port] : services_) out.push_back(name + ":" + std::to_string(port));
        return out;
    }

    std::filesystem::path root_, folder_;
    boost::asio::io_context io_;
    std::unique_ptr<ManifestSource> source_;
    std::map<std::string, int> services_;
    std::vector<model::Problem> problems_;
    bool synced_ = false;
    int reports_ = 0;
    int parts_ = 0;  // of the first reading, before its report
    std::function<void()> on_first_part_;
    int removals_ = 0;
};

}  // namespace weir::source
