// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifest_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
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
    return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

FileReading unreadable(std::string why) {
    return {.state = FileReading::State::unreadable, .decoded = {}, .failure = std::move(why)};
}

}  // namespace

bool is_manifest_name(std::string_view name) {
    return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

std::expected<Listing, std::string> list_manifests(const std::string& path) {
    Listing listing;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::unexpected(fmt::format("{}: {}", path, reason(errno)));
    if (!S_ISDIR(status.st_mode)) {
        listing.files[path] = stamp_of(status);
        return listing;
    }
    listing.is_folder = true;
    std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
    if (!folder) return std::unexpected(fmt::format("{}: {}", path, reason(errno)));
    errno = 0;
    while (const auto* entry = ::readdir(folder.get())) {
        if (!is_manifest_name(entry->d_name)) continue;
        auto file = fmt::format("{}{}{}", path, path.ends_with('/') ? "" : "/", entry->d_name);
        struct stat of_file {};
        bool there = ::fstatat(::dirfd(folder.get()), entry->d_name, &of_file, 0) == 0;
        if (there && S_ISDIR(of_file.st_mode)) continue;
        listing.files[file] = there ? stamp_of(of_file) : FileStamp{};
        errno = 0;
    }
    if (errno) return std::unexpected(fmt::format("{}: {}", path, reason(errno)));
    return listing;
}

FileReading read_manifest(const std::string& file) {
    // O_NONBLOCK: somebody's named pipe must not stop the agent.
    maps::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return unreadable(fmt::format("cannot be opened ({}); make it readable or remove it", reason(errno)));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return unreadable(fmt::format("cannot be read: {}", reason(errno)));
    if (!S_ISREG(status.st_mode)) return unreadable("is no regular file; remove it");
    std::string text;
    text.resize(static_cast<std::size_t>(status.st_size));
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
    auto format = file.ends_with(".json") ? model::Format::json : model::Format::yaml;
    return {.state = FileReading::State::read, .decoded = model::decode(text, format, file), .failure = ""};
}

}  // namespace weir::source
