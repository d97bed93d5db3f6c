// SPDX-License-Identifier: Apache-2.0
#include "loader/view/config_in_force.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "loader/datapath/skeletons.hpp"
#include "maps/fd.hpp"

namespace weir::view {

namespace {

std::uint32_t map_id(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ? 0 : info.id;
}

// The ids of the maps of a program of this name; none: it is another one.
std::vector<std::uint32_t> maps_of_program(std::uint32_t id, std::string_view name) {
    maps::Fd fd(bpf_prog_get_fd_by_id(id));
    std::vector<std::uint32_t> ids(64);
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    info.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
    info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) < 0) return {};
    // The kernel keeps the first 15 characters.
    if (name.substr(0, BPF_OBJ_NAME_LEN - 1) != info.name) return {};
    ids.resize(std::min<std::size_t>(ids.size(), info.nr_map_ids));
    return ids;
}

std::optional<abi::datapath_config> config_of_rodata(std::uint32_t id) {
    struct Destroy {
        void operator()(tc_bpf* skeleton) const { tc_bpf::destroy(skeleton); }
    };
    maps::Fd fd(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) < 0) return std::nullopt;
    if (!std::string_view(info.name).ends_with(".rodata")) return std::nullopt;
    // The place in .rodata is known for programs of this build only.
    std::unique_ptr<tc_bpf, Destroy> skeleton(tc_bpf::open());
    if (!skeleton || bpf_map__value_size(skeleton->maps.rodata) != info.value_size) return std::nullopt;
    const auto* rodata = reinterpret_cast<const char*>(skeleton->rodata);
    auto offset = reinterpret_cast<const char*>(&skeleton->rodata->config) - rodata;
    std::vector<char> value(info.value_size);
    std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(fd.get(), &zero, value.data()) < 0) return std::nullopt;
    abi::datapath_config config;
    std::memcpy(&config, value.data() + offset, sizeof(config));
    return config;
}

}  // namespace

std::optional<abi::datapath_config> config_in_force(int map_fd) {
    auto wanted = map_id(map_fd);
    for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
        auto ids = maps_of_program(id, "weir_workload_ingress");
        if (std::ranges::find(ids, wanted) == ids.end()) continue;
        for (auto of_program : ids) {
            if (auto config = config_of_rodata(of_program)) return config;
        }
    }
    return std::nullopt;
}

}  // namespace weir::view
