// SPDX-License-Identifier: Apache-2.0
// JSON -> tree. simdjson's On-Demand interface, since it tells where in the text each value stands.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "loader/decode/document.hpp"

namespace weir::decode {
namespace {

namespace ondemand = simdjson::ondemand;

struct Parser {
    ondemand::parser parser;
    simdjson::padded_string text;
};

struct TooDeep {};

constexpr std::string_view white = " \t\r\n";

// Tells whether this is an integer in JSON: no '+', no leading zero, one '-' at most.
bool is_integer(std::string_view token) {
    if (token.starts_with('-')) token.remove_prefix(1);
    if (token.empty() || (token.front() == '0' && token.size() > 1)) return false;
    return token.find_first_not_of("0123456789") == std::string_view::npos;
}

// Returns the place of a string that holds a control character or is not closed: simdjson reports it without a place.
std::size_t bad_string(std::string_view text) {
    constexpr auto outside = std::string_view::npos;
    auto start = outside;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"')
            start = start == outside ? at : outside;
        else if (start != outside && text[at] == '\\')
            ++at;
        else if (start != outside && static_cast<unsigned char>(text[at]) < ' ')
            return at;
    }
    return std::min(start, text.size());
}

class Builder {
public:
    Builder(Document& document, const simdjson::padded_string& text) : tree_(document), start_(text.data()) {}

    // Element: ondemand::document or ondemand::value. Throws simdjson_error and TooDeep.
    template <typename Element>
    Value build(Element& element, int depth) {
        if (depth > max_depth) throw TooDeep{};
        std::string_view token = simdjson::simdjson_result<std::string_view>(element.raw_json_token()).value();
        auto where = static_cast<std::uint32_t>(token.data() - start_);
        switch (element.type()) {
            case ondemand::json_type::object:
                return build_map(element, where, depth);
            case ondemand::json_type::array:
                return build_list(element, where, depth);
            case ondemand::json_type::string:
                return {Value::Kind::text, where, std::string_view(element.get_string())};
            case ondemand::json_type::boolean:
                return {Value::Kind::boolean, where, bool(element.get_bool()) ? "true" : "false"};
            case ondemand::json_type::number:
                return build_number(element, where, token);
            case ondemand::json_type::null:
                if (!is_null(element)) throw simdjson::simdjson_error(simdjson::N_ATOM_ERROR);
                return {Value::Kind::null, where, "null"};
        }
        throw simdjson::simdjson_error(simdjson::TAPE_ERROR);
    }

private:
    template <typename Element>
    Value build_map(Element& element, std::uint32_t where, int depth) {
        auto mark = tree_.open_members();
        for (auto field : ondemand::object(element.get_object())) {
            std::string_view key = field.unescaped_key();
            ondemand::value value = field.value();
            // The bulk of objects from an API server, and of no use here: passed over unread. A label of that name is
            // text.
            if (key == "managedFields" && value.type() == ondemand::json_type::array) {
                tree_.add(key, Value());
                continue;
            }
            tree_.add(key, build(value, depth + 1));
        }
        return tree_.close_map(mark, where);
    }

    template <typename Element>
    Value build_list(Element& element, std::uint32_t where, int depth) {
        auto mark = tree_.open_items();
        for (auto item : ondemand::array(element.get_array())) {
            ondemand::value value = item.value();
            tree_.add(build(value, depth + 1));
        }
        return tree_.close_list(mark, where);
    }

    template <typename Element>
    Value build_number(Element& element, std::uint32_t where, std::string_view token) {
        ondemand::number number;
        // A valid integer of more than 64 bits is good JSON. The field that wants a number reports it.
        bool huge = simdjson::simdjson_result<ondemand::number>(element.get_number()).get(number) != simdjson::SUCCESS;
        while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
        bool whole = is_integer(token);
        if (huge && !whole) throw simdjson::simdjson_error(simdjson::NUMBER_ERROR);
        return {whole ? Value::Kind::integer : Value::Kind::real, where, token};
    }

    static bool is_null(ondemand::document& document) { return document.is_null(); }
    static bool is_null(ondemand::value& value) { return value.is_null(); }

    TreeBuilder tree_;
    const char* start_;
};

// The line of the first invalid UTF-8: a line break is never part of a longer sequence.
int first_invalid_line(std::string_view text) {
    int line = 1;
    while (true) {
        auto end = text.find('\n');
        if (end == std::string_view::npos || !simdjson::validate_utf8(text.substr(0, end))) return line;
        text.remove_prefix(end + 1);
        ++line;
    }
}

}  // namespace

bool valid_utf8(std::string_view text, Document& document) {
    if (simdjson::validate_utf8(text)) return true;
    document.failure = "is not valid UTF-8";
    document.failure_line = first_invalid_line(text);
    return false;
}

void parse_json(std::string_view text, Document& document) {
    auto last = text.find_last_not_of(white);
    if (last == std::string_view::npos) return;
    if (!valid_utf8(text, document)) return;
    auto own = std::make_shared<Parser>();
    own->text = simdjson::padded_string(text);
    document.parser = own;
    ondemand::document parsed;
    auto fail = [&](std::size_t place, std::string why) {
        document.roots.clear();
        document.failure = std::move(why);
        document.failure_line = LineFinder(text).line(place);
    };
    auto place = [&] {  // simdjson is past the end of a text that is cut short
        const char* now = nullptr;
        return parsed.current_location().get(now) == simdjson::SUCCESS
                   ? static_cast<std::size_t>(now - own->text.data())
                   : last;
    };
    if (auto error = own->parser.iterate(own->text).get(parsed); error)
        return fail(bad_string(text), fmt::format("is not valid JSON: {}", simdjson::error_message(error)));
    try {
        Builder builder(document, own->text);
        document.roots.push_back(builder.build(parsed, 0));
        // In bounds after the last value: simdjson 3.0 has no other way to ask whether it was the last.
        const char* rest = nullptr;
        if (parsed.current_location().get(rest) == simdjson::SUCCESS)
            fail(place(), "is not valid JSON: something follows the end of the document");
    } catch (const simdjson::simdjson_error& error) {
        bool cut_short = error.error() == simdjson::INCOMPLETE_ARRAY_OR_OBJECT;
        fail(cut_short ? last : place(), fmt::format("is not valid JSON: {}", error.what()));
    } catch (const TooDeep&) {
        fail(place(), fmt::format("is nested more than {} levels deep", max_depth));
    }
}

}  // namespace weir::decode
