// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/ids.hpp"

#include <algorithm>
#include <bit>

namespace weir::plan {

namespace {

constexpr unsigned quarantine = 2;  // grace periods
constexpr std::uint32_t word_bits = 64;
constexpr std::uint64_t full = ~0ull;

std::uint64_t bit(std::uint32_t id) {
    return 1ull << (id % word_bits);
}

}  // namespace

IdPool::IdPool(std::uint32_t largest) : largest_(largest), taken_(largest / word_bits + 1, 0) {
    taken_[0] = 1;
}

std::optional<std::uint32_t> IdPool::take() {
    while (first_open_ < taken_.size() && taken_[first_open_] == full) ++first_open_;
    if (first_open_ == taken_.size()) return {};
    auto id = static_cast<std::uint32_t>(first_open_ * word_bits) +
              static_cast<std::uint32_t>(std::countr_one(taken_[first_open_]));
    if (!claim(id)) return {};
    return id;
}

bool IdPool::claim(std::uint32_t id) {
    if (!contains(id) || (taken_[id / word_bits] & bit(id))) return false;
    taken_[id / word_bits] |= bit(id);
    ++used_;
    return true;
}

void IdPool::retire(std::uint32_t id) {
    retired_.emplace(id, quarantine);
}

void IdPool::revive(std::uint32_t id) {
    retired_.erase(id);
}

std::vector<std::uint32_t> IdPool::grace_period_passed() {
    std::vector<std::uint32_t> freed;
    for (auto it = retired_.begin(); it != retired_.end();) {
        if (--it->second == 0) {
            freed.push_back(it->first);
            it = retired_.erase(it);
        } else {
            ++it;
        }
    }
    for (auto id : freed) {
        taken_[id / word_bits] &= ~bit(id);
        first_open_ = std::min(first_open_, static_cast<std::size_t>(id / word_bits));
        --used_;
    }
    return freed;
}

}  // namespace weir::plan
