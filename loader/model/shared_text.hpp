// SPDX-License-Identifier: Apache-2.0
// A text in one allocation, kept once for all that hold it, in eight octets each. Of 44,000 files of one Service each,
// names alone would otherwise be a good part of what is kept.
#pragma once

#include <algorithm>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <string_view>

namespace weir::model {

// Copies share the text, without a lock: they stay in one thread. They are equal and in order as their texts are.
class SharedText {
public:
    SharedText() = default;
    SharedText(std::string_view text) : shared_(text.empty() ? nullptr : Shared::make(text)) {}
    SharedText(const std::string& text) : SharedText(std::string_view(text)) {}
    SharedText(const char* text) : SharedText(std::string_view(text)) {}

    bool empty() const { return !shared_; }
    std::string_view view() const { return shared_ ? std::string_view(shared_->text(), shared_->size) : ""; }
    const char* c_str() const { return shared_ ? shared_->text() : ""; }

    friend bool operator==(const SharedText& a, const SharedText& b) {
        return a.shared_ == b.shared_ || a.view() == b.view();
    }
    friend std::strong_ordering operator<=>(const SharedText& a, const SharedText& b) {
        if (a.shared_ == b.shared_) return std::strong_ordering::equal;
        return a.view() <=> b.view();
    }
    template <std::convertible_to<std::string_view> Text>
    friend bool operator==(const SharedText& a, const Text& b) {
        return a.view() == std::string_view(b);
    }

private:
    // The text and a NUL follow it in the same allocation.
    struct Shared {
        mutable std::uint32_t holders;
        std::uint32_t size;

        const char* text() const { return reinterpret_cast<const char*>(this + 1); }
        static const Shared* make(std::string_view text) {
            void* memory = ::operator new(sizeof(Shared) + text.size() + 1);
            auto* shared = new (memory) Shared{.holders = 0, .size = static_cast<std::uint32_t>(text.size())};
            *std::ranges::copy(text, reinterpret_cast<char*>(shared + 1)).out = '\0';
            return shared;
        }
        friend void intrusive_ptr_add_ref(const Shared* shared) { ++shared->holders; }
        friend void intrusive_ptr_release(const Shared* shared) {
            if (--shared->holders == 0) free(shared);
        }
        // Not inline: GCC 12 cannot tell that another holder still counts, and warns of a use after it.
        static void free(const Shared* shared);
    };
    boost::intrusive_ptr<const Shared> shared_;
};

// For tables in which a text is looked up.
struct SharedTextHash {
    using is_transparent = void;
    // noexcept: or else tables keep each hash.
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    std::size_t operator()(const std::same_as<SharedText> auto& name) const noexcept { return (*this)(name.view()); }
};

}  // namespace weir::model
