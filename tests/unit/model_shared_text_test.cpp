// SPDX-License-Identifier: Apache-2.0
// Copies of a text share its octets, and texts compare as strings do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unordered_map>

#include "loader/model/shared_text.hpp"

namespace weir::model {
namespace {

TEST(SharedText, CopiesShareTheText) {
    SharedText name("folder/a.yaml");
    SharedText copy = name;
    EXPECT_EQ(copy.c_str(), name.c_str()) << "both share the same octets";
    name = {};
    EXPECT_EQ(copy, "folder/a.yaml") << "the copy outlives the original";
}

TEST(SharedText, ComparesAsItsTextDoes) {
    EXPECT_EQ(SharedText("a.yaml"), SharedText("a.yaml"));
    EXPECT_NE(SharedText("a.yaml"), SharedText("b.yaml"));
    EXPECT_LT(SharedText("a.yaml"), SharedText("a.yml"));
    EXPECT_LT(SharedText(), SharedText("a.yaml"));
}

TEST(SharedText, NoNameIsAnEmptyText) {
    SharedText none;
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none, SharedText(""));
    EXPECT_EQ(none.view(), "");
    EXPECT_STREQ(none.c_str(), "");
}

TEST(SharedText, IsFoundByItsText) {
    std::unordered_map<SharedText, int, SharedTextHash, std::equal_to<>> table{{SharedText("a.yaml"), 1},
                                                                               {SharedText(), 2}};
    EXPECT_EQ(table.find(std::string("a.yaml"))->second, 1);
    EXPECT_EQ(table.find(std::string_view())->second, 2);
    EXPECT_EQ(table.find(std::string("b.yaml")), table.end());
}

}  // namespace
}  // namespace weir::model
