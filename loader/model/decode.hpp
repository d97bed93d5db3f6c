// SPDX-License-Identifier: Apache-2.0
// Text -> objects. YAML (multi-document) and JSON, List kinds included.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loader/model/objects.hpp"

namespace weir::model {

struct Decoded {
    std::vector<Object> objects;
    std::vector<Problem> problems;     // errors leave out the object that they name; warnings do not
    std::vector<std::string> skipped;  // kinds that weir does not read ("Deployment"), each once
    bool malformed = false;            // the text itself did not parse: objects is empty, problems says where
};

enum class Format { yaml, json };

// file is used in messages only. Never throws on any input.
Decoded decode(std::string_view text, Format format, const std::string& file);

}  // namespace weir::model
