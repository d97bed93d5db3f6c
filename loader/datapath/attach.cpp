// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/attach.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "loader/datapath/kernel.hpp"
#include "loader/datapath/libbpf_log.hpp"
#include "loader/datapath/probe.hpp"
#include "loader/datapath/socket_hooks.hpp"

namespace weir::datapath {

namespace {

// Linux 6.6's attach types by number: libbpf 1.1's headers end before them, its bpf_link_create passes them on.
constexpr auto tcx_ingress = static_cast<bpf_attach_type>(46);
constexpr auto tcx_egress = static_cast<bpf_attach_type>(47);

// One filter per direction under this handle and priority, so that a restarted agent finds and replaces its own. A low
// number: filters in front of ours that decide finally would hide the packet from us, ours never decides about foreign
// packets.
constexpr std::uint32_t clsact_handle = 0x77656972;
constexpr std::uint32_t clsact_priority = 2;

std::string message(int negative_errno) {
    return std::generic_category().message(-negative_errno);
}

std::string_view pin_name(Hook hook) {
    switch (hook) {
        case Hook::xdp:
            return "xdp";
        case Hook::tc_ingress:
            return "tc-ingress";
        case Hook::tc_egress:
            return "tc-egress";
    }
    return "";
}

// A link pinned by an earlier agent whose interface still exists (a link of a vanished interface has ifindex 0).
maps::Fd live_link(const std::string& path, unsigned ifindex, bool xdp) {
    auto fd = maps::raw::open_pinned(path);
    if (!fd) return {};
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd->get(), &info, &size) < 0) return {};
    // tcx is unknown to these headers; its info begins with the ifindex, too (struct bpf_link_info.tcx).
    unsigned attached_to = xdp ? info.xdp.ifindex : *reinterpret_cast<const std::uint32_t*>(&info.raw_tracepoint);
    if (attached_to != ifindex) return {};
    return std::move(*fd);
}

// The XDP_FLAGS_* of the program that an interface has; 0: none, or unknown.
std::uint32_t xdp_mode(unsigned ifindex) {
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) < 0) return 0;
    if (query.attach_mode == XDP_ATTACHED_DRV) return XDP_FLAGS_DRV_MODE;
    return query.attach_mode == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE : 0;
}

// Updates the pinned link of this hook, or makes one and pins it. flags: XDP_FLAGS_* for XDP.
int link_program(const maps::PinPaths& pins, unsigned ifindex, Hook hook, bpf_attach_type type, int program,
                 std::uint32_t flags) {
    std::string path = pins.link(ifindex, pin_name(hook));
    auto link = live_link(path, ifindex, hook == Hook::xdp);
    // A link keeps the mode (native or generic) that it was made with: for another one it is made anew below.
    if (link && (hook != Hook::xdp || xdp_mode(ifindex) == flags)) {
        LIBBPF_OPTS(bpf_link_update_opts, update);
        if (bpf_link_update(link.get(), program, &update) == 0) return 0;
    }
    link.reset();
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    LIBBPF_OPTS(bpf_link_create_opts, create, .flags = flags);
    link = maps::Fd(bpf_link_create(program, static_cast<int>(ifindex), type, &create));
    if (!link) return -errno;
    if (int result = bpf_obj_pin(link.get(), path.c_str()); result < 0) return result;
    return 0;
}

int clsact_program(unsigned ifindex, bpf_tc_attach_point point, int program) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex), .attach_point = point);
    int result = bpf_tc_hook_create(&hook);
    if (result < 0 && result != -EEXIST) return result;
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE, .handle = clsact_handle,
                .priority = clsact_priority);
    return bpf_tc_attach(&hook, &options);
}

// The handle is ours if the program's name is.
bool is_ours(std::uint32_t program_id) {
    maps::Fd program(bpf_prog_get_fd_by_id(program_id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) < 0) return false;
    return std::string_view(info.name).starts_with("weir_");
}

// Answers whether our filter was there.
bool remove_clsact(unsigned ifindex, bpf_tc_attach_point point) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex), .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, query, .handle = clsact_handle, .priority = clsact_priority);
    if (bpf_tc_query(&hook, &query) < 0 || !is_ours(query.prog_id)) return false;
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = clsact_handle, .priority = clsact_priority);
    return bpf_tc_detach(&hook, &options) == 0;
}

std::optional<unsigned> ifindex_of_pin(const std::filesystem::path& path) {
    std::string name = path.filename();
    unsigned ifindex = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), ifindex);
    if (error != std::errc{} || end == name.data() + name.size() || *end != '-') return std::nullopt;
    return ifindex;
}

}  // namespace

Attacher::Attacher(const Settings& settings, const Programs& programs)
    : settings_(settings), programs_(programs), tcx_(settings.tc != TcMode::clsact) {}

std::expected<Attached, std::string> Attacher::attach(unsigned ifindex, const std::string& name,
                                                      const std::string& kind, bool uplink,
                                                      std::vector<std::string>& notes) {
    Attached attached{.ifindex = ifindex, .name = name, .uplink = uplink, .xdp = {}, .tc = {}};
    auto tc = attach_tc(ifindex, uplink ? programs_.uplink_ingress_fd() : programs_.workload_ingress_fd(),
                        programs_.egress_fd());
    if (!tc) return std::unexpected(fmt::format("{}: {}", name, tc.error()));
    attached.tc = *tc;
    if (!uplink) {
        // Detaches XDP from a former uplink: every packet there would count as coming from outside.
        std::error_code ignored;
        std::filesystem::remove(settings_.pins.link(ifindex, pin_name(Hook::xdp)), ignored);
        return attached;
    }
    if (auto xdp = attach_xdp(ifindex, kind, notes, name))
        attached.xdp = *xdp;
    else
        attached.failure = fmt::format("{}: {}", name, xdp.error());
    // Generic XDP sends by the ordinary way; a kernel that does not tell (Linux < 6.3) is trusted.
    attached.xdp_xmit =
        attached.xdp == "generic" || (attached.xdp == "native" && driver_has_xdp_xmit(ifindex) != Answer::no);
    return attached;
}

