// SPDX-License-Identifier: Apache-2.0
// The hash behind every choice that nodes must make alike: Maglev permutations and allocations. Bytes are read in a
// fixed order, so that machines of either endianness agree; changing it moves connections and allocations.
#pragma once

#include <cstdint>
#include <iterator>

namespace weir::plan {

// Finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
constexpr std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

constexpr std::uint64_t combine(std::uint64_t hash, std::uint64_t word) {
    return mix(hash + 0x9e3779b97f4a7c15ull + word);
}

template <class Bytes>
constexpr std::uint64_t hash_bytes(const Bytes& bytes, std::uint64_t seed) {
    std::uint64_t hash = combine(seed, std::size(bytes));
    std::uint64_t word = 0;
    unsigned filled = 0;
    for (auto byte : bytes) {
        word |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(byte)) << (8 * filled);
        if (++filled == 8) {
            hash = combine(hash, word);
            word = 0;
            filled = 0;
        }
    }
    return filled ? combine(hash, word) : hash;
}

}  // namespace weir::plan
