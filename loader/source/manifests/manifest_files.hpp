// SPDX-License-Identifier: Apache-2.0
// Finds and reads the manifests at a path. A file, or the files of a folder whose names end in .yaml, .yml
// or .json. Names that begin with a dot are editors' and ConfigMap volumes' own.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loader/source/manifests/manifest_store.hpp"

namespace weir::source {

// Tells one content of a file from another without reading it.
struct FileStamp {
    std::uint64_t file = 0;  // inode and device, mixed into one: tens of thousands of stamps are kept
    std::int64_t size = 0;
    std::int64_t modified = 0;  // ns since the epoch
    std::int64_t changed = 0;   // ns since the epoch
    bool operator==(const FileStamp&) const = default;
};

struct FoundFile {
    FileStamp stamp;         // of what a symbolic link leads to; of a dangling one zeros
    bool is_link = false;    // a symbolic one
    bool is_shared = false;  // has further names: hard links
};

bool is_manifest_name(std::string_view name);
// A file of a folder, as it is named in problems.
std::string path_in(const std::string& folder, std::string_view name);

// Tells whether the path is a folder; the error names the path and the reason.
std::expected<bool, std::string> is_folder(const std::string& path);
using VisitManifest = std::function<void(const std::string& file, const FoundFile& found)>;
// Visits every manifest of a folder, or the one file.
std::expected<void, std::string> visit_manifests(const std::string& path, bool folder, const VisitManifest& visit);

// Lists a folder's manifests a part at a time. It may miss files that come, go or are renamed meanwhile.
class FolderListing {
public:
    static std::expected<FolderListing, std::string> open(const std::string& folder);
    // Visits so many further ones. false: there are no more.
    std::expected<bool, std::string> visit(std::size_t count, const VisitManifest& visit);

private:
    struct Close {
        void operator()(DIR* entries) const { ::closedir(entries); }
    };
    FolderListing(std::string folder, DIR* entries) : folder_(std::move(folder)), entries_(entries) {}

    std::string folder_;
    std::unique_ptr<DIR, Close> entries_;
};

// Finds one manifest; none: nothing is there, or a folder.
std::optional<FoundFile> find_manifest(const std::string& file);
FileReading read_manifest(const model::FileName& file);

}  // namespace weir::source