std::expected<std::string, std::string> Attacher::attach_tc(unsigned ifindex, int ingress, int egress) {
    LibbpfLog quiet;
    if (tcx_) {
        int result = link_program(settings_.pins, ifindex, Hook::tc_ingress, tcx_ingress, ingress, 0);
        if (result == 0) result = link_program(settings_.pins, ifindex, Hook::tc_egress, tcx_egress, egress, 0);
        if (result == 0) {
            // An agent on another setting, or an older one, may have left filters: two copies would rewrite twice.
            remove_clsact(ifindex, BPF_TC_INGRESS);
            remove_clsact(ifindex, BPF_TC_EGRESS);
            return "tcx";
        }
        if (result != -EINVAL || settings_.tc == TcMode::tcx)
            return std::unexpected(fmt::format("cannot attach tcx programs: {}", message(result)));
        tcx_ = false;  // EINVAL: an attach type that this kernel does not know (Linux < 6.6)
    }
    int result = clsact_program(ifindex, BPF_TC_INGRESS, ingress);
    if (result == 0) result = clsact_program(ifindex, BPF_TC_EGRESS, egress);
    if (result < 0) return std::unexpected(fmt::format("cannot attach tc filters: {}", message(result)));
    std::error_code ignored;
    std::filesystem::remove(settings_.pins.link(ifindex, pin_name(Hook::tc_ingress)), ignored);
    std::filesystem::remove(settings_.pins.link(ifindex, pin_name(Hook::tc_egress)), ignored);
    return "clsact";
}

std::expected<std::string, std::string> Attacher::attach_xdp(unsigned ifindex, const std::string& kind,
                                                             std::vector<std::string>& notes, const std::string& name) {
    std::error_code ignored;
    std::string pin = settings_.pins.link(ifindex, pin_name(Hook::xdp));
    // A veth drops what XDP sends unless its far end runs NAPI (XDP or GRO there), which cannot be seen from this side:
    // native XDP on a veth is for those who ask for it. Virtual overlay devices have no native XDP at all.
    bool wanted = settings_.xdp == XdpMode::native || settings_.xdp == XdpMode::generic ||
                  (settings_.xdp == XdpMode::automatic && kind != "veth");
    if (kind == "vxlan" || kind == "geneve" || kind == "gretap") wanted = false;
    if (!wanted) {
        std::filesystem::remove(pin, ignored);
        return "";
    }
    bool generic = settings_.xdp == XdpMode::generic;
    LibbpfLog quiet;
    int result = link_program(settings_.pins, ifindex, Hook::xdp, BPF_XDP, programs_.xdp_fd(),
                              generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    if (result == 0) return generic ? "generic" : "native";
    if (result == -EBUSY)
        notes.push_back(fmt::format("{}: another XDP program is attached; weir works there through tc", name));
    else if (settings_.xdp == XdpMode::automatic)
        notes.push_back(fmt::format("{}: the driver takes no native XDP program ({}); weir works there through tc",
                                    name, message(result)));
    else
        return std::unexpected(fmt::format("cannot attach XDP in {} mode: {}; datapath.xdp: auto falls back to tc",
                                           generic ? "generic" : "native", message(result)));
    return "";
}

void Attacher::detach(unsigned ifindex) {
    std::error_code ignored;
    for (auto hook : {Hook::xdp, Hook::tc_ingress, Hook::tc_egress})
        std::filesystem::remove(settings_.pins.link(ifindex, pin_name(hook)), ignored);
    LibbpfLog quiet;
    remove_clsact(ifindex, BPF_TC_INGRESS);
    remove_clsact(ifindex, BPF_TC_EGRESS);
}

void Attacher::drop_others(const std::vector<unsigned>& in_use) {
    std::error_code ignored;
    std::vector<unsigned> others;
    for (const auto& entry : std::filesystem::directory_iterator(settings_.pins.links(), ignored)) {
        auto ifindex = ifindex_of_pin(entry.path());
        if (ifindex && std::ranges::find(in_use, *ifindex) == in_use.end()) others.push_back(*ifindex);
    }
    for (unsigned ifindex : others) detach(ifindex);
}

std::vector<std::string> detach_everything(const maps::PinPaths& pins) {
    std::vector<std::string> removed;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(pins.links(), error)) {
        if (is_socket_hook_pin(entry.path().filename().string())) {
            removed.push_back(entry.path().string());
            continue;
        }
        auto ifindex = ifindex_of_pin(entry.path());
        char name[IF_NAMESIZE] = {};
        bool present = ifindex && ::if_indextoname(*ifindex, name) != nullptr;
        removed.push_back(fmt::format("{} ({})", entry.path().string(), present ? name : "interface is gone"));
    }
    {
        LibbpfLog quiet;
        std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> all(::if_nameindex(), ::if_freenameindex);
        for (auto* link = all.get(); link && link->if_index != 0; ++link) {
            if (remove_clsact(link->if_index, BPF_TC_INGRESS))
                removed.push_back(fmt::format("tc ingress filter of {}", link->if_name));
            if (remove_clsact(link->if_index, BPF_TC_EGRESS))
                removed.push_back(fmt::format("tc egress filter of {}", link->if_name));
        }
    }
    if (std::filesystem::exists(pins.maps(), error)) removed.push_back(pins.maps());
    remove_socket_hooks(pins);
    remove_pins(pins.root);
    return removed;
}

}  // namespace weir::datapath
