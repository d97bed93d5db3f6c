// SPDX-License-Identifier: Apache-2.0
// A folder or a file on disk, read once and followed as editors, kubectl and ConfigMap volumes write them.
#include "tests/unit/source_manifests_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace weir::source {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(Manifests, AFolderIsReadByTheNamesOfItsFiles) {
    write(folder_ / "a.yaml", service("a"));
    write(folder_ / "b.yml", service("b"));
    write(folder_ / "c.json",
          R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"c"},"spec":{"ports":[{"port":80}]}})");
    write(folder_ / ".hidden.yaml", service("hidden"));
    write(folder_ / "d.yaml~", service("backup"));
    write(folder_ / "notes.txt", "]]");
    fs::create_directory(folder_ / "sub.yaml");
    auto read = read_manifests(folder_.string());
    ASSERT_TRUE(read);
    std::vector<std::string> names;
    for (const auto& object : read->objects) names.push_back(model::identity_of(object).name.name);
    EXPECT_THAT(names, UnorderedElementsAre("a", "b", "c"));
    EXPECT_THAT(read->problems, IsEmpty());
}

TEST_F(Manifests, APathThatDoesNotExistIsAnError) {
    auto read = read_manifests((folder_ / "nothing").string());
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error(), HasSubstr("nothing: No such file or directory"));
    ManifestSource source(io_, (folder_ / "nothing").string(), [](auto) {});
    EXPECT_FALSE(source.start());
}

TEST_F(Manifests, AnEmptyFolderIsReportedToo) {
    follow(folder_);
    EXPECT_THAT(services(), IsEmpty());
}

TEST_F(Manifests, ManyObjectsComeInParts) {
    for (std::string file : {"a", "b", "c", "d"})
        write(folder_ / (file + ".yaml"), service("everywhere", file.front()) + many_services(file));
    write(folder_ / "e.yaml", "]]");
    follow(folder_);
    EXPECT_EQ(parts_, 2);
    EXPECT_EQ(services_.size(), 4401U);
    // Whichever part the first in name order came with.
    EXPECT_EQ(services_["everywhere"], 'a');
    EXPECT_EQ(problems_.size(), 4U);
}

TEST_F(Manifests, IsSyncedOnceNothingIsLeftOut) {
    write(folder_ / "a.yaml", service("a"));
    write(folder_ / "b.yaml", "]]");
    follow(folder_);
    EXPECT_FALSE(synced_) << "the content of b is not known";
    replace("b.yaml", service("a"));
    until([&] { return reports_ == 2; });
    EXPECT_FALSE(synced_) << "b's Service is not in force";
    replace("b.yaml", service("b"));
    until([&] { return reports_ == 3; });
    EXPECT_TRUE(synced_);
    replace("b.yaml", "]]");
    until([&] { return reports_ == 4; });
    EXPECT_TRUE(synced_) << "b's Service was reported and stays";
    EXPECT_THAT(problems_, testing::SizeIs(1));
}

TEST_F(Manifests, WhatIsOnlyWarnedOfIsNotLeftOut) {
    write(folder_ / "a.yaml",
          "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
          "spec: {ports: [{port: 80, prot: TCP}]}\n");
    follow(folder_);
    ASSERT_THAT(problems_, testing::SizeIs(1));
    EXPECT_EQ(problems_[0].severity, model::Severity::warning) << problems_[0].what;
    EXPECT_TRUE(synced_);
}

TEST_F(Manifests, AFolderThatGoesWhileItIsReadIsAnErrorAndItsFilesStay) {
    for (std::string file : {"a", "b", "c", "d"}) write(folder_ / (file + ".yaml"), many_services(file));
    on_first_part_ = [this] { fs::rename(folder_, root_ / "elsewhere"); };
    follow(folder_, by_looks_too);
    EXPECT_EQ(services_.size(), 2200U);
    EXPECT_EQ(problems_.size(), 3U) << "two for files and one for the folder";
    fs::rename(root_ / "elsewhere", folder_);
    until([&] { return services_.size() == 4400U && problems_.empty(); });
}

TEST_F(Manifests, FilesComeChangeAndGo) {
    follow(folder_);
    write(folder_ / "a.yaml", service("a"));
    until([&] { return services_.contains("a"); });
    write(folder_ / "a.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
    fs::remove(folder_ / "a.yaml");
    until([&] { return services_.empty(); });
}

TEST_F(Manifests, AFileThatIsReplacedByARenameIsReadOnce) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    replace("a.yaml", service("a", 81) + service("b"));
    until([&] { return services_.contains("b"); });
    EXPECT_EQ(reports_, 2);
    EXPECT_THAT(services(), ElementsAre("a:81", "b:80"));
}

