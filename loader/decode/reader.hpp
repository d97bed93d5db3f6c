// SPDX-License-Identifier: Apache-2.0
// Reads typed fields out of a tree and says what is wrong with them: the tools that every kind's decoder uses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loader/decode/decode.hpp"
#include "loader/decode/document.hpp"
#include "loader/decode/names.hpp"

namespace weir::decode {

// A place in an object, as a chain on the stack up to the object itself; its path is only spelt out for messages.
struct Field {
    const Value* value = nullptr;  // null: absent
    const Field* parent = nullptr;
    std::string_view name = {};
    int index = -1;  // in a list

    // An explicit null is the same as absence, as in Kubernetes.
    explicit operator bool() const { return value && value->kind() != Value::Kind::null; }
    std::string path() const;  // "spec.ports[1].port"
};

// A scalar as it may be shown in a message: short, printable, text in quotes.
std::string shown(const Value& value);
std::string shown(std::string_view text);

class Reader {
public:
    Reader(Document& document, std::string_view text, const model::FileName& file, Decoded& decoded);

    // From here on problems are those of this object. name is "Service ns/name", empty while it is not known.
    void begin(const Value& object);
    void name_object(std::string name) { object_ = std::move(name); }
    bool failed() const { return failed_; }
    model::Origin origin(const Value& value);

    // A problem of a field, or of the nearest thing around it that is there. what follows the path and ": ".
    void error(const Field& field, std::string what);
    void warning(const Field& field, std::string what);

    // Tells whether the field is a map. Another type is an error, and so is a key that stands there twice. With known,
    // it warns about other keys.
    bool map(const Field& field, std::span<const std::string_view> known = {});
    Field child(const Field& map, std::string_view name) const;
    Field child(const Field&& map, std::string_view name) const = delete;  // a child points to its parent

    // Each of these reports a wrong type or a value out of bounds, and then answers like an absent field.
    std::optional<std::string_view> text(const Field& field);
    std::string text_or_empty(const Field& field) { return std::string(text(field).value_or("")); }
    std::optional<bool> boolean(const Field& field);
    // what: "a port"
    std::optional<std::int64_t> number(const Field& field, std::int64_t least, std::int64_t most,
                                       std::string_view what);
    std::optional<std::uint16_t> port(const Field& field);
    std::optional<model::Protocol> protocol(const Field& field);
    std::optional<model::Address> address(const Field& field);
    std::optional<std::string> name(const Field& field, const NameRule& rule);
    model::Labels labels(const Field& field);
    // Reads one of some words; returns its index.
    std::optional<std::size_t> word(const Field& field, std::span<const std::string_view> words);

    // Calls read(Field) for each item of a list; a field that is no list is an error.
    template <typename Read>
    void each(const Field& field, Read read) {
        if (!list(field)) return;
        int index = 0;
        for (const auto& item : field.value->items()) {
            Field at{&item, &field, {}, index++};
            read(at);
        }
    }

private:
    bool list(const Field& field);
    void report(model::Severity severity, const Field& field, std::string what);
    void wrong_type(const Field& field, std::string_view wanted);

    Document& document_;
    LineFinder lines_;
    const model::FileName& file_;
    Decoded& decoded_;
    std::string object_;
    bool failed_ = false;
    int shown_of_object_ = 0;
    int shown_of_nameless_ = 0;
};

// A frontend or endpoint address that Kubernetes refuses; empty if it is acceptable, else "a loopback address".
std::string_view special_address(const model::Address& address);

}  // namespace weir::decode
