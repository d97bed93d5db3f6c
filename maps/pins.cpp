// SPDX-License-Identifier: Apache-2.0
#include "maps/pins.hpp"

namespace weir::maps {

std::vector<std::string_view> map_names() {
    std::vector<std::string_view> names;
    for (const auto& map : table) names.push_back(map.name);
    return names;
}

}  // namespace weir::maps
