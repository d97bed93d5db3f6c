// SPDX-License-Identifier: Apache-2.0
// Output of listing commands: a table for people, JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

enum class OutputFormat { table, json };

// Columns as wide as their widest cell, two spaces between, no trailing blanks.
class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string to_string() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

std::string human_bytes(unsigned long long bytes);
std::string mebibytes(std::uint64_t octets);  // "1.5 MiB"

}  // namespace weir::cli
