// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/socket_hooks.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "loader/datapath/libbpf_log.hpp"

namespace weir::datapath {

namespace {

struct SocketHook {
    std::string_view name;  // as in the program's name, weir_NAME
    bpf_attach_type type;
};

// The hooks that undo a translation come before those that make one.
constexpr std::array hooks{
    SocketHook{"sock_release", BPF_CGROUP_INET_SOCK_RELEASE}, SocketHook{"getpeername4", BPF_CGROUP_INET4_GETPEERNAME},
    SocketHook{"getpeername6", BPF_CGROUP_INET6_GETPEERNAME}, SocketHook{"recvmsg4", BPF_CGROUP_UDP4_RECVMSG},
    SocketHook{"recvmsg6", BPF_CGROUP_UDP6_RECVMSG},          SocketHook{"sendmsg4", BPF_CGROUP_UDP4_SENDMSG},
    SocketHook{"sendmsg6", BPF_CGROUP_UDP6_SENDMSG},          SocketHook{"connect4", BPF_CGROUP_INET4_CONNECT},
    SocketHook{"connect6", BPF_CGROUP_INET6_CONNECT},
};

constexpr std::string_view pin_prefix = "cgroup-";

// bpffs takes no '.' and weir's names hold none; "sock_release" would be the only one with an underscore.
std::string pin_of(const maps::PinPaths& pins, std::string_view hook) {
    std::string name(hook);
    for (char& c : name)
        if (c == '_') c = '-';
    return fmt::format("{}/{}{}", pins.links(), pin_prefix, name);
}

// A link pinned by an earlier agent on the same cgroup (a link whose cgroup was removed has id 0).
maps::Fd live_link(const std::string& path, const Cgroup& cgroup, bpf_attach_type type) {
    auto fd = maps::raw::open_pinned(path);
    if (!fd) return {};
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd->get(), &info, &size) < 0 || info.type != BPF_LINK_TYPE_CGROUP) return {};
    if (info.cgroup.cgroup_id != cgroup.id || info.cgroup.attach_type != static_cast<std::uint32_t>(type)) return {};
    return std::move(*fd);
}

int attach(const maps::PinPaths& pins, const SocketHook& hook, int program, const Cgroup& cgroup, int folder) {
    std::string path = pin_of(pins, hook.name);
    if (auto link = live_link(path, cgroup, hook.type)) return bpf_link_update(link.get(), program, nullptr);
    // A link on a cgroup stands beside those of others (BPF_F_ALLOW_MULTI is implied).
    maps::Fd link(bpf_link_create(program, folder, hook.type, nullptr));
    if (!link) return -errno;
    // Removes a link on another cgroup, now that the new one works.
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return bpf_obj_pin(link.get(), path.c_str());
}

}  // namespace

std::expected<void, std::string> attach_socket_hooks(const maps::PinPaths& pins, const Programs& programs,
                                                     const Cgroup& cgroup) {
    maps::Fd folder(::open(cgroup.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return std::unexpected(fmt::format("{}: {}", cgroup.path, std::generic_category().message(errno)));
    LibbpfLog quiet;
    for (const auto& hook : hooks) {
        int program = programs.socket_fd(hook.name);
        if (program < 0) return std::unexpected(std::string("the socket programs are not loaded"));
        if (int result = attach(pins, hook, program, cgroup, folder.get()); result < 0)
            return std::unexpected(fmt::format("{}: cannot attach the socket hook {}: {}", cgroup.path, hook.name,
                                               std::generic_category().message(-result)));
    }
    return {};
}

void remove_socket_hooks(const maps::PinPaths& pins) {
    std::error_code ignored;
    // In the other direction than they came.
    for (auto hook = hooks.rbegin(); hook != hooks.rend(); ++hook)
        std::filesystem::remove(pin_of(pins, hook->name), ignored);
}

bool is_socket_hook_pin(std::string_view file_name) {
    return file_name.starts_with(pin_prefix);
}

}  // namespace weir::datapath
