// SPDX-License-Identifier: Apache-2.0
// The object in force while files define the same one, break, and recover.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/source/manifests/manifest_store.hpp"

namespace weir::source {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string service(const std::string& name, int port = 80) {
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
           "}\nspec: {ports: [{port: " + std::to_string(port) + "}]}\n";
}

// Files that a test writes, and the store that reads them.
class Store : public testing::Test {
protected:
    // Returns "name:port" for each Service that is added or changed, and "-name" for each that is removed.
    std::vector<std::string> write(const std::string& file, const std::string& text) {
        files_[file] = text;
        return update({{file, read(file)}});
    }
    std::vector<std::string> remove(const std::string& file) {
        files_.erase(file);
        FileReading gone{.state = FileReading::State::gone};
        return update({{file, gone}});
    }
    std::vector<std::string> fail(const std::string& file) {
        FileReading failed{.state = FileReading::State::unreadable, .failure = "cannot be opened"};
        return update({{file, failed}});
    }
    std::vector<std::string> update(ManifestStore::Readings readings) {
        std::vector<std::string> out;
        for (const auto& change :
             store_.update(std::move(readings), [&](const auto& file) { return read(file.c_str()); })) {
            if (const auto* removed = std::get_if<model::Remove>(&change)) {
                out.push_back("-" + removed->name.name);
                continue;
            }
            const auto& object = std::get<model::Service>(std::get<model::Upsert>(change).object);
            out.push_back(object.name.name + ":" + std::to_string(object.ports.at(0).port));
        }
        return out;
    }
    FileReading read(const std::string& file) {
        auto found = files_.find(file);
        if (found == files_.end()) return {.state = FileReading::State::unreadable, .failure = "gone"};
        return {.decoded = decode::decode(found->second, decode::Format::yaml, file)};
    }
    std::vector<std::string> problems() const {
        std::vector<std::string> out;
        for (const auto& problem : store_.problems()) out.push_back(problem.to_string());
        return out;
    }

    ManifestStore store_;
    std::map<std::string, std::string> files_;
};

TEST_F(Store, WhatIsNewComesAndWhatIsUnchangedDoesNot) {
    EXPECT_THAT(write("a.yaml", service("x") + service("b")), UnorderedElementsAre("x:80", "b:80"));
    EXPECT_THAT(write("a.yaml", service("x") + service("b")), IsEmpty());
    EXPECT_THAT(write("a.yaml", service("b") + service("x")), IsEmpty()) << "the order in the file does not matter";
    EXPECT_THAT(write("a.yaml", service("x", 81) + service("z")), UnorderedElementsAre("-b", "x:81", "z:80"));
    EXPECT_THAT(remove("a.yaml"), UnorderedElementsAre("-x", "-z"));
}

TEST_F(Store, RemovalsComeFirst) {
    write("a.yaml", service("old"));
    EXPECT_THAT(write("a.yaml", service("new")), ElementsAre("-old", "new:80"));
}

TEST_F(Store, AFileThatBreaksKeepsItsLastGoodContent) {
    write("a.yaml", service("x"));
    EXPECT_THAT(write("a.yaml", "]] not yaml"), IsEmpty());
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("a.yaml:1: ")));
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("stays in force")));
    EXPECT_THAT(write("a.yaml", service("x")), IsEmpty());
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Store, AFileThatCannotBeReadKeepsItsLastGoodContent) {
    write("a.yaml", service("x"));
    EXPECT_THAT(fail("a.yaml"), IsEmpty());
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("a.yaml: cannot be opened")));
    EXPECT_THAT(write("a.yaml", service("x", 81)), ElementsAre("x:81"));
}

TEST_F(Store, AnObjectThatIsRefusedKeepsItsLastGoodForm) {
    write("a.yaml", service("x") + service("b"));
    EXPECT_THAT(write("a.yaml", service("x", 70000) + service("b", 81)), ElementsAre("b:81"));
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("Service default/x")));
    EXPECT_THAT(write("a.yaml", service("b", 81)), ElementsAre("-x")) << "the file leaves x out";
}

