// SPDX-License-Identifier: Apache-2.0
// The paths of pins, and the maps of a node opened from there.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "maps/abi.h"
#include "maps/map.hpp"
#include "maps/table.hpp"

namespace weir::maps {

inline constexpr std::string_view default_pin_path = "/sys/fs/bpf/weir";

struct PinPaths {
    std::string root;
    std::string maps() const { return root + "/maps"; }
    std::string links() const { return root + "/links"; }
    std::string map(std::string_view name) const { return maps() + "/" + std::string(name); }
    // bpffs takes no '.' in names, which interface names may hold: the index stands for the interface.
    std::string link(unsigned ifindex, std::string_view hook) const {
        return links() + "/" + std::to_string(ifindex) + "-" + std::string(hook);
    }
};

// Names of all maps, in the order of the table.
std::vector<std::string_view> map_names();

class VerdictArray : public PerCpuArray<abi::verdict_count> {
public:
    using PerCpuArray::PerCpuArray;
    VerdictArray(PerCpuArray array) : PerCpuArray(std::move(array)) {}
    static Result<VerdictArray> open(const std::string& path) { return PerCpuArray::open(path); }

    // Over all CPUs, since the maps were made.
    abi::verdict_count total(abi::hook hook, abi::verdict verdict) const {
        abi::verdict_count sum{};
        for (const auto& cpu : lookup(abi::verdict_key(hook, verdict))) {
            sum.packets += cpu.packets;
            sum.octets += cpu.octets;
        }
        return sum;
    }
    // Over all hooks too. An untouched packet is in it once for each hook that it passed, any other one once.
    abi::verdict_count total(abi::verdict verdict) const {
        abi::verdict_count sum{};
        for (std::uint32_t hook = 0; hook < abi::HOOK_COUNT; ++hook) {
            auto here = total(static_cast<abi::hook>(hook), verdict);
            sum.packets += here.packets;
            sum.octets += here.octets;
        }
        return sum;
    }
};

// Opens one pinned map; the error is a sentence for a person.
template <class M>
std::expected<M, std::string> open_map(const PinPaths& pins, std::string_view name) {
    auto map = M::open(pins.map(name));
    if (map) return std::move(*map);
    if (map.error().value() == ENOENT)
        return std::unexpected(
            fmt::format("{}: no such map; weir is not loaded here (start it with `weir run`, or name its --pin-path)",
                        pins.map(name)));
    if (map.error().value() == EPERM || map.error().value() == EACCES)
        return std::unexpected(fmt::format("{}: {}; run as root", pins.map(name), map.error().message()));
    if (map.error().value() == EINVAL)
        return std::unexpected(
            fmt::format("{}: made by another version of weir; use that version's command line", pins.map(name)));
    return std::unexpected(fmt::format("{}: {}", pins.map(name), map.error().message()));
}

}  // namespace weir::maps
