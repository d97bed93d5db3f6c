// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/kernel.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "maps/fd.hpp"

namespace weir::datapath {

namespace {

bool is_bpffs(const std::filesystem::path& path) {
    struct statfs info {};
    return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

// The deepest part of path that exists.
std::filesystem::path existing_part(std::filesystem::path path) {
    std::error_code ignored;
    while (!path.empty() && path != path.root_path() && !std::filesystem::exists(path, ignored))
        path = path.parent_path();
    return path;
}

}  // namespace

bool kernel_has_fib_source() {
    utsname name{};
    int major = 0;
    int minor = 0;
    if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
    return major > 6 || (major == 6 && minor >= 7);
}

std::optional<std::uint64_t> netns_cookie() {
    maps::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);
    if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0) return std::nullopt;
    return cookie;
}

std::expected<bool, std::string> ensure_bpffs(const std::string& pin_root) {
    const std::filesystem::path standard = "/sys/fs/bpf";
    std::filesystem::path root = std::filesystem::path(pin_root).lexically_normal();
    if (is_bpffs(existing_part(root))) return false;
    auto [end, unused] = std::mismatch(standard.begin(), standard.end(), root.begin(), root.end());
    if (end != standard.end())
        return std::unexpected(fmt::format(
            "{}: not on a bpffs; choose a --pin-path under /sys/fs/bpf, or mount one there (mount -t bpf bpf "
            "DIR)",
            pin_root));
    if (::mount("bpf", standard.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") != 0)
        return std::unexpected(
            fmt::format("/sys/fs/bpf: no bpffs is mounted and mounting one failed: {}; run as root, or "
                        "have the host mount it (mount -t bpf bpf /sys/fs/bpf)",
                        std::generic_category().message(errno)));
    return true;
}

void remove_pins(const std::string& pin_root) {
    std::error_code ignored;
    std::filesystem::remove_all(pin_root, ignored);
}

}  // namespace weir::datapath
