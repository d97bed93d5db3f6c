// SPDX-License-Identifier: Apache-2.0
// Equal values are kept once. For what many objects have in common and few have of their own.
// A value has == and hash().
#pragma once

#include <algorithm>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstddef>
#include <unordered_set>
#include <utility>

namespace weir::model {

// Keeps equal values once. A value lives as long as the pool or one of its users holds it; now and then the pool drops
// values that have no user. The counts are not atomic: one thread uses a pool and its values.
template <class Value>
class Pool {
public:
    struct Entry : boost::intrusive_ref_counter<Entry, boost::thread_unsafe_counter> {
        explicit Entry(Value v) : value(std::move(v)) {}
        const Value value;
    };
    using Shared = boost::intrusive_ptr<const Entry>;

    Shared share(Value value) {
        if (auto known = entries_.find(value); known != entries_.end()) return *known;
        if (entries_.size() >= next_sweep_) sweep();
        return *entries_.insert(Shared(new Entry(std::move(value)))).first;
    }

    std::size_t size() const { return entries_.size(); }

private:
    // Twice as many as were in use the last time: each entry is looked at a constant number of times.
    void sweep() {
        std::erase_if(entries_, [](const Shared& entry) { return entry->use_count() == 1; });
        next_sweep_ = std::max<std::size_t>(64, 2 * entries_.size());
    }

    static const Value& value_of(const Shared& entry) { return entry->value; }
    static const Value& value_of(const Value& value) { return value; }
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const auto& key) const { return value_of(key).hash(); }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(const auto& a, const auto& b) const { return value_of(a) == value_of(b); }
    };

    std::unordered_set<Shared, Hash, Equal> entries_;
    std::size_t next_sweep_ = 64;
};

}  // namespace weir::model
