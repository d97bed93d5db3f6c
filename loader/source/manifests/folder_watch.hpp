// SPDX-License-Identifier: Apache-2.0
// Events in a folder, as inotify tells them.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <expected>
#include <functional>
#include <set>
#include <string>

struct inotify_event;

namespace weir::source {

struct FolderEvents {
    // Names with a whole content now: their writer has closed them, or they were moved here. Or their attributes have
    // changed: perhaps they can be read now.
    std::set<std::string> complete;
    // Names that came, and may be being written.
    std::set<std::string> created;
    // Names that went.
    std::set<std::string> gone;
    // Events were lost, or the folder itself went away: anything may have changed.
    bool everything = false;
};

// Never throws.
class FolderWatch {
public:
    using Callback = std::function<void(const FolderEvents& events)>;

    FolderWatch(boost::asio::io_context& io, Callback callback) : callback_(std::move(callback)), inotify_(io) {}

    // The errors say what to do.
    std::expected<void, std::string> open();
    // From now on, this folder; to be called while is_watching() is false.
    std::expected<void, std::string> watch(const std::string& folder);
    // false: the folder that was watched is there no more, at least under its name.
    bool is_watching() const { return watch_ >= 0; }

private:
    void wait_for_events();
    FolderEvents read_events();
    void take(const ::inotify_event& event, const char* name, FolderEvents& events);

    Callback callback_;
    boost::asio::posix::stream_descriptor inotify_;
    int watch_ = -1;
    std::array<char, 16384> buffer_{};
};

}  // namespace weir::source
