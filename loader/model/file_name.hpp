// SPDX-License-Identifier: Apache-2.0
// The name of a file, kept once for all that came from it: of 44,000 files of one Service each, names would otherwise
// be a good part of what is kept.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::model {

// Copies share the text, without a lock: they stay in one thread. Names are equal and in order as their texts are.
class FileName {
public:
    FileName() = default;
    FileName(std::string text) : shared_(text.empty() ? nullptr : new Shared(std::move(text))) {}
    FileName(const char* text) : FileName(std::string(text)) {}

    bool empty() const { return !shared_; }
    std::string_view view() const { return shared_ ? std::string_view(shared_->text) : std::string_view(); }
    const char* c_str() const { return shared_ ? shared_->text.c_str() : ""; }

    friend bool operator==(const FileName& a, const FileName& b) {
        return a.shared_ == b.shared_ || a.view() == b.view();
    }
    friend std::strong_ordering operator<=>(const FileName& a, const FileName& b) {
        if (a.shared_ == b.shared_) return std::strong_ordering::equal;
        return a.view() <=> b.view();
    }
    template <std::convertible_to<std::string_view> Text>
    friend bool operator==(const FileName& a, const Text& b) {
        return a.view() == std::string_view(b);
    }

private:
    struct Shared : boost::intrusive_ref_counter<Shared, boost::thread_unsafe_counter> {
        explicit Shared(std::string t) : text(std::move(t)) {}
        const std::string text;
    };
    boost::intrusive_ptr<const Shared> shared_;
};

// For tables of names in which a text is looked up.
struct FileNameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    std::size_t operator()(const std::same_as<FileName> auto& name) const { return (*this)(name.view()); }
};

}  // namespace weir::model
