// SPDX-License-Identifier: Apache-2.0
// Deletions in the MapChanges that is being made. A key that is deleted can come back in the same MapChanges. The
// deletion, which would be written last, is then taken back.
#pragma once

#include <cstddef>
#include <functional>
#include <unordered_map>
#include <vector>

namespace weir::plan {

template <class Key, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class OffList {
public:
    // off: the list in the MapChanges that is being made.
    void add(std::vector<Key>& off, const Key& key) {
        if (off.empty()) places_.clear();
        places_[key] = off.size();
        off.push_back(key);
    }

    void take_back(std::vector<Key>& off, const Key& key) {
        auto found = places_.find(key);
        if (found == places_.end()) return;
        auto place = found->second;
        places_.erase(found);
        // The key may have gone off in an earlier MapChanges, where it was written long ago.
        if (place >= off.size() || !Equal()(off[place], key)) return;
        off[place] = off.back();
        off.pop_back();
        if (place < off.size()) places_[off[place]] = place;
    }

private:
    std::unordered_map<Key, std::size_t, Hash, Equal> places_;
};

}  // namespace weir::plan
