// SPDX-License-Identifier: Apache-2.0
// All that the maps hold, to be compared with what they hold later.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/bpf/datapath.hpp"

namespace weir::test {

class Contents {
public:
    // Every map that the programs share but the counters of verdicts.
    static Contents of(const Datapath& datapath);
    // Names of the maps that differ.
    std::vector<std::string> differences(const Contents& later) const;
    std::size_t entries(const std::string& map) const { return maps_.at(map).size(); }

private:
    using Octets = std::vector<std::uint8_t>;
    static std::map<Octets, Octets> read(int fd);

    std::map<std::string, std::map<Octets, Octets>> maps_;
};

}  // namespace weir::test