TEST_F(Manifests, AFileThatIsBeingWrittenIsNotReadHalf) {
    write(folder_ / "a.yaml", service("a") + service("b"));
    follow(folder_);
    {
        std::ofstream file(folder_ / "a.yaml");
        file << service("a") << std::flush;
        // The source notices another file meanwhile.
        replace("other.yaml", service("other"));
        until([&] { return services_.contains("other"); });
        EXPECT_THAT(services(), ElementsAre("a:80", "b:80", "other:80"));
        file << service("c");
    }
    until([&] { return services_.contains("c"); });
    EXPECT_THAT(services(), ElementsAre("a:80", "c:80", "other:80"));
}

TEST_F(Manifests, AConfigMapVolumeIsSwappedAsAWhole) {
    auto version = [&](const std::string& name, int port) {
        fs::create_directory(folder_ / name);
        write(folder_ / name / "a.yaml", service("a", port));
        fs::create_symlink(name, folder_ / "..data_tmp");
        fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    };
    version("..1", 80);
    fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
    follow(folder_);
    EXPECT_THAT(services(), ElementsAre("a:80"));
    version("..2", 81);
    until([&] { return services_["a"] == 81; });
}

TEST_F(Manifests, AConfigMapVolumeGetsAndLosesFiles) {
    auto version = [&](const std::string& name, const std::vector<std::string>& services) {
        fs::create_directory(folder_ / name);
        for (const auto& one : services) write(folder_ / name / (one + ".yaml"), service(one));
        fs::create_symlink(name, folder_ / "..data_tmp");
        fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    };
    version("..1", {"a", "b"});
    fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
    fs::create_symlink("..data/b.yaml", folder_ / "b.yaml");
    follow(folder_);
    // As the kubelet does it: new links after the swap, and old ones are removed last.
    version("..2", {"a", "c"});
    fs::create_symlink("..data/c.yaml", folder_ / "c.yaml");
    fs::remove(folder_ / "b.yaml");
    fs::remove_all(folder_ / "..1");
    until([&] { return services_.contains("c") && !services_.contains("b"); });
    EXPECT_THAT(services(), ElementsAre("a:80", "c:80"));
    EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(Manifests, AFolderBehindALinkIsSwappedByThatLink) {
    fs::create_directory(folder_ / "one");
    fs::create_directory(folder_ / "two");
    write(folder_ / "one" / "a.yaml", service("a"));
    write(folder_ / "two" / "a.yaml", service("a", 81));
    fs::create_directory_symlink("one", folder_ / "current");
    fs::create_symlink("current/a.yaml", folder_ / "a.yaml");
    follow(folder_);
    fs::create_directory_symlink("two", folder_ / "next");
    fs::rename(folder_ / "next", folder_ / "current");
    until([&] { return services_["a"] == 81; });
}

TEST_F(Manifests, AFolderTakesThePlaceOfAFile) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    fs::remove(folder_ / "a.yaml");
    fs::create_directory(folder_ / "a.yaml");
    until([&] { return services_.empty(); });
    fs::remove(folder_ / "a.yaml");
    replace("a.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
}

TEST_F(Manifests, WhatComesAndGoesAtOnceIsNothing) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    write(folder_ / "b.yaml", service("b"));
    fs::remove(folder_ / "b.yaml");
    replace("a.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
    EXPECT_EQ(reports_, 2);
    EXPECT_EQ(removals_, 0);
    EXPECT_THAT(services(), ElementsAre("a:81"));
}

TEST_F(Manifests, AFileThatIsMovedAwayAndWrittenAnewIsNoRemoval) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    // Some editors save like this.
    fs::rename(folder_ / "a.yaml", folder_ / "a.yaml~");
    write(folder_ / "a.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
    EXPECT_EQ(removals_, 0);
}

TEST_F(Manifests, AFileUnderAnotherNameKeepsItsObjects) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    fs::rename(folder_ / "a.yaml", folder_ / "b.yaml");
    write(folder_ / "c.yaml", service("c"));
    until([&] { return services_.contains("c"); });
    EXPECT_EQ(removals_, 0);
    fs::remove(folder_ / "b.yaml");
    until([&] { return !services_.contains("a"); });
}

TEST_F(Manifests, ALinkIsAWholeFile) {
    write(root_ / "elsewhere", service("a"));
    write(root_ / "further", service("b"));
    // Even if the files seem to have been written just now.
    for (const auto* name : {"elsewhere", "further"})
        fs::last_write_time(root_ / name, fs::file_time_type::clock::now() + std::chrono::hours(1));
    follow(folder_);
    fs::create_symlink(root_ / "elsewhere", folder_ / "a.yaml");
    fs::create_hard_link(root_ / "further", folder_ / "b.yaml");
    until([&] { return services_.contains("a") && services_.contains("b"); });
}

