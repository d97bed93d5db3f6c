// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/bpffs.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace weir::datapath {

namespace {

constexpr const char* standard_place = "/sys/fs/bpf";

bool is_bpffs(const std::filesystem::path& path) {
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

// Returns the deepest part of path that exists.
std::filesystem::path existing_part(std::filesystem::path path) {
    std::error_code ignored;
    while (path.has_relative_path() && !std::filesystem::exists(path, ignored)) path = path.parent_path();
    return path;
}

}  // namespace

BpffsState bpffs_state(const std::string& pin_root) {
    auto root = std::filesystem::path(pin_root).lexically_normal();
    if (is_bpffs(existing_part(root))) return BpffsState::mounted;
    const std::filesystem::path standard = standard_place;
    bool below = std::mismatch(standard.begin(), standard.end(), root.begin(), root.end()).first == standard.end();
    return below ? BpffsState::mountable : BpffsState::elsewhere;
}

std::string_view bpffs_remedy(BpffsState state) {
    switch (state) {
        case BpffsState::mounted:
            return "";
        case BpffsState::mountable:
            return "run as root, or have the host mount it: mount -t bpf bpf /sys/fs/bpf";
        case BpffsState::elsewhere:
            return "choose a --pin-path under /sys/fs/bpf, or mount one there: mount -t bpf bpf DIR";
    }
    return "";
}

std::expected<bool, std::string> ensure_bpffs(const std::string& pin_root) {
    auto state = bpffs_state(pin_root);
    if (state == BpffsState::mounted) return false;
    if (state == BpffsState::elsewhere)
        return std::unexpected(fmt::format("{}: not on a bpffs; {}", pin_root, bpffs_remedy(state)));
    if (::mount("bpf", standard_place, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") == 0) return true;
    return std::unexpected(fmt::format("/sys/fs/bpf: no bpffs is mounted and mounting one failed: {}; {}",
                                       std::generic_category().message(errno), bpffs_remedy(state)));
}

}  // namespace weir::datapath
