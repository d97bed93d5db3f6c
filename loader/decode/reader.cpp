// SPDX-License-Identifier: Apache-2.0
#include "loader/decode/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "loader/decode/nearest.hpp"
#include "loader/decode/scalar.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

// A file that is wrong all through is not worth a flood of messages.
constexpr int most_problems_of_object = 20;
constexpr int most_problems_of_nameless = 100;
constexpr std::size_t most_shown = 60;  // characters of a value

std::string_view kind_name(Value::Kind kind) {
    switch (kind) {
        case Value::Kind::null:
            return "nothing";
        case Value::Kind::boolean:
            return "a boolean";
        case Value::Kind::integer:
        case Value::Kind::real:
            return "a number";
        case Value::Kind::text:
            return "text";
        case Value::Kind::list:
            return "a list";
        case Value::Kind::map:
            return "a map";
    }
    return "something";
}

}  // namespace

std::string Field::path() const {
    if (!parent) return std::string(name);
    if (index >= 0) return fmt::format("{}[{}]", parent->path(), index);
    auto before = parent->path();
    // A key such as an annotation's may hold points itself, and anything else.
    bool plain = std::ranges::all_of(name, [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; });
    auto key = plain ? std::string(name) : fmt::format("[{}]", shown(name));
    if (before.empty()) return key;
    return plain ? before + "." + key : before + key;
}

std::string shown(std::string_view text) {
    std::string out = "\"";
    bool cut = text.size() > most_shown;
    if (cut) {
        auto end = most_shown;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
            --end;  // not inside of a UTF-8 sequence
        text = text.substr(0, end);
    }
    for (char c : text) {
        if (c == '\n')
            out += "\\n";
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out + (cut ? "\"..." : "\"");
}

std::string shown(const Value& value) {
    switch (value.kind()) {
        case Value::Kind::boolean:
        case Value::Kind::integer:
        case Value::Kind::real: {
            auto quoted = shown(value.text());
            return value.text().size() > most_shown ? quoted : quoted.substr(1, quoted.size() - 2);
        }
        case Value::Kind::text:
            return shown(value.text());
        default:
            return std::string(kind_name(value.kind()));
    }
}

Reader::Reader(Document& document, std::string_view text, const model::FileName& file, Decoded& decoded)
    : document_(document), lines_(text), file_(file), decoded_(decoded) {}

void Reader::begin(const Value&) {
    object_.clear();
    failed_ = false;
    shown_of_object_ = 0;
}

model::Origin Reader::origin(const Value& value) {
    return {file_, document_.where_is_line ? static_cast<int>(value.where()) : lines_.line(value.where())};
}

void Reader::report(model::Severity severity, const Field& field, std::string what) {
    auto& shown_before = object_.empty() ? shown_of_nameless_ : shown_of_object_;
    auto most = object_.empty() ? most_problems_of_nameless : most_problems_of_object;
    if (++shown_before > most) return;
    const auto* place = &field;
    while (!place->value && place->parent) place = place->parent;
    auto where = place->value ? origin(*place->value) : model::Origin{file_, 0};
    if (shown_before == most) {
        decoded_.problems.push_back({severity, std::move(where), object_, "has more problems, which are not shown"});
        return;
    }
    auto path = field.path();
    decoded_.problems.push_back(
        {severity, std::move(where), object_, path.empty() ? std::move(what) : fmt::format("{}: {}", path, what)});
}

void Reader::error(const Field& field, std::string what) {
    failed_ = true;
    report(model::Severity::error, field, std::move(what));
}

void Reader::warning(const Field& field, std::string what) {
    report(model::Severity::warning, field, std::move(what));
}

void Reader::wrong_type(const Field& field, std::string_view wanted) {
    error(field, fmt::format("{} is written here; use {}", kind_name(field.value->kind()), wanted));
}

bool Reader::map(const Field& field, std::span<const std::string_view> known) {
    if (!field) return false;
    if (field.value->kind() != Value::Kind::map) {
        wrong_type(field, "a map");
        return false;
    }
    auto members = field.value->members();
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto& member = members[i];
        // Small maps, which are nearly all of them, cost no allocation.
        bool twice = members.size() > 32
                         ? !seen.insert(member.key).second
                         : std::ranges::find(members.first(i), member.key, &Member::key) != members.begin() + i;
        Field at{&member.value, &field, member.key};
        if (twice) {
            error(at, "is given twice; keep one");
            continue;
        }
        if (known.empty() || std::ranges::find(known, member.key) != known.end()) continue;
        auto meant = nearest(member.key, known);
        warning(at, meant.empty()
                        ? "is not a field of Kubernetes here, and is ignored"
                        : fmt::format("is not a field of Kubernetes here, and is ignored; did you mean {}?", meant));
    }
    return true;
}

