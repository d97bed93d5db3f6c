// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/probe.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>

#include <array>
#include <cerrno>
#include <optional>

#include "loader/net/netlink.hpp"
#include "maps/fd.hpp"

namespace weir::datapath {

namespace {

// Linux 6.6's BPF_TCX_INGRESS and 6.3's generic netlink family "netdev" by number: Debian 12's headers end before them.
constexpr auto tcx_ingress = static_cast<bpf_attach_type>(46);
constexpr std::uint8_t netdev_get_device = 1;
constexpr std::uint16_t netdev_ifindex = 1;
constexpr std::uint16_t netdev_xdp_features = 3;
constexpr std::uint64_t xdp_basic_and_redirect = 1 | 2;
constexpr std::uint64_t xdp_xmit = 4;

std::optional<std::uint16_t> generic_family(net::NetlinkSocket& socket, const std::string& name) {
    net::NetlinkRequest request(GENL_ID_CTRL, 0);
    request.add_header(genlmsghdr{.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0});
    request.add(CTRL_ATTR_FAMILY_NAME, name);
    std::optional<std::uint16_t> family;
    auto asked = socket.request(request, [&](const nlmsghdr& message) {
        const auto* id = net::Attributes(message, sizeof(genlmsghdr)).find(CTRL_ATTR_FAMILY_ID);
        if (id) family = mnl_attr_get_u16(id);
    });
    if (!asked) return std::nullopt;
    return family;
}

}  // namespace

std::error_code try_bpf() {
    maps::Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_check", 4, 4, 1, nullptr));
    return map ? std::error_code{} : std::error_code{errno, std::generic_category()};
}

Answer kernel_has_tcx() {
    // return TC_ACT_OK
    constexpr std::array<bpf_insn, 2> pass{
        bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    maps::Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weir_check", "GPL", pass.data(), pass.size(), nullptr));
    if (!program) return Answer::unknown;
    // There is no interface 0: a kernel with tcx misses the interface (ENODEV), others refuse the type (EINVAL).
    maps::Fd link(bpf_link_create(program.get(), 0, tcx_ingress, nullptr));
    return !link && errno == ENODEV ? Answer::yes : Answer::no;
}

namespace {

Answer driver_has(unsigned ifindex, std::uint64_t wanted) {
    auto socket = net::NetlinkSocket::open(NETLINK_GENERIC);
    if (!socket) return Answer::unknown;
    auto family = generic_family(*socket, "netdev");
    if (!family) return Answer::unknown;
    net::NetlinkRequest request(*family, 0);
    request.add_header(genlmsghdr{.cmd = netdev_get_device, .version = 1, .reserved = 0});
    request.add(netdev_ifindex, std::uint32_t{ifindex});
    auto answer = Answer::unknown;
    auto asked = socket->request(request, [&](const nlmsghdr& message) {
        const auto* features = net::Attributes(message, sizeof(genlmsghdr)).find(netdev_xdp_features);
        if (!features) return;
        bool able = (mnl_attr_get_u64(features) & wanted) == wanted;
        answer = able ? Answer::yes : Answer::no;
    });
    return asked ? answer : Answer::unknown;
}

}  // namespace

Answer driver_has_xdp(unsigned ifindex) {
    return driver_has(ifindex, xdp_basic_and_redirect);
}

Answer driver_has_xdp_xmit(unsigned ifindex) {
    return driver_has(ifindex, xdp_xmit);
}

}  // namespace weir::datapath
