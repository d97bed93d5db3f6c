// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/hooks.hpp"

#include "loader/datapath/socket_hooks.hpp"

namespace weir::agent {

std::expected<datapath::Attached, std::string> KernelHooks::attach(const net::Link& link, bool is_uplink,
                                                                   std::vector<std::string>& notes) {
    return attacher_.attach(link.ifindex, link.name, link.kind, is_uplink, notes);
}

void KernelHooks::detach(unsigned ifindex) {
    attacher_.detach(ifindex);
}

void KernelHooks::drop_others(const std::vector<unsigned>& in_use) {
    attacher_.drop_others(in_use);
}

std::expected<datapath::Cgroup, std::string> KernelHooks::attach_sockets() {
    auto cgroup = datapath::open_cgroup(settings_.cgroup);
    if (!cgroup) return cgroup;
    if (auto attached = datapath::attach_socket_hooks(settings_.pins, programs_, *cgroup); !attached)
        return std::unexpected(attached.error());
    return cgroup;
}

void KernelHooks::remove_sockets() {
    datapath::remove_socket_hooks(settings_.pins);
}

}  // namespace weir::agent
