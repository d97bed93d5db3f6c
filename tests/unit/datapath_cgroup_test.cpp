// SPDX-License-Identifier: Apache-2.0
// The mount point of cgroup v2, and whether a folder is one of its cgroups.
#include "loader/datapath/cgroup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::datapath {
namespace {

using testing::HasSubstr;

TEST(Cgroup, IsFoundInWhatIsMounted) {
    EXPECT_EQ(find_cgroup2("35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"), "/sys/fs/cgroup");
    EXPECT_EQ(find_cgroup2("35 24 0:30 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
                           "36 35 0:31 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
                           "37 35 0:32 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 none rw\n"),
              "/sys/fs/cgroup/unified");
    EXPECT_EQ(find_cgroup2("35 24 0:30 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"), "");
}

TEST(Cgroup, AFolderOfAnotherKindIsRefused) {
    auto other = open_cgroup("/proc");
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error(), HasSubstr("/proc: not a folder of cgroup v2"));
    auto missing = open_cgroup("/nowhere/at/all");
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace weir::datapath