TEST_F(Manifests, WhatLiesBehindALinkIsFoundByALook) {
    write(root_ / "elsewhere", service("a"));
    fs::create_symlink(root_ / "elsewhere", folder_ / "a.yaml");
    follow(folder_, by_looks_too);
    write(root_ / "elsewhere", service("a", 81));
    until([&] { return services_["a"] == 81; });
}

TEST_F(Manifests, ALookAtManyFilesSeesThemAll) {
    constexpr int many = 500;
    auto put = [&](int port) {
        for (int i = 0; i < many; ++i) {
            write(root_ / "unfinished", service("s" + std::to_string(i), port));
            fs::rename(root_ / "unfinished", root_ / ("s" + std::to_string(i)));
        }
    };
    put(80);
    for (int i = 0; i < many; ++i) {
        auto name = "s" + std::to_string(i);
        fs::create_symlink(root_ / name, folder_ / (name + ".yaml"));
    }
    follow(folder_, by_looks_too);
    ASSERT_EQ(services_.size(), std::size_t{many});
    put(81);
    until([&] { return std::ranges::all_of(services_, [](const auto& one) { return one.second == 81; }); });
    EXPECT_EQ(services_.size(), std::size_t{many});
    EXPECT_EQ(removals_, 0);
    EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(Manifests, LostEventsAreMadeUpFor) {
    std::size_t most = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
    if (most == 0 || most > 1'000'000) GTEST_SKIP() << "the queue of inotify is too long to fill: " << most;
    for (const auto* name : {"gone", "in-place", "replaced"})
        write(folder_ / (std::string(name) + ".yaml"), service(name));
    follow(folder_);
    // Two names in turn: the kernel merges an event with the same one before it.
    auto busy = [&](const char* name) { return (folder_ / name).string(); };
    write(busy("x"), "");
    write(busy("y"), "");
    for (std::size_t i = 0; i <= most; ++i) ASSERT_EQ(::chmod(busy(i % 2 ? "x" : "y").c_str(), 0600), 0);
    write(folder_ / "new.yaml", service("new"));
    write(folder_ / "in-place.yaml", service("in-place", 81));
    replace("replaced.yaml", service("replaced", 81));
    fs::remove(folder_ / "gone.yaml");
    until([&] { return services_.contains("new") && services_["in-place"] == 81; });
    EXPECT_THAT(services(), ElementsAre("in-place:81", "new:80", "replaced:81"));
}

TEST_F(Manifests, ASingleFileIsFollowedThroughReplacement) {
    write(folder_ / "only.yaml", service("a"));
    write(folder_ / "beside.yaml", service("beside"));
    follow(folder_ / "only.yaml");
    EXPECT_THAT(services(), ElementsAre("a:80"));
    replace("only.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
}

TEST_F(Manifests, AFileThatVanishesKeepsItsContentAndIsReported) {
    write(folder_ / "only.yaml", service("a"));
    follow(folder_ / "only.yaml");
    fs::remove(folder_ / "only.yaml");
    until([&] { return !problems_.empty(); });
    EXPECT_THAT(problems_.at(0).to_string(), HasSubstr("only.yaml: No such file or directory"));
    EXPECT_THAT(services(), ElementsAre("a:80"));
    write(folder_ / "only.yaml", service("a", 81));
    until([&] { return services_["a"] == 81; });
    EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(Manifests, AFolderThatVanishesKeepsItsContentAndIsFoundAgain) {
    write(folder_ / "a.yaml", service("a"));
    follow(folder_, by_looks_too);
    fs::rename(folder_, root_ / "elsewhere");
    until([&] { return !problems_.empty(); });
    EXPECT_THAT(services(), ElementsAre("a:80"));
    fs::rename(root_ / "elsewhere", folder_);
    until([&] { return problems_.empty(); });
    replace("b.yaml", service("b"));
    until([&] { return services_.contains("b"); });
}

TEST_F(Manifests, WhatIsNoRegularFileIsReportedAndBlocksNothing) {
    ASSERT_EQ(::mkfifo((folder_ / "pipe.yaml").c_str(), 0600), 0);
    fs::create_symlink("nowhere", folder_ / "dangling.yaml");
    write(folder_ / "a.yaml", service("a"));
    follow(folder_);
    EXPECT_THAT(services(), ElementsAre("a:80"));
    std::string all;
    for (const auto& problem : problems_) all += problem.to_string() + "\n";
    EXPECT_THAT(all, HasSubstr("pipe.yaml: is no regular file"));
    EXPECT_THAT(all, HasSubstr("dangling.yaml: cannot be opened"));
}

}  // namespace
}  // namespace weir::source
