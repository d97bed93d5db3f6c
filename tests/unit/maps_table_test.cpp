// SPDX-License-Identifier: Apache-2.0
// The table of maps, and the page of the documentation that must agree with it.
#include "maps/table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace weir::maps {
namespace {

TEST(MapTable, ASizeIsThatOfItsSettingInEntries) {
    MapSizes sizes{.frontends = 7, .slots = 48};
    EXPECT_EQ(find_map("frontends")->entries(sizes), 7u);
    EXPECT_EQ(find_map("vips")->entries(sizes), 7u);
    EXPECT_EQ(find_map("slots")->entries(sizes), 3u);
    EXPECT_EQ(find_map("devices")->entries(sizes), 1024u);
    EXPECT_EQ(find_map("none"), nullptr);
}

TEST(MapTable, EverySettingSizesAMap) {
    for (const auto& setting : size_settings) {
        EXPECT_TRUE(std::ranges::any_of(table, [&](const auto& map) { return map.size.setting == &setting; }))
            << setting.key;
        EXPECT_LT(setting.least, setting.most) << setting.key;
        auto preset = MapSizes{}.*setting.value;
        EXPECT_TRUE(preset == 0 || (preset >= setting.least && preset <= setting.most)) << setting.key;
    }
}

TEST(MapTable, AViewIsFoundByTheNameOfItsMap) {
    auto sizes = [](std::string_view name) {
        return with_view(name, []<class Key, class Value>(std::type_identity<Map<Key, Value>>) {
            return std::pair(sizeof(Key), sizeof(Value));
        });
    };
    for (const auto& map : table) {
        if (map.kind == Kind::per_cpu_array) {
            EXPECT_THROW(sizes(map.name), std::logic_error) << map.name;
        } else {
            EXPECT_EQ(sizes(map.name), std::pair(std::size_t{map.key_size}, std::size_t{map.value_size})) << map.name;
        }
    }
    EXPECT_THROW(sizes("none"), std::logic_error);
}

// A line of the page's table of maps, with the columns that the table here has too.
struct Documented {
    std::string type, bytes, entries;
    bool operator==(const Documented&) const = default;
};

void PrintTo(const Documented& map, std::ostream* out) {
    *out << map.type << ", " << map.bytes << " octets, " << map.entries << " entries";
}

std::string type_of(Kind kind) {
    switch (kind) {
        case Kind::hash:
            return "hash";
        case Kind::lru_hash:
            return "LRU hash";
        case Kind::trie:
            return "LPM trie";
        case Kind::array:
            return "array";
        case Kind::per_cpu_array:
            return "per-CPU array";
    }
    return "";
}

Documented documentation_of(const MapRow& map) {
    auto entries = map.size.setting ? fmt::format("`{}`", map.size.setting->key) : std::to_string(map.size.fixed);
    if (map.size.setting && map.size.setting->per_entry > 1)
        entries += fmt::format(" / {}", map.size.setting->per_entry);
    return {type_of(map.kind),
            fmt::format("{} + {}{}", map.key_size, map.value_size, map.kind == Kind::per_cpu_array ? " per CPU" : ""),
            entries};
}

// Returns the cells of a line of a Markdown table.
std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
        auto end = line.find('|', at);
        auto first = line.find_first_not_of(' ', at), last = line.find_last_not_of(' ', end - 1);
        cells.push_back(first > last ? "" : line.substr(first, last - first + 1));
        at = end + 1;
    }
    return cells;
}

// Reads docs/reference/maps.md: pin | type | key | value | bytes | written by | read by | entries.
std::map<std::string, Documented> page() {
    std::map<std::string, Documented> maps;
    std::ifstream file(WEIR_SOURCE_DIR "/docs/reference/maps.md");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("| `maps/")) continue;
        auto cells = cells_of(line);
        if (cells.size() != 8) throw std::runtime_error("not eight cells: " + line);
        const std::string& pin = cells[0];
        maps[pin.substr(6, pin.size() - 7)] = {cells[1], cells[4], cells[7]};
    }
    return maps;
}

TEST(MapTable, IsWhatTheDocumentationSays) {
    std::map<std::string, Documented> expected;
    for (const auto& map : table) expected[std::string(map.name)] = documentation_of(map);
    EXPECT_THAT(page(), testing::ContainerEq(expected));
}

}  // namespace
}  // namespace weir::maps
