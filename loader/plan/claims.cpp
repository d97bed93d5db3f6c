// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/claims.hpp"

#include <algorithm>
#include <iterator>

namespace weir::plan {

ClaimSet claim_set(std::vector<ClaimKey> keys) {
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    keys.shrink_to_fit();
    return keys;
}

ClaimSet difference(const ClaimSet& from, const ClaimSet& without) {
    ClaimSet out;
    std::ranges::set_difference(from, without, std::back_inserter(out));
    return out;
}

Claims::Owner Claims::holder(const ClaimKey& key) const {
    auto found = holders_.find(key);
    return found == holders_.end() ? nullptr : found->second;
}

void Claims::claim(const ClaimKey& key, Owner claimant) {
    auto [entry, free] = holders_.try_emplace(key, claimant);
    if (free || entry->second == claimant) return;
    auto& line = waiting_[key];
    if (std::ranges::find(line, claimant) == line.end()) line.push_back(claimant);
}

bool Claims::withdraw(const ClaimKey& key, Owner owner) {
    auto line = waiting_.find(key);
    auto entry = holders_.find(key);
    if (entry != holders_.end() && entry->second == owner) {
        holders_.erase(entry);
        return line != waiting_.end();
    }
    if (line != waiting_.end()) {
        std::erase(line->second, owner);
        if (line->second.empty()) waiting_.erase(line);
    }
    return false;
}

Claims::Owner Claims::promote(const ClaimKey& key) {
    auto line = waiting_.find(key);
    if (line == waiting_.end() || holders_.contains(key)) return nullptr;
    Owner next = line->second.front();
    line->second.erase(line->second.begin());
    if (line->second.empty()) waiting_.erase(line);
    holders_.emplace(key, next);
    return next;
}

}  // namespace weir::plan