Field Reader::child(const Field& map, std::string_view name) const {
    return {map.value ? map.value->find(name) : nullptr, &map, name};
}

bool Reader::list(const Field& field) {
    if (!field) return false;
    if (field.value->kind() == Value::Kind::list) return true;
    wrong_type(field, "a list");
    return false;
}

std::optional<std::string_view> Reader::text(const Field& field) {
    if (!field) return std::nullopt;
    switch (field.value->kind()) {
        case Value::Kind::text:
            return field.value->text();
        case Value::Kind::boolean:
        case Value::Kind::integer:
        case Value::Kind::real:
            error(field, fmt::format("{} is {}, not text; put it in quotes", shown(*field.value),
                                     kind_name(field.value->kind())));
            return std::nullopt;
        default:
            wrong_type(field, "text");
            return std::nullopt;
    }
}

std::optional<bool> Reader::boolean(const Field& field) {
    if (!field) return std::nullopt;
    if (field.value->kind() == Value::Kind::boolean) return parse_boolean(field.value->text());
    error(field, fmt::format("{} is not a boolean; use true or false", shown(*field.value)));
    return std::nullopt;
}

std::optional<std::int64_t> Reader::number(const Field& field, std::int64_t least, std::int64_t most,
                                           std::string_view what) {
    if (!field) return std::nullopt;
    auto value = field.value->kind() == Value::Kind::integer ? parse_integer(field.value->text()) : std::nullopt;
    if (value && *value >= least && *value <= most) return value;
    bool quoted =
        field.value->kind() == Value::Kind::text && resolve_plain(field.value->text()) == Value::Kind::integer;
    error(field, fmt::format("{} is {}{}; use {} to {}{}", shown(*field.value), quoted ? "text, not " : "not ", what,
                             least, most, quoted ? " without quotes" : ""));
    return std::nullopt;
}

std::optional<std::uint16_t> Reader::port(const Field& field) {
    auto value = number(field, 1, 65535, "a port");
    if (!value) return std::nullopt;
    return static_cast<std::uint16_t>(*value);
}

std::optional<model::Protocol> Reader::protocol(const Field& field) {
    auto value = text(field);
    if (!value || value->empty()) return std::nullopt;
    auto protocol = model::parse_protocol(*value);
    if (protocol && model::to_string(*protocol) == *value) return protocol;
    error(field, fmt::format("{} is not a protocol; use TCP, UDP or SCTP", shown(*value)));
    return std::nullopt;
}

std::optional<model::Address> Reader::address(const Field& field) {
    auto value = text(field);
    if (!value) return std::nullopt;
    auto address = model::Address::parse(*value);
    if (!address) error(field, fmt::format("{} is not an IP address", shown(*value)));
    return address;
}

std::optional<std::string> Reader::name(const Field& field, const NameRule& rule) {
    auto value = text(field);
    if (!value) return std::nullopt;
    if (rule.accepts(*value)) return std::string(*value);
    error(field, fmt::format("{} is not a valid name; {}", shown(*value), rule.wanted));
    return std::nullopt;
}

model::Labels Reader::labels(const Field& field) {
    if (!map(field)) return {};
    // Sorted at once: one by one, a hostile text would take quadratic time.
    model::Labels::sequence_type pairs;
    pairs.reserve(field.value->members().size());
    for (const auto& member : field.value->members())
        pairs.emplace_back(member.key,
                           text_or_empty(Field{.value = &member.value, .parent = &field, .name = member.key}));
    model::Labels labels;
    labels.adopt_sequence(std::move(pairs));
    return labels;
}

std::optional<std::size_t> Reader::word(const Field& field, std::span<const std::string_view> words) {
    auto value = text(field);
    if (!value || value->empty()) return std::nullopt;
    auto found = std::ranges::find(words, *value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    error(field, fmt::format("{} is unknown; use {}", shown(*value), fmt::join(words, ", ")));
    return std::nullopt;
}

std::string_view special_address(const model::Address& address) {
    if (address.is_unspecified()) return "the unspecified address";
    if (address.is_loopback()) return "a loopback address";
    if (address.is_link_local()) return "a link-local address";
    if (address.is_multicast()) return "a multicast address";
    return {};
}

}  // namespace weir::decode
