// SPDX-License-Identifier: Apache-2.0
// One form for parsed YAML and JSON: a tree of values that remember where in the text they stand. Everything behind the
// two parsers sees this tree only, so a rule about objects is written once.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::decode {

struct Member;

// 24 bytes, children in one array: a tree of millions of values is built at memory speed.
class Value {
public:
    enum class Kind : std::uint8_t { null, boolean, integer, real, text, list, map };

    Value() = default;
    Value(Kind kind, std::uint32_t where, std::string_view text);
    Value(std::uint32_t where, std::span<const Value> items);
    Value(std::uint32_t where, std::span<const Member> members);

    Kind kind() const { return kind_; }
    std::uint32_t where() const { return where_; }  // see Document::line
    std::string_view text() const;                  // of a scalar, as written (escapes resolved); empty otherwise
    std::span<const Value> items() const;           // of a list; empty otherwise
    std::span<const Member> members() const;        // of a map, in the order of the text; empty otherwise
    const Value* find(std::string_view key) const;  // in a map; null if absent

private:
    Kind kind_ = Kind::null;
    std::uint32_t where_ = 0;
    std::uint32_t size_ = 0;
    const void* data_ = nullptr;
};

struct Member {
    std::string_view key;
    Value value;
};

// Two values of the same content (keys in the same order) have the same fingerprint, wherever they stand.
std::uint64_t fingerprint(const Value& value);

// Finds line numbers from offsets; cheap when asked about neighbouring places one after the other.
class LineFinder {
public:
    explicit LineFinder(std::string_view text) : text_(text) {}
    int line(std::size_t offset);

private:
    std::string_view text_;
    std::size_t offset_ = 0;
    int line_ = 1;
};

// A parsed text. Values point into it and into the text.
struct Document {
    std::vector<Value> roots;    // one for each document that is not empty
    bool where_is_line = false;  // otherwise it is an offset into the text
    std::pmr::monotonic_buffer_resource arena;
    std::shared_ptr<void> parser;  // owns what a parser keeps of its own

    // Set when the text did not parse.
    std::string failure;
    int failure_line = 0;
};

// Bounds on hostile input. No Kubernetes object is nested deeper, and no sane file says so much by aliases.
inline constexpr int max_depth = 100;
inline constexpr std::size_t max_aliased_values = 1'000'000;
inline constexpr std::size_t max_text_size = std::size_t{1} << 30;

// The text is shorter than max_text_size and outlives the document.
void parse_yaml(std::string_view text, Document& document);
void parse_json(std::string_view text, Document& document);

// Notes the failure if the text is not UTF-8.
bool valid_utf8(std::string_view text, Document& document);

// Collects the children of lists and maps while they are read, and moves each finished set into the arena.
class TreeBuilder {
public:
    explicit TreeBuilder(Document& document) : document_(document) {}

    std::size_t open_items() const { return items_.size(); }
    std::size_t open_members() const { return members_.size(); }
    void add(Value value) { items_.push_back(value); }
    void add(std::string_view key, Value value) { members_.push_back({key, value}); }
    std::span<Member> members_since(std::size_t mark) { return std::span(members_).subspan(mark); }
    Value close_list(std::size_t mark, std::uint32_t where);
    Value close_map(std::size_t mark, std::uint32_t where);
    std::string_view keep(std::string_view text);

private:
    Document& document_;
    std::vector<Value> items_;
    std::vector<Member> members_;
};

}  // namespace weir::decode
