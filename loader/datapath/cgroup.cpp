// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/cgroup.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace weir::datapath {

// A line is "ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS... - TYPE SOURCE OPTIONS" (proc(5)).
std::string find_cgroup2(const std::string& mountinfo) {
    std::istringstream lines(mountinfo);
    for (std::string line; std::getline(lines, line);) {
        if (line.find(" - cgroup2 ") == std::string::npos) continue;
        std::istringstream fields(line);
        std::string mount_point;
        for (int field = 0; field < 5; ++field) fields >> mount_point;
        return mount_point;
    }
    return {};
}

std::expected<Cgroup, std::string> open_cgroup(const std::string& configured) {
    Cgroup cgroup{.path = configured};
    if (configured.empty()) {
        std::ifstream mountinfo("/proc/self/mountinfo");
        cgroup.path = find_cgroup2({std::istreambuf_iterator<char>(mountinfo), {}});
        if (cgroup.path.empty())
            return std::unexpected(
                std::string("no cgroup v2 hierarchy is mounted; mount -t cgroup2 none /sys/fs/cgroup/unified"));
    }
    struct stat status {};
    struct statfs filesystem {};
    if (::stat(cgroup.path.c_str(), &status) != 0 || ::statfs(cgroup.path.c_str(), &filesystem) != 0)
        return std::unexpected(
            fmt::format("{}: {}; check --cgroup", cgroup.path, std::generic_category().message(errno)));
    if (!S_ISDIR(status.st_mode) || static_cast<unsigned long>(filesystem.f_type) != CGROUP2_SUPER_MAGIC)
        return std::unexpected(fmt::format("{}: not a folder of cgroup v2; check --cgroup", cgroup.path));
    cgroup.id = status.st_ino;
    // Every cgroup but the root has this file (Linux, Documentation/admin-guide/cgroup-v2.rst).
    cgroup.root = ::access((cgroup.path + "/cgroup.type").c_str(), F_OK) != 0;
    return cgroup;
}

}  // namespace weir::datapath