TEST_F(Store, ARefusedObjectThatWasNeverGoodDoesNotAppear) {
    EXPECT_THAT(write("a.yaml", service("x", 70000)), IsEmpty());
    EXPECT_THAT(write("a.yaml", service("x")), ElementsAre("x:80"));
}

TEST_F(Store, OfTwoFilesTheFirstInNameOrderCounts) {
    EXPECT_THAT(write("b.yaml", service("x", 82)), ElementsAre("x:82"));
    EXPECT_THAT(write("a.yaml", service("x", 81)), ElementsAre("x:81"));
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("b.yaml:2: Service default/x: is given in a.yaml:2 too")));
    EXPECT_THAT(write("b.yaml", service("x", 83)), IsEmpty());
    EXPECT_THAT(remove("a.yaml"), ElementsAre("x:83")) << "read again from the file that now counts";
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Store, AnObjectMayMoveFromFileToFileInOneStep) {
    write("a.yaml", service("x"));
    files_ = {{"b.yaml", service("x")}};
    auto changes = update({{"a.yaml", {.state = FileReading::State::gone}}, {"b.yaml", read("b.yaml")}});
    EXPECT_THAT(changes, ElementsAre("x:80"));
}

TEST_F(Store, WhatComesIntoForceWhileItsFileIsBrokenComesWithTheNextGoodReading) {
    write("a.yaml", service("x", 81));
    write("b.yaml", service("x", 82));
    write("b.yaml", "]]");
    EXPECT_THAT(remove("a.yaml"), IsEmpty());
    EXPECT_THAT(write("c.yaml", service("x", 83)), IsEmpty());
    EXPECT_THAT(write("b.yaml", service("x", 82)), ElementsAre("x:82"));
    EXPECT_THAT(write("b.yaml", service("x", 82)), IsEmpty());
}

TEST_F(Store, WhatComesIntoForceFromAFileThatCannotBeReadIsAskedForAgain) {
    write("a.yaml", service("x", 81));
    write("b.yaml", service("x", 82));
    EXPECT_THAT(store_.take_unread(), IsEmpty());
    files_.erase("b.yaml");
    EXPECT_THAT(remove("a.yaml"), IsEmpty());
    EXPECT_THAT(store_.take_unread(), ElementsAre(model::FileName("b.yaml")));
    EXPECT_THAT(write("b.yaml", service("x", 82)), ElementsAre("x:82"));
    EXPECT_THAT(store_.take_unread(), IsEmpty());
}

TEST_F(Store, WhatAFileSaysWhenItIsReadAgainIsWhatIsInForce) {
    write("a.yaml", service("x", 81));
    write("b.yaml", service("x", 82));
    files_["b.yaml"] = service("x", 99);
    EXPECT_THAT(remove("a.yaml"), ElementsAre("x:99"));
    EXPECT_THAT(write("b.yaml", service("x", 82)), ElementsAre("x:82"));
}

TEST_F(Store, KindsThatAreNotReadAreNamedOnce) {
    write("a.yaml", "kind: Deployment\napiVersion: apps/v1\n---\nkind: Deployment\napiVersion: apps/v1\n");
    EXPECT_THAT(store_.skipped(), ElementsAre("Deployment"));
}

TEST_F(Store, KindsThatAreNotReadAreRememberedWhileTheFileIsBroken) {
    write("a.yaml", "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" + service("x"));
    EXPECT_THAT(write("a.yaml", "]] not yaml"), IsEmpty());
    EXPECT_THAT(store_.skipped(), ElementsAre("Deployment")) << "the last good reading still counts";
    EXPECT_THAT(write("a.yaml", service("x")), IsEmpty());
    EXPECT_THAT(store_.skipped(), IsEmpty());
}

}  // namespace
}  // namespace weir::source
