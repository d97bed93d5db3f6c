// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/maglev.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "loader/plan/hash.hpp"

namespace weir::plan {

namespace {

// At 100 slots a backend, shares differ by at most one slot: 1 %.
constexpr std::uint32_t slots_per_backend = 100;
constexpr std::uint32_t largest_table = 131071;
constexpr std::uint32_t smallest_with_end = 2048;

constexpr std::uint64_t offset_seed = 1;
constexpr std::uint64_t skip_seed = 2;

bool is_prime(std::uint32_t n) {
    if (n % 2 == 0) return n == 2;
    for (std::uint32_t divisor = 3; divisor * divisor <= n; divisor += 2) {
        if (n % divisor == 0) return false;
    }
    return n > 1;
}

constexpr std::size_t steps_at_once = 8;

// A backend's walk through the table: visits every slot once, since the length is prime.
struct Walk {
    std::uint32_t next;
    std::array<std::uint32_t, steps_at_once> ahead;  // how far on the slot after 1, 2, ... steps is, modulo the length
    std::uint32_t skip() const { return ahead[0]; }
};

// Both below size. A difference below 0 is a large number.
std::uint32_t add(std::uint32_t slot, std::uint32_t ahead, std::uint32_t size) {
    std::uint32_t to = slot + ahead;
    return std::min(to, to - size);
}

std::vector<Walk> walks_of(const BackendSet& backends, std::uint32_t size) {
    std::vector<Walk> walks;
    walks.reserve(backends.size());
    for (const auto& backend : backends) {
        auto hash = [&](std::uint64_t seed) { return combine(hash_bytes(backend.address.bytes, seed), backend.port); };
        auto skip = static_cast<std::uint32_t>(hash(skip_seed) % (size - 1)) + 1;
        auto& walk =
            walks.emplace_back(Walk{.next = static_cast<std::uint32_t>(hash(offset_seed) % size), .ahead = {}});
        std::uint32_t ahead = 0;
        for (auto& steps : walk.ahead) steps = ahead = add(ahead, skip, size);
    }
    return walks;
}

// Most of the time goes into asking whether slots are free. Bytes fit the L1 cache; every slot has two, size apart, so
// that a slot some steps ahead is found without the division's remainder.
class FreeSlots {
public:
    explicit FreeSlots(std::uint32_t size) : size_(size), free_(2 * std::size_t{size}, 1) {}

    void take(std::uint32_t slot) { free_[slot] = free_[slot + size_] = 0; }

    // The first free slot on the walk; there is one. Where a walk meets a free slot cannot be predicted, and each wrong
    // guess of the processor costs as much as many steps: it looks at several steps at once.
    std::uint32_t first(const Walk& walk) const {
        auto slot = walk.next;
        if (free_[slot]) return slot;
        for (;;) {
            const auto* from = free_.data() + slot;
            auto found = [&]<std::size_t... i>(std::index_sequence<i...>) {
                return ((unsigned{from[walk.ahead[i]]} << i) | ...);
            }
            (std::make_index_sequence<steps_at_once>());
            if (found != 0) return add(slot, walk.ahead[static_cast<std::size_t>(std::countr_zero(found))], size_);
            slot = add(slot, walk.ahead.back(), size_);
        }
    }

    std::vector<std::uint32_t> all() const {
        std::vector<std::uint32_t> slots;
        const auto* begin = free_.data();
        const auto* end = begin + size_;
        auto find = [&](const std::uint8_t* from) {
            return static_cast<const std::uint8_t*>(std::memchr(from, 1, static_cast<std::size_t>(end - from)));
        };
        for (const auto* at = find(begin); at != nullptr; at = find(at + 1))
            slots.push_back(static_cast<std::uint32_t>(at - begin));
        return slots;
    }

private:
    std::uint32_t size_;
    std::vector<std::uint8_t> free_;
};

// x with skip * x = 1 modulo a prime: the extended Euclidean algorithm.
std::uint32_t inverse(std::uint32_t skip, std::uint32_t prime) {
    std::int64_t x = 1, next_x = 0;
    for (std::int64_t a = skip, b = prime; b != 0;) {
        auto quotient = a / b;
        a = std::exchange(b, a - quotient * b);
        x = std::exchange(next_x, x - quotient * next_x);
    }
    return static_cast<std::uint32_t>(x < 0 ? x + prime : x);
}

// How many free slots are few: asking each of them how far away it is on the walk is then cheaper than walking, which
// takes size / free steps. A step costs about a twelfth of such a question. Small tables gain nothing.
std::uint32_t few_slots(std::uint32_t size) {
    if (size < smallest_with_end) return 0;
    std::uint32_t few = 1;
    while (12 * few * few < size) ++few;
    return few;
}

// The end of the table: what walking would give, without walking.
void fill_last(std::vector<std::uint32_t>& table, std::vector<std::uint32_t> free, std::vector<Walk>& walks,
               std::uint32_t backend) {
    const auto size = static_cast<std::uint32_t>(table.size());
    for (; !free.empty(); backend = (backend + 1) % walks.size()) {
        auto& walk = walks[backend];
        const std::uint64_t steps_per_slot = inverse(walk.skip(), size);
        auto steps = [&](std::uint32_t slot) { return (slot + size - walk.next) * steps_per_slot % size; };
        auto nearest = std::ranges::min_element(free, {}, steps);
        table[*nearest] = backend;
        walk.next = add(*nearest, walk.skip(), size);
        *nearest = free.back();
        free.pop_back();
    }
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
    FreeSlots free(size);
    const auto few = few_slots(size);
    for (std::uint32_t filled = 0, end = size - few;;) {
        for (std::uint32_t backend = 0; backend < walks.size(); ++backend) {
            auto& walk = walks[backend];
            auto slot = free.first(walk);
            free.take(slot);
            table[slot] = backend;
            walk.next = add(slot, walk.skip(), size);
            if (++filled == end) {
                if (few > 0)
                    fill_last(table, free.all(), walks, static_cast<std::uint32_t>((backend + 1) % walks.size()));
                return table;
            }
        }
    }
}

}  // namespace weir::plan
