// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/kernel.hpp"

#include <sys/socket.h>
#include <sys/utsname.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "maps/fd.hpp"

namespace weir::datapath {

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

void remove_pins(const std::string& pin_root) {
    std::error_code ignored;
    std::filesystem::remove_all(pin_root, ignored);
}

}  // namespace weir::datapath
