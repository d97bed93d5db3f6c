// SPDX-License-Identifier: Apache-2.0
// Typed views over kernel maps. A view owns its file descriptor; keys and values are the structs of maps/abi.h.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "maps/fd.hpp"

namespace weir::maps {

template <class T>
using Result = std::expected<T, std::error_code>;

// The untyped half: thin wrappers of the bpf() commands, so that <bpf/bpf.h> stays out of every file that reads a map.
namespace raw {
std::error_code update(int fd, const void* key, const void* value);
std::error_code lookup(int fd, const void* key, void* value);
std::error_code erase(int fd, const void* key);
std::error_code next_key(int fd, const void* key, void* next);
// Sets count to the number of elements written.
std::error_code update_batch(int fd, const void* keys, const void* values, std::uint32_t& count);
// in is null at the start; out is given back as in. ENOENT with count elements: the end.
std::error_code lookup_batch(int fd, void* in, void* out, void* keys, void* values, std::uint32_t& count);
struct Shape {
    std::uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0;
};
Result<Shape> shape(int fd);
// Octets of memory that the kernel charges for the map; 0 where it does not tell.
std::uint64_t memory(int fd);
Result<Fd> open_pinned(const std::string& path);
unsigned possible_cpus();
}  // namespace raw

template <class Key, class Value>
class Map {
    static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

public:
    using key_type = Key;
    using value_type = Value;

    Map() = default;
    explicit Map(Fd fd) : fd_(std::move(fd)) {}

    // EINVAL where the pinned map has other sizes than Key and Value: another version of the ABI.
    static Result<Map> open(const std::string& path) {
        auto fd = raw::open_pinned(path);
        if (!fd) return std::unexpected(fd.error());
        auto shape = raw::shape(fd->get());
        if (!shape) return std::unexpected(shape.error());
        if (shape->key_size != sizeof(Key) || shape->value_size != sizeof(Value))
            return std::unexpected(std::make_error_code(std::errc::invalid_argument));
        return Map(std::move(*fd));
    }

    int fd() const { return fd_.get(); }
    explicit operator bool() const { return static_cast<bool>(fd_); }
    std::uint32_t max_entries() const {
        auto shape = raw::shape(fd_.get());
        return shape ? shape->max_entries : 0;
    }

    std::optional<Value> lookup(const Key& key) const {
        Value value;
        if (raw::lookup(fd_.get(), &key, &value)) return std::nullopt;
        return value;
    }
    std::error_code update(const Key& key, const Value& value) { return raw::update(fd_.get(), &key, &value); }
    // No error where the key is not there.
    std::error_code erase(const Key& key) {
        auto error = raw::erase(fd_.get(), &key);
        return error.value() == ENOENT ? std::error_code{} : error;
    }

    // Writes in order; stops at the first failure and says how many were written.
    std::pair<std::size_t, std::error_code> update_all(std::span<const Key> keys, std::span<const Value> values) {
        auto count = static_cast<std::uint32_t>(keys.size());
        auto error = raw::update_batch(fd_.get(), keys.data(), values.data(), count);
        return {error ? count : keys.size(), error};
    }
    std::pair<std::size_t, std::error_code> update_all(std::span<const std::pair<Key, Value>> entries) {
        constexpr std::size_t chunk = 4096;
        std::vector<Key> keys;
        std::vector<Value> values;
        std::size_t done = 0;
        while (done < entries.size()) {
            auto part = entries.subspan(done, std::min(chunk, entries.size() - done));
            keys.clear();
            values.clear();
            for (const auto& [key, value] : part) {
                keys.push_back(key);
                values.push_back(value);
            }
            auto [written, error] = update_all(keys, values);
            done += written;
            if (error) return {done, error};
        }
        return {done, {}};
    }

    // Calls visit(key, value) for every element; an array's elements come in index order. Elements that come or go
    // meanwhile may or may not be seen.
    template <class Visit>
    std::error_code for_each(Visit visit) const {
        // A batch must hold the fullest bucket; ENOSPC says that it does not, and asks for more.
        std::size_t chunk = 1024;
        std::vector<Key> keys;
        std::vector<Value> values;
        // Hash maps keep a 32-bit bucket here, arrays their key.
        std::uint64_t position[8] = {};
        static_assert(sizeof(Key) <= sizeof(position));
        bool started = false;
        for (;;) {
            keys.resize(chunk);
            values.resize(chunk);
            auto count = static_cast<std::uint32_t>(chunk);
            std::uint64_t next[8] = {};
            auto error =
                raw::lookup_batch(fd_.get(), started ? position : nullptr, next, keys.data(), values.data(), count);
            if (error.value() == ENOSPC) {
                chunk *= 2;
                continue;
            }
            if (error && error.value() != ENOENT) return error;
            for (std::uint32_t i = 0; i < count; ++i) visit(keys[i], values[i]);
            if (error) return {};
            std::copy(std::begin(next), std::end(next), std::begin(position));
            started = true;
        }
    }

private:
    Fd fd_;
};

// A per-CPU array, read as sums are: one value for each possible CPU.
template <class Value>
class PerCpuArray {
    static_assert(sizeof(Value) % 8 == 0, "the kernel pads values of per-CPU maps to 8 bytes");

public:
    using key_type = std::uint32_t;
    using value_type = Value;

    static Result<PerCpuArray> open(const std::string& path) {
        auto fd = raw::open_pinned(path);
        if (!fd) return std::unexpected(fd.error());
        return PerCpuArray(std::move(*fd));
    }
    explicit PerCpuArray(Fd fd) : fd_(std::move(fd)) {}

    std::vector<Value> lookup(std::uint32_t index) const {
        std::vector<Value> values(raw::possible_cpus());
        if (raw::lookup(fd_.get(), &index, values.data())) values.clear();
        return values;
    }

private:
    Fd fd_;
};

// Opens a second file descriptor of a map that another object keeps open, and views the map through it.
template <class M>
M view(int map_fd) {
    return M(Fd(::dup(map_fd)));
}

}  // namespace weir::maps
