// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/maglev.hpp"

#include <algorithm>
#include <bit>

#include "loader/plan/hash.hpp"

namespace weir::plan {

namespace {

// At 100 slots a backend, shares differ by at most one slot: 1 %.
constexpr std::uint32_t slots_per_backend = 100;
constexpr std::uint32_t largest_table = 131071;

constexpr std::uint64_t offset_seed = 1;
constexpr std::uint64_t skip_seed = 2;

bool is_prime(std::uint32_t n) {
    if (n % 2 == 0) return n == 2;
    for (std::uint32_t divisor = 3; divisor * divisor <= n; divisor += 2) {
        if (n % divisor == 0) return false;
    }
    return n > 1;
}

// A backend's walk through the table: visits every slot once, since the length is prime.
struct Walk {
    std::uint32_t next;
    std::uint32_t skip;
};

std::vector<Walk> walks_of(const BackendSet& backends, std::uint32_t size) {
    std::vector<Walk> walks;
    walks.reserve(backends.size());
    for (const auto& backend : backends) {
        auto hash = [&](std::uint64_t seed) { return combine(hash_bytes(backend.address.bytes, seed), backend.port); };
        walks.push_back({.next = static_cast<std::uint32_t>(hash(offset_seed) % size),
                         .skip = static_cast<std::uint32_t>(hash(skip_seed) % (size - 1)) + 1});
    }
    return walks;
}

}  // namespace

std::uint32_t maglev_size(std::size_t backends) {
    if (backends <= 1) return static_cast<std::uint32_t>(backends);
    if (backends > largest_table / slots_per_backend) return largest_table;
    auto size = slots_per_backend * std::bit_ceil(static_cast<std::uint32_t>(backends)) + 1;
    while (size < largest_table && !is_prime(size)) size += 2;
    return std::min(size, largest_table);
}

std::vector<std::uint32_t> maglev_table(const BackendSet& backends) {
    const std::uint32_t size = maglev_size(backends.size());
    std::vector<std::uint32_t> table(size, 0);
    if (size <= 1) return table;

    auto walks = walks_of(backends, size);
    // Bytes, not table entries: most of the time goes into asking whether a slot is taken, and these fit the L1 cache.
    std::vector<std::uint8_t> taken(size, 0);
    for (std::uint32_t filled = 0;;) {
        for (std::uint32_t backend = 0; backend < walks.size(); ++backend) {
            auto [slot, skip] = walks[backend];
            auto advance = [&, skip = skip, size](std::uint32_t from) {
                std::uint32_t to = from + skip;
                return to >= size ? to - size : to;
            };
            while (taken[slot]) slot = advance(slot);
            taken[slot] = 1;
            table[slot] = backend;
            walks[backend].next = advance(slot);
            if (++filled == size) return table;
        }
    }
}

}  // namespace weir::plan
