// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace weir::bench {

// Returns the value below which a share (0 to 1) of the values lies; of an even number the upper median. values: not
// empty, and in another order afterwards.
template <class T>
T quantile(std::vector<T>& values, double share) {
    auto at = std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
    return values[at];
}

template <class T>
T median(std::vector<T> values) {
    return quantile(values, 0.5);
}

}  // namespace weir::bench
