// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifests/folder_watch.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace weir::source {

namespace {

std::string reason() {
    return std::generic_category().message(errno);
}

}  // namespace

std::expected<void, std::string> FolderWatch::open() {
    int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return std::unexpected(fmt::format("inotify: {}; raise fs.inotify.max_user_instances", reason()));
    inotify_.assign(fd);
    wait_for_events();
    return {};
}

std::expected<void, std::string> FolderWatch::watch(const std::string& folder) {
    constexpr std::uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    watch_ = ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), mask);
    if (watch_ >= 0) return {};
    return std::unexpected(fmt::format("{}: cannot be watched: {}", folder, reason()));
}

void FolderWatch::wait_for_events() {
    inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](auto error) {
        if (error) return;
        callback_(read_events());
        wait_for_events();
    });
}

FolderEvents FolderWatch::read_events() {
    FolderEvents events;
    while (true) {
        auto got = ::read(inotify_.native_handle(), buffer_.data(), buffer_.size());
        if (got <= 0) return events;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer_.data() + at, sizeof(event));
            take(event, buffer_.data() + at + sizeof(event), events);
            at += sizeof(event) + event.len;
        }
    }
}

void FolderWatch::take(const inotify_event& event, const char* name, FolderEvents& events) {
    if (event.mask & IN_Q_OVERFLOW) {
        events.everything = true;
    } else if (event.wd != watch_) {
        return;  // of a folder that was watched before
    } else if (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
        if (event.mask & IN_MOVE_SELF) ::inotify_rm_watch(inotify_.native_handle(), watch_);
        watch_ = -1;
        events.everything = true;
    } else if (event.len > 0) {
        // A created regular file has no content yet: its writer's close is an event of its own.
        auto& names = event.mask & IN_CREATE                     ? events.created
                      : event.mask & (IN_MOVED_FROM | IN_DELETE) ? events.gone
                                                                 : events.complete;
        names.insert(name);
    }
}

}  // namespace weir::source
