// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifests.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <system_error>

namespace weir::source {

namespace {

using namespace std::chrono_literals;

// One save of an editor, one `kubectl`-like write of many files: one scan.
constexpr auto settle_delay = 3ms;
constexpr auto look_period = 5s;
// A file that is written in place is not read before this much quiet, unless its writer has closed it.
constexpr std::int64_t quiet_ns = 1'000'000'000;

std::string folder_of(const std::string& file) {
    auto slash = file.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : file.substr(0, slash);
}

std::string name_of(const std::string& file) {
    auto slash = file.rfind('/');
    return slash == std::string::npos ? file : file.substr(slash + 1);
}

bool is_quiet(const FileStamp& stamp) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - stamp.modified > quiet_ns;
}

}  // namespace

std::expected<ReadManifests, std::string> read_manifests(const std::string& path) {
    auto listing = list_manifests(path);
    if (!listing) return std::unexpected(listing.error());
    std::map<std::string, FileReading> readings;
    for (const auto& [file, stamp] : listing->files) readings.emplace(file, read_manifest(file));
    ManifestStore store;
    ReadManifests out;
    for (auto& change : store.update(std::move(readings), read_manifest))
        out.objects.push_back(std::move(std::get<model::Upsert>(change).object));
    out.problems = store.problems();
    out.skipped = store.skipped();
    return out;
}

ManifestSource::ManifestSource(boost::asio::io_context& io, std::string path, Callback callback)
    : path_(std::move(path)), callback_(std::move(callback)), inotify_(io), scan_timer_(io), look_timer_(io) {}

std::expected<void, std::string> ManifestSource::start() {
    auto listing = list_manifests(path_);
    if (!listing) return std::unexpected(listing.error());
    is_folder_ = listing->is_folder;
    int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return std::unexpected(
            fmt::format("inotify: {}; raise fs.inotify.max_user_instances", std::generic_category().message(errno)));
    inotify_.assign(fd);
    // The watch comes before the first reading: nothing falls between the two.
    if (auto watching = watch(); !watching) return watching;
    wait_for_events();
    std::map<std::string, FileReading> readings;
    for (const auto& [file, stamp] : listing->files) readings.emplace(file, read_manifest(file));
    stamps_ = std::move(listing->files);
    report(std::move(readings));
    look_later();
    return {};
}

std::expected<void, std::string> ManifestSource::watch() {
    const auto folder = is_folder_ ? path_ : folder_of(path_);
    constexpr std::uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    watch_ = ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), mask);
    if (watch_ >= 0) return {};
    return std::unexpected(fmt::format("{}: cannot be watched: {}", folder, std::generic_category().message(errno)));
}

void ManifestSource::wait_for_events() {
    inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](auto error) {
        if (error) return;
        read_events();
        wait_for_events();
    });
}

void ManifestSource::read_events() {
    while (true) {
        auto got = ::read(inotify_.native_handle(), events_.data(), events_.size());
        if (got <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, events_.data() + at, sizeof(event));
            const char* name = events_.data() + at + sizeof(event);
            at += sizeof(event) + event.len;
            if (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
                if (event.mask & IN_MOVE_SELF) ::inotify_rm_watch(inotify_.native_handle(), watch_);
                watch_ = -1;
                continue;
            }
            // A created regular file has no content yet: its writer's close is an event of its own. Links and moved
            // files are complete.
            if (event.len && (event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB)))
                named_.insert(is_folder_ ? fmt::format("{}{}{}", path_, path_.ends_with('/') ? "" : "/", name)
                              : name == name_of(path_) ? path_
                                                       : std::string());
        }
    }
    scan_later();
}

void ManifestSource::scan_later() {
    if (scan_pending_) return;
    scan_pending_ = true;
    scan_timer_.expires_after(settle_delay);
    scan_timer_.async_wait([this](auto error) {
        if (error) return;
        scan_pending_ = false;
        scan(false);
    });
}

void ManifestSource::look_later() {
    look_timer_.expires_after(look_period);
    look_timer_.async_wait([this](auto error) {
        if (error) return;
        scan(true);
        look_later();
    });
}

void ManifestSource::scan(bool everything) {
    bool rewatched = watch_ < 0 && watch().has_value();
    auto named = std::exchange(named_, {});
    auto listing = list_manifests(path_);
    if (!listing || listing->is_folder != is_folder_) {
        auto failure = listing
                           ? fmt::format("{}: is {} now; restart weir", path_, is_folder_ ? "no folder" : "a folder")
                           : listing.error();
        bool known = failure == failure_;
        failure_ = std::move(failure);
        if (!known) report({});
        return;
    }
    bool recovered = !failure_.empty();
    failure_.clear();

    std::map<std::string, FileReading> readings;
    for (const auto& [file, stamp] : listing->files) {
        auto known = stamps_.find(file);
        bool fresh =
            known == stamps_.end() || known->second.inode != stamp.inode || known->second.device != stamp.device;
        bool changed = known == stamps_.end() || known->second != stamp;
        // A new inode under the name came by a rename or a link, unless it is being written right now.
        bool complete = named.contains(file) || is_quiet(stamp) || (fresh && stamp.size > 0 && known != stamps_.end());
        if (named.contains(file) || (changed && complete && (fresh || everything || rewatched))) {
            readings.emplace(file, read_manifest(file));
            stamps_[file] = stamp;
        }
    }
    for (auto it = stamps_.begin(); it != stamps_.end();) {
        if (listing->files.contains(it->first)) {
            ++it;
            continue;
        }
        readings[it->first].state = FileReading::State::gone;
        it = stamps_.erase(it);
    }
    if (!readings.empty() || recovered) report(std::move(readings));
}

void ManifestSource::report(std::map<std::string, FileReading> readings) {
    auto changes = store_.update(std::move(readings), read_manifest);
    for (const auto& kind : store_.skipped())
        if (noted_kinds_.insert(kind).second) spdlog::info("{} objects are not weir's business: left out", kind);
    auto problems = store_.problems();
    if (!failure_.empty())
        problems.push_back({model::Severity::error, {}, "", failure_ + "; what was read before stays in force"});
    callback_(std::move(changes), std::move(problems));
}

}  // namespace weir::source
