// SPDX-License-Identifier: Apache-2.0
// The sockets that the socket hooks see: those of the processes in a cgroup v2 folder and below it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace weir::datapath {

// Mount point of the first cgroup v2 hierarchy in /proc/self/mountinfo's text; empty: there is none.
std::string find_cgroup2(const std::string& mountinfo);

struct Cgroup {
    std::string path;
    std::uint64_t id = 0;  // as the kernel names it (bpf_link_info.cgroup.cgroup_id): the folder's inode number
    // False: in a container with a cgroup namespace of its own, or by choice. Processes beside it are not served.
    bool root = true;
    bool operator==(const Cgroup&) const = default;
};

// configured: a folder, or empty: the whole hierarchy, wherever it is mounted. The error says what to do.
std::expected<Cgroup, std::string> open_cgroup(const std::string& configured);

}  // namespace weir::datapath
