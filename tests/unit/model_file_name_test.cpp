// SPDX-License-Identifier: Apache-2.0
// Do names of files share their text, and compare as texts do?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unordered_map>

#include "loader/model/file_name.hpp"

namespace weir::model {
namespace {

TEST(FileName, CopiesShareTheText) {
    FileName name("folder/a.yaml");
    FileName copy = name;
    EXPECT_EQ(copy.c_str(), name.c_str()) << "the same octets";
    name = {};
    EXPECT_EQ(copy, "folder/a.yaml") << "outlives the one it was copied from";
}

TEST(FileName, ComparesAsItsTextDoes) {
    EXPECT_EQ(FileName("a.yaml"), FileName("a.yaml"));
    EXPECT_NE(FileName("a.yaml"), FileName("b.yaml"));
    EXPECT_LT(FileName("a.yaml"), FileName("a.yml"));
    EXPECT_LT(FileName(), FileName("a.yaml"));
}

TEST(FileName, NoNameIsAnEmptyText) {
    FileName none;
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none, FileName(""));
    EXPECT_EQ(none.view(), "");
    EXPECT_STREQ(none.c_str(), "");
}

TEST(FileName, IsFoundByItsText) {
    std::unordered_map<FileName, int, FileNameHash, std::equal_to<>> table{{FileName("a.yaml"), 1}, {FileName(), 2}};
    EXPECT_EQ(table.find(std::string("a.yaml"))->second, 1);
    EXPECT_EQ(table.find(std::string_view())->second, 2);
    EXPECT_EQ(table.find(std::string("b.yaml")), table.end());
}

}  // namespace
}  // namespace weir::model
