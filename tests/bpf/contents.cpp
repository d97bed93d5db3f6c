// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/contents.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace weir::test {

namespace {

std::vector<std::uint8_t> piece(const std::vector<std::uint8_t>& whole, std::size_t number, std::size_t size) {
    auto begin = whole.begin() + static_cast<std::ptrdiff_t>(number * size);
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

std::map<Contents::Octets, Contents::Octets> Contents::read(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size))
        throw std::runtime_error(fmt::format("asking for a map: {}", std::strerror(errno)));
    std::size_t value_size = info.value_size;
    if (info.type == BPF_MAP_TYPE_PERCPU_HASH || info.type == BPF_MAP_TYPE_PERCPU_ARRAY ||
        info.type == BPF_MAP_TYPE_LRU_PERCPU_HASH)
        value_size = (value_size + 7) / 8 * 8 * static_cast<std::size_t>(libbpf_num_possible_cpus());
    std::vector<std::uint8_t> keys(std::size_t{info.max_entries} * info.key_size);
    std::vector<std::uint8_t> values(std::size_t{info.max_entries} * value_size);
    std::uint32_t count = info.max_entries;
    // The kernel writes here where to go on: a key for arrays, 32 bits for hashes.
    std::vector<std::uint8_t> next(std::max(std::size_t{info.key_size}, sizeof(std::uint32_t)));
    if (bpf_map_lookup_batch(fd, nullptr, next.data(), keys.data(), values.data(), &count, nullptr) && errno != ENOENT)
        throw std::runtime_error(fmt::format("reading map {}: {}", info.name, std::strerror(errno)));
    std::map<Octets, Octets> found;
    for (std::uint32_t i = 0; i < count; ++i)
        found.emplace(piece(keys, i, info.key_size), piece(values, i, value_size));
    return found;
}

Contents Contents::of(const Datapath& datapath) {
    Contents contents;
    for (const std::string& name : datapath.map_names())
        if (name != "verdicts") contents.maps_.emplace(name, read(datapath.map(name)));
    return contents;
}

std::vector<std::string> Contents::differences(const Contents& later) const {
    std::vector<std::string> names;
    for (const auto& [name, entries] : maps_)
        if (later.maps_.at(name) != entries) names.push_back(name);
    return names;
}

}  // namespace weir::test
