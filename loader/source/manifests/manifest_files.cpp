// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifests/manifest_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <system_error>

#include "maps/fd.hpp"

namespace weir::source {

namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

FileStamp stamp_of(const struct stat& status) {
    auto nanoseconds = [](const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
    std::uint64_t file = status.st_ino ^ status.st_dev * 0x9e3779b97f4a7c15;
    return {file, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

std::optional<FoundFile> find_at(int folder, const char* name) {
    struct stat status {};
    if (::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    FoundFile found{.stamp = {}, .is_link = S_ISLNK(status.st_mode), .is_shared = false};
    if (found.is_link && ::fstatat(folder, name, &status, 0) != 0) return found;
    if (S_ISDIR(status.st_mode)) return std::nullopt;
    found.stamp = stamp_of(status);
    found.is_shared = status.st_nlink > 1;
    return found;
}

FileReading unreadable(std::string why) {
    return {.state = FileReading::State::unreadable, .decoded = {}, .failure = std::move(why)};
}

}  // namespace

bool is_manifest_name(std::string_view name) {
    return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

std::string path_in(const std::string& folder, std::string_view name) {
    return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

std::expected<bool, std::string> is_folder(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::unexpected(fmt::format("{}: {}", path, reason(errno)));
    return S_ISDIR(status.st_mode);
}

std::expected<void, std::string> visit_manifests(const std::string& path, bool folder, const VisitManifest& visit) {
    if (!folder) {
        auto found = find_at(AT_FDCWD, path.c_str());
        if (!found) return std::unexpected(fmt::format("{}: {}", path, reason(ENOENT)));
        visit(path, *found);
        return {};
    }
    auto listing = FolderListing::open(path);
    if (!listing) return std::unexpected(listing.error());
    auto done = listing->visit(std::numeric_limits<std::size_t>::max(), visit);
    if (!done) return std::unexpected(done.error());
    return {};
}

std::expected<FolderListing, std::string> FolderListing::open(const std::string& folder) {
    auto* entries = ::opendir(folder.c_str());
    if (!entries) return std::unexpected(fmt::format("{}: {}", folder, reason(errno)));
    return FolderListing(folder, entries);
}

std::expected<bool, std::string> FolderListing::visit(std::size_t count, const VisitManifest& visit) {
    while (count > 0) {
        errno = 0;
        const auto* entry = ::readdir(entries_.get());
        if (!entry && errno) return std::unexpected(fmt::format("{}: {}", folder_, reason(errno)));
        if (!entry) return false;
        if (!is_manifest_name(entry->d_name)) continue;
        auto found = find_at(::dirfd(entries_.get()), entry->d_name);
        if (!found) continue;
        visit(path_in(folder_, entry->d_name), *found);
        --count;
    }
    return true;
}

std::optional<FoundFile> find_manifest(const std::string& file) {
    return find_at(AT_FDCWD, file.c_str());
}

FileReading read_manifest(const model::FileName& file) {
    // O_NONBLOCK: a named pipe in the folder must not stop the agent.
    maps::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return unreadable(fmt::format("cannot be opened ({}); make it readable or remove it", reason(errno)));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return unreadable(fmt::format("cannot be read: {}", reason(errno)));
    if (!S_ISREG(status.st_mode)) return unreadable("is no regular file; remove it");
    std::string text;
    // One octet more than the file has, so that read() reports its end without another, larger buffer.
    text.resize(static_cast<std::size_t>(status.st_size) + 1);
    std::size_t filled = 0;
    while (true) {
        if (filled == text.size()) text.resize(text.size() + 4096);
        auto got = ::read(fd.get(), text.data() + filled, text.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(fmt::format("cannot be read: {}", reason(errno)));
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    auto format = file.view().ends_with(".json") ? decode::Format::json : decode::Format::yaml;
    return {.state = FileReading::State::read, .decoded = decode::decode(text, format, file), .failure = ""};
}

}  // namespace weir::source
