// SPDX-License-Identifier: Apache-2.0
// Text -> objects. YAML (multi-document) and JSON, List kinds included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loader/model/objects.hpp"

namespace weir::decode {

struct Decoded {
    std::vector<model::Object> objects;
    std::vector<model::Problem> problems;  // errors leave out the object that they name; warnings do not
    std::vector<std::string> skipped;      // kinds that weir does not read ("Deployment"), each once
    // One for each of objects: the same when the same object is read again, wherever it stands in the text.
    std::vector<std::uint64_t> fingerprints;
    std::vector<model::Identity> refused;  // objects whose names could be told, and that problems leave out
    bool malformed = false;                // the text itself did not parse: objects is empty, problems says where
};

enum class Format { yaml, json };

// file is used in messages only. Never throws on any input.
Decoded decode(std::string_view text, Format format, const model::FileName& file);

}  // namespace weir::decode
