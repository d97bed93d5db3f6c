// SPDX-License-Identifier: Apache-2.0
#include "loader/decode/document.hpp"

#include <algorithm>
#include <functional>

namespace weir::decode {
namespace {

template <typename T>
std::span<const T> copy_into(std::pmr::memory_resource& arena, std::span<const T> from) {
    if (from.empty()) return {};
    auto* place = static_cast<T*>(arena.allocate(from.size_bytes(), alignof(T)));
    std::uninitialized_copy(from.begin(), from.end(), place);
    return {place, from.size()};
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
    auto mixed = (seed ^ value) * 0x9e3779b97f4a7c15ULL;
    return mixed ^ (mixed >> 29);
}

}  // namespace

Value::Value(Kind kind, std::uint32_t where, std::string_view text)
    : kind_(kind), where_(where), size_(static_cast<std::uint32_t>(text.size())), data_(text.data()) {}

Value::Value(std::uint32_t where, std::span<const Value> items)
    : kind_(Kind::list), where_(where), size_(static_cast<std::uint32_t>(items.size())), data_(items.data()) {}

Value::Value(std::uint32_t where, std::span<const Member> members)
    : kind_(Kind::map), where_(where), size_(static_cast<std::uint32_t>(members.size())), data_(members.data()) {}

std::string_view Value::text() const {
    if (kind_ == Kind::list || kind_ == Kind::map) return {};
    return {static_cast<const char*>(data_), size_};
}

std::span<const Value> Value::items() const {
    if (kind_ != Kind::list) return {};
    return {static_cast<const Value*>(data_), size_};
}

std::span<const Member> Value::members() const {
    if (kind_ != Kind::map) return {};
    return {static_cast<const Member*>(data_), size_};
}

const Value* Value::find(std::string_view key) const {
    for (const auto& member : members())
        if (member.key == key) return &member.value;
    return nullptr;
}

std::uint64_t fingerprint(const Value& value) {
    auto print = mix(0, static_cast<std::uint64_t>(value.kind()));
    print = mix(print, std::hash<std::string_view>{}(value.text()));
    for (const auto& item : value.items()) print = mix(print, fingerprint(item));
    for (const auto& member : value.members()) {
        print = mix(print, std::hash<std::string_view>{}(member.key));
        print = mix(print, fingerprint(member.value));
    }
    return print;
}

int LineFinder::line(std::size_t offset) {
    offset = std::min(offset, text_.size());
    auto first = std::min(offset, offset_);
    auto between = text_.substr(first, std::max(offset, offset_) - first);
    auto newlines = static_cast<int>(std::ranges::count(between, '\n'));
    line_ += offset < offset_ ? -newlines : newlines;
    offset_ = offset;
    return line_;
}

Value TreeBuilder::close_list(std::size_t mark, std::uint32_t where) {
    Value list(where, copy_into(document_.arena, std::span<const Value>(items_).subspan(mark)));
    items_.resize(mark);
    return list;
}

Value TreeBuilder::close_map(std::size_t mark, std::uint32_t where) {
    Value map(where, copy_into(document_.arena, std::span<const Member>(members_).subspan(mark)));
    members_.resize(mark);
    return map;
}

std::string_view TreeBuilder::keep(std::string_view text) {
    auto kept = copy_into(document_.arena, std::span<const char>(text));
    return {kept.data(), kept.size()};
}

}  // namespace weir::decode
