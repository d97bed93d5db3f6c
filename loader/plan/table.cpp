// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/table.hpp"

#include <cstddef>

#include "loader/plan/hash.hpp"
#include "loader/plan/maglev.hpp"

namespace weir::plan {

std::vector<std::uint32_t> id_table(const BackendSet& set, const std::vector<std::uint32_t>& ids) {
    auto table = maglev_table(set);
    for (auto& slot : table) slot = ids[slot];
    return table;
}

std::uint64_t hash_table(const std::vector<std::uint32_t>& table) {
    std::uint64_t hash = combine(0, table.size());
    for (auto id : table) hash = combine(hash, id);
    return hash;
}

std::vector<std::uint32_t> ids_of(const BackendSet& part, const BackendSet& all,
                                  const std::vector<std::uint32_t>& ids) {
    std::vector<std::uint32_t> out;
    out.reserve(part.size());
    std::size_t i = 0;
    for (const auto& backend : part) {
        while (all[i] != backend) ++i;
        out.push_back(ids[i]);
    }
    return out;
}

}  // namespace weir::plan
