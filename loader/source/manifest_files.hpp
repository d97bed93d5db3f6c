// SPDX-License-Identifier: Apache-2.0
// Which manifests lie at a path, and what do they say? A file, or the files of a folder whose names end in .yaml, .yml
// or .json. Names that begin with a dot are editors' and ConfigMap volumes' own.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <map>
#include <string>

#include "loader/source/manifest_store.hpp"

namespace weir::source {

// Tells one content of a file from another without reading it.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified = 0;  // ns since the epoch
    std::int64_t changed = 0;   // ns since the epoch
    bool operator==(const FileStamp&) const = default;
};

struct Listing {
    bool is_folder = false;
    std::map<std::string, FileStamp> files;  // by path; a dangling link has a stamp of zeros
};

bool is_manifest_name(std::string_view name);

// The error names the path and the reason.
std::expected<Listing, std::string> list_manifests(const std::string& path);
FileReading read_manifest(const std::string& file);

}  // namespace weir::source
