// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/state_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace weir::agent {

namespace {

std::string reason() {
    return std::generic_category().message(errno);
}

// For locks of the open file description: another process can query them without taking them, and they end with their
// process.
struct flock whole_file() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

}  // namespace

std::string run_directory(const maps::PinPaths& pins) {
    std::string slug = std::filesystem::path(pins.root).lexically_normal().string();
    while (!slug.empty() && slug.front() == '/') slug.erase(0, 1);
    while (!slug.empty() && slug.back() == '/') slug.pop_back();
    std::ranges::replace(slug, '/', '-');
    return "/run/weir/" + slug;
}

std::expected<StateFile, std::string> StateFile::create(const maps::PinPaths& pins) {
    std::string directory = run_directory(pins);
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return std::unexpected(fmt::format("{}: {}; run as root", directory, error.message()));
    std::string path = directory + "/lock";
    maps::Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return std::unexpected(fmt::format("{}: {}; run as root", path, reason()));
    auto request = whole_file();
    if (::fcntl(lock.get(), F_OFD_SETLK, &request) != 0)
        return std::unexpected(
            fmt::format("another weir agent serves {} (it holds {}); stop it first, or choose another --pin-path",
                        pins.root, path));
    return StateFile(std::move(directory), std::move(lock));
}

std::expected<void, std::string> StateFile::write(const boost::json::object& state) const {
    std::string path = directory_ + "/state.json";
    std::string next = path + ".new";
    {
        std::ofstream file(next, std::ios::trunc);
        file << boost::json::serialize(state) << '\n';
        if (!file.flush()) return std::unexpected(fmt::format("{}: {}", next, reason()));
    }
    if (::rename(next.c_str(), path.c_str()) != 0) return std::unexpected(fmt::format("{}: {}", path, reason()));
    return {};
}

AgentState read_state(const maps::PinPaths& pins) {
    AgentState state;
    std::string directory = run_directory(pins);
    maps::Fd lock(::open((directory + "/lock").c_str(), O_RDWR | O_CLOEXEC));
    auto question = whole_file();
    state.running = lock && ::fcntl(lock.get(), F_OFD_GETLK, &question) == 0 && question.l_type != F_UNLCK;
    std::ifstream file(directory + "/state.json");
    std::stringstream text;
    text << file.rdbuf();
    boost::system::error_code error;
    auto value = boost::json::parse(text.str(), error);
    if (!error && value.is_object()) state.content = value.as_object();
    return state;
}

}  // namespace weir::agent
