// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/kernel_writer.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <vector>

#include "loader/apply/slot_writer.hpp"
#include "loader/model/abi_address.hpp"

namespace weir::apply {

namespace {

std::string failure(std::string_view map, std::error_code error) {
    if (error.value() == E2BIG)
        return fmt::format("map {}: full; raise its size (`weir check` names the key) and restart", map);
    return fmt::format("map {}: {}", map, error.message());
}

template <class M, class Entries>
Written write_all(M& map, std::string_view name, Entries entries) {
    if (auto [done, error] = map.update_all(entries); error) return std::unexpected(failure(name, error));
    return {};
}

template <class M, class Keys>
Written erase_all(M& map, std::string_view name, const Keys& keys) {
    for (const auto& key : keys) {
        if (auto error = map.erase(key)) return std::unexpected(failure(name, error));
    }
    return {};
}

}  // namespace

KernelWriter::KernelWriter(const datapath::Programs& programs)
    : KernelWriter([&](std::string_view name) { return programs.map_fd(name); }) {}

KernelWriter::KernelWriter(const MapFd& map_fd)
    : frontends_(maps::view<maps::FrontendMap>(map_fd("frontends"))),
      slots_(maps::view<maps::SlotMap>(map_fd("slots"))),
      backends_(maps::view<maps::BackendMap>(map_fd("backends"))),
      services_(maps::view<maps::ServiceMap>(map_fd("services"))),
      vips_(maps::view<maps::VipMap>(map_fd("vips"))),
      source_ranges_(maps::view<maps::SourceRangeMap>(map_fd("source_ranges"))),
      devices_(maps::view<maps::DeviceMap>(map_fd("devices"))),
      runtime_(maps::view<maps::RuntimeMap>(map_fd("runtime"))) {}

Written KernelWriter::put_backends(std::span<const plan::BackendEntry> entries) {
    return write_all(backends_, "backends", entries);
}

Written KernelWriter::put_services(std::span<const plan::ServiceEntry> entries) {
    return write_all(services_, "services", entries);
}

Written KernelWriter::put_slots(std::span<const plan::SlotTable> tables) {
    if (auto error = write_tables(slots_, tables)) return std::unexpected(failure("slots", error));
    return {};
}

Written KernelWriter::put_source_ranges(std::span<const abi::source_range_key> keys) {
    for (const auto& key : keys)
        if (auto error = source_ranges_.update(key, 1)) return std::unexpected(failure("source_ranges", error));
    return {};
}

Written KernelWriter::put_frontends(std::span<const plan::FrontendEntry> entries) {
    return write_all(frontends_, "frontends", entries);
}

Written KernelWriter::put_vips(std::span<const plan::VipEntry> entries) {
    return write_all(vips_, "vips", entries);
}

Written KernelWriter::remove_frontends(std::span<const abi::frontend_key> keys) {
    return erase_all(frontends_, "frontends", keys);
}

Written KernelWriter::remove_vips(std::span<const abi::address> addresses) {
    return erase_all(vips_, "vips", addresses);
}

Written KernelWriter::remove_source_ranges(std::span<const abi::source_range_key> keys) {
    return erase_all(source_ranges_, "source_ranges", keys);
}

Written KernelWriter::remove_services(std::span<const std::uint32_t> ids) {
    return erase_all(services_, "services", ids);
}

// Writes zeros, which mean no backend: the kernel cannot delete an array's elements.
Written KernelWriter::remove_backends(std::span<const std::uint32_t> ids) {
    std::vector<plan::BackendEntry> zeroed;
    zeroed.reserve(ids.size());
    for (auto id : ids) zeroed.emplace_back(id, abi::backend{});
    return put_backends(zeroed);
}

std::expected<plan::MapContents, std::string> KernelWriter::read() const {
    plan::MapContents contents;
    auto error =
        frontends_.for_each([&](const auto& key, const auto& value) { contents.frontends.emplace_back(key, value); });
    if (error) return std::unexpected(failure("frontends", error));
    error = services_.for_each([&](auto key, const auto& value) { contents.services.emplace_back(key, value); });
    if (error) return std::unexpected(failure("services", error));
    error = backends_.for_each([&](auto key, const auto& value) {
        if (value.flags & abi::BACKEND_IN_USE) contents.backends.emplace_back(key, value);
    });
    if (error) return std::unexpected(failure("backends", error));
    error = vips_.for_each([&](const auto& key, const auto& value) { contents.vips.emplace_back(key, value); });
    if (error) return std::unexpected(failure("vips", error));
    error = source_ranges_.for_each([&](const auto& key, auto) { contents.source_ranges.push_back(key); });
    if (error) return std::unexpected(failure("source_ranges", error));
    error = slots_.for_each([&](auto, const auto& value) { contents.slots.push_back(value); });
    if (error) return std::unexpected(failure("slots", error));
    return contents;
}

Written KernelWriter::set_devices(const std::map<unsigned, abi::device>& devices) {
    std::vector<std::uint32_t> gone;
    auto error = devices_.for_each([&](auto ifindex, const auto&) {
        if (!devices.contains(ifindex)) gone.push_back(ifindex);
    });
    if (error) return std::unexpected(failure("devices", error));
    for (const auto& [ifindex, device] : devices) {
        if (auto failed = devices_.update(ifindex, device)) return std::unexpected(failure("devices", failed));
    }
    return erase_all(devices_, "devices", gone);
}

Written KernelWriter::bump_route_generation() {
    auto runtime = runtime_.lookup(0);
    if (!runtime) return std::unexpected(std::string("map runtime: cannot be read"));
    // Skips 0, which marks a flow whose next hop was never looked up.
    if (++runtime->route_generation == 0) runtime->route_generation = 1;
    if (auto error = runtime_.update(0, *runtime)) return std::unexpected(failure("runtime", error));
    return {};
}

Written KernelWriter::set_node_addresses(const std::vector<model::Address>& addresses) {
    auto runtime = runtime_.lookup(0);
    if (!runtime) return std::unexpected(std::string("map runtime: cannot be read"));
    auto before = *runtime;
    runtime->node4_be = 0;
    runtime->node6 = {};
    for (auto family : {model::Family::ipv4, model::Family::ipv6}) {
        const auto* first = model::first_of(addresses, family);
        if (!first) continue;
        if (family == model::Family::ipv4)
            runtime->node4_be = first->ipv4_be();
        else
            runtime->node6 = model::abi_address(*first);
    }
    if (std::memcmp(&before, &*runtime, sizeof(before)) == 0) return {};
    if (auto error = runtime_.update(0, *runtime)) return std::unexpected(failure("runtime", error));
    return {};
}

}  // namespace weir::apply
