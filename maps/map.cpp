// SPDX-License-Identifier: Apache-2.0
#include "maps/map.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <fstream>

namespace weir::maps::raw {

namespace {

// libbpf returns -errno and sets errno; bpf() wrappers agree on the first since 1.0.
std::error_code code(int result) {
    return result < 0 ? std::error_code(-result, std::generic_category()) : std::error_code{};
}

}  // namespace

std::error_code update(int fd, const void* key, const void* value) {
    return code(bpf_map_update_elem(fd, key, value, BPF_ANY));
}

std::error_code lookup(int fd, const void* key, void* value) {
    return code(bpf_map_lookup_elem(fd, key, value));
}

std::error_code erase(int fd, const void* key) {
    return code(bpf_map_delete_elem(fd, key));
}

std::error_code next_key(int fd, const void* key, void* next) {
    return code(bpf_map_get_next_key(fd, key, next));
}

std::error_code update_batch(int fd, const void* keys, const void* values, std::uint32_t& count) {
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    return code(bpf_map_update_batch(fd, keys, values, &count, &options));
}

std::error_code lookup_batch(int fd, void* in, void* out, void* keys, void* values, std::uint32_t& count) {
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    return code(bpf_map_lookup_batch(fd, in, out, keys, values, &count, &options));
}

Result<Shape> shape(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (int result = bpf_obj_get_info_by_fd(fd, &info, &size); result < 0) return std::unexpected(code(result));
    return Shape{info.type, info.key_size, info.value_size, info.max_entries};
}

std::uint64_t memory(int fd) {
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
    for (std::string key; info >> key;) {
        std::uint64_t octets = 0;
        if (key == "memlock:" && info >> octets) return octets;
    }
    return 0;
}

Result<Fd> open_pinned(const std::string& path) {
    int fd = bpf_obj_get(path.c_str());
    if (fd < 0) return std::unexpected(code(fd));
    return Fd(fd);
}

unsigned possible_cpus() {
    int cpus = libbpf_num_possible_cpus();
    return cpus > 0 ? static_cast<unsigned>(cpus) : 1;
}

}  // namespace weir::maps::raw
