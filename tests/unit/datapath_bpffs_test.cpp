// SPDX-License-Identifier: Apache-2.0
// Whether the agent can make pins at a path.
#include "loader/datapath/bpffs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::datapath {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Bpffs, OnlyBelowItsStandardPlaceCanOneBeMounted) {
    for (const auto* path : {"/", "/proc/weir", "/sys/fs/bpfs/weir", "/sys/fs", "/sys/fs/bpf/../weir", "weir", ""})
        EXPECT_EQ(bpffs_state(path), BpffsState::elsewhere) << path;
    // Whether a bpffs is mounted depends on the machine; the agent can make pins either way.
    for (const auto* path : {"/sys/fs/bpf", "/sys/fs/bpf/", "/sys/fs/bpf/weir/deeper", "/sys/fs/../fs/bpf/weir"})
        EXPECT_NE(bpffs_state(path), BpffsState::elsewhere) << path;
}

TEST(Bpffs, NoneIsMountedElsewhere) {
    auto mounted = ensure_bpffs("/proc/weir");
    ASSERT_FALSE(mounted);
    EXPECT_THAT(mounted.error(), HasSubstr("/proc/weir: not on a bpffs; choose a --pin-path under /sys/fs/bpf"));
}

TEST(Bpffs, EveryStateThatNeedsARemedyHasOne) {
    EXPECT_THAT(bpffs_remedy(BpffsState::mounted), IsEmpty());
    EXPECT_THAT(bpffs_remedy(BpffsState::mountable), HasSubstr("mount -t bpf bpf /sys/fs/bpf"));
    EXPECT_THAT(bpffs_remedy(BpffsState::elsewhere), HasSubstr("--pin-path"));
}

}  // namespace
}  // namespace weir::datapath
