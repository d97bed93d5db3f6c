// SPDX-License-Identifier: Apache-2.0
#include "loader/decode/names.hpp"

#include <algorithm>

namespace weir::decode {
namespace {

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_alphanumeric(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

// Lower-case letters, digits and inner '-'.
bool is_label_like(std::string_view name) {
    return !name.empty() && is_alphanumeric(name.front()) && is_alphanumeric(name.back()) &&
           std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_1123_label(std::string_view name) {
    return name.size() <= 63 && is_label_like(name);
}

bool is_1035_label(std::string_view name) {
    return is_1123_label(name) && is_letter(name.front());
}

bool is_1123_subdomain(std::string_view name) {
    if (name.size() > 253) return false;
    while (true) {
        auto dot = name.find('.');
        if (!is_label_like(name.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

bool is_port_name(std::string_view name) {
    return name.size() <= 15 && is_label_like(name) && std::ranges::any_of(name, is_letter) &&
           name.find("--") == std::string_view::npos;
}

}  // namespace

const NameRule dns1035_label{
    is_1035_label, "use at most 63 lower-case letters, digits and '-', with a letter first and a letter or digit last"};
const NameRule dns1123_label{
    is_1123_label, "use at most 63 lower-case letters, digits and '-', with a letter or digit first and last"};
const NameRule dns1123_subdomain{
    is_1123_subdomain,
    "use at most 253 lower-case letters, digits, '-' and '.', with a letter or digit around each '.' and at both ends"};
const NameRule port_name{is_port_name,
                         "use at most 15 lower-case letters, digits and single inner '-', one letter at least"};

}  // namespace weir::decode
