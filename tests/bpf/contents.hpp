// SPDX-License-Identifier: Apache-2.0
// The whole content of the maps, to be compared with their content later.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/bpf/datapath.hpp"

namespace weir::test {

class Contents {
public:
    // Reads every map that the programs share, except for the counters of verdicts.
    static Contents of(const Datapath& datapath);
    // Returns the names of the maps that differ.
    std::vector<std::string> differences(const Contents& later) const;
    std::size_t entries(const std::string& map) const { return maps_.at(map).size(); }

private:
    using Octets = std::vector<std::uint8_t>;
    static std::map<Octets, Octets> read(int fd);

    std::map<std::string, std::map<Octets, Octets>> maps_;
};

}  // namespace weir::test
