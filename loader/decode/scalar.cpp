// SPDX-License-Identifier: Apache-2.0
#include "loader/decode/scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array nulls{""sv, "~"sv, "null"sv, "Null"sv, "NULL"sv};
constexpr std::array trues{"y"sv,    "Y"sv,    "yes"sv, "Yes"sv, "YES"sv, "true"sv,
                           "True"sv, "TRUE"sv, "on"sv,  "On"sv,  "ON"sv};
constexpr std::array falses{"n"sv,     "N"sv,     "no"sv,  "No"sv,  "NO"sv, "false"sv,
                            "False"sv, "FALSE"sv, "off"sv, "Off"sv, "OFF"sv};
constexpr std::array specials{".nan"sv, ".NaN"sv, ".NAN"sv, ".inf"sv, ".Inf"sv, ".INF"sv};

bool among(const auto& words, std::string_view text) {
    return std::ranges::find(words, text) != words.end();
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

struct Integer {
    bool negative = false;
    int base = 10;
    std::string_view digits;
};

// Sign and base: 0x, 0b, 0o, and the octal of YAML 1.1 with its bare leading zero.
Integer split(std::string_view text) {
    Integer integer;
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        integer.negative = text.front() == '-';
        text.remove_prefix(1);
    }
    if (text.size() > 1 && text.front() == '0') {
        auto mark = text[1];
        integer.base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
        text.remove_prefix(is_digit(mark) || mark == '_' ? 1 : 2);
    }
    integer.digits = text;
    return integer;
}

bool is_integer(std::string_view text) {
    if (text.size() > 1 && text[0] == '0' &&
        std::ranges::none_of("xXbBoO_0123456789"sv, [&](char c) { return c == text[1]; }))
        return false;
    auto [negative, base, digits] = split(text);
    if (digits.empty() || digits.front() == '_' || digits.back() == '_') return false;
    return std::ranges::all_of(digits, [base = base](char c) {
        if (c == '_') return true;
        if (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return true;
        return c >= '0' && c < '0' + std::min(base, 10);
    });
}

// [-+]? digits with at most one point, then an exponent.
bool is_real(std::string_view text) {
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    if (among(specials, text)) return true;
    std::size_t at = 0, digits = 0;
    bool point = false;
    for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !point)); ++at) {
        point = point || text[at] == '.';
        digits += is_digit(text[at]);
    }
    if (digits == 0) return false;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
        if (at == text.size()) return false;
        while (at < text.size() && is_digit(text[at])) ++at;
    }
    return at == text.size();
}

}  // namespace

Value::Kind resolve_plain(std::string_view text) {
    if (among(nulls, text)) return Value::Kind::null;
    if (text.size() <= 5 && (among(trues, text) || among(falses, text))) return Value::Kind::boolean;
    constexpr auto starts_number = "+-.0123456789"sv;
    if (starts_number.find(text.front()) == std::string_view::npos) return Value::Kind::text;
    if (is_integer(text)) return Value::Kind::integer;
    return is_real(text) ? Value::Kind::real : Value::Kind::text;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    auto [negative, base, digits] = split(text);
    std::array<char, 72> plain{};  // 64 binary digits and a sign fit
    std::size_t size = 0;
    if (negative) plain[size++] = '-';
    for (char c : digits) {
        if (c == '_') continue;
        if (size == plain.size()) return std::nullopt;
        plain[size++] = c;
    }
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(plain.data(), plain.data() + size, value, base);
    if (error != std::errc() || end != plain.data() + size) return std::nullopt;
    return value;
}

bool parse_boolean(std::string_view text) {
    return among(trues, text);
}

}  // namespace weir::decode
