// SPDX-License-Identifier: Apache-2.0
// Did you mean ...?
#pragma once

#include <span>
#include <string_view>

namespace weir::decode {

// The candidate that a misspelt word most likely stands for; empty if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace weir::decode
