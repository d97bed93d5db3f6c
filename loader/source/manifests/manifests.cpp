// SPDX-License-Identifier: Apache-2.0
#include "loader/source/manifests/manifests.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>
#include <tuple>
#include <utility>

namespace weir::source {

namespace {

using namespace std::chrono_literals;

// One save of an editor, one `kubectl`-like write of many files: one scan.
constexpr auto settle_delay = 1ms;
// A file that is gone may come back at once: some editors move the old one away before they write the new one.
constexpr auto removal_delay = 3ms;
// A file that is written in place is not read before this much quiet, unless its writer has closed it.
constexpr auto quiet = 1s;
// Looks at everything take this part of the time at most, unless they would come too seldom.
constexpr int look_share = 500;
constexpr auto longest_look_period = 1min;
// About half a millisecond.
constexpr std::size_t files_at_a_time = 200;
// Objects that the first reading hands over at once: decoded, they take several times the memory that the Cluster
// needs.
constexpr std::size_t objects_at_a_time = 2000;

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
    constexpr std::int64_t quiet_ns = std::chrono::nanoseconds(quiet).count();
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - stamp.modified > quiet_ns;
}

}  // namespace

std::expected<ReadManifests, std::string> read_manifests(const std::string& path) {
    auto folder = is_folder(path);
    if (!folder) return std::unexpected(folder.error());
    ManifestStore::Readings readings;
    auto visited = visit_manifests(path, *folder,
                                   [&](const auto& file, const auto&) { readings.emplace(file, read_manifest(file)); });
    if (!visited) return std::unexpected(visited.error());
    ManifestStore store;
    ReadManifests out;
    for (auto& change : store.update(std::move(readings), read_manifest))
        out.objects.push_back(std::move(std::get<model::Upsert>(change).object));
    out.problems = store.problems();
    out.skipped = store.skipped();
    return out;
}

ManifestSource::ManifestSource(boost::asio::io_context& io, std::string path, Callback callback, Duration look_period)
    : path_(std::move(path)),
      callback_(std::move(callback)),
      look_period_(look_period),
      watch_(io, [this](const auto& events) { on_events(events); }),
      scan_timer_(io),
      look_timer_(io),
      settle_timer_(io) {}

std::expected<void, std::string> ManifestSource::start() {
    auto folder = is_folder(path_);
    if (!folder) return std::unexpected(folder.error());
    is_folder_ = *folder;
    if (auto opened = watch_.open(); !opened) return opened;
    // The watch comes before the first reading: nothing falls between the two.
    if (auto watching = watch(); !watching) return watching;
    // All are found before the first is read: what is kept of each is not to lie between what was read.
    auto visited =
        visit_manifests(path_, is_folder_, [&](const auto& file, const auto& found) { note_found(file, found); });
    if (!visited) return visited;
    Readings readings;
    std::size_t objects = 0;
    std::vector<std::string> gone;
    for (const auto& [file, known] : known_) {
        const auto& reading = readings.emplace(file, read_manifest(file)).first->second;
        if (reading.state == FileReading::State::unreadable && !find_manifest(std::string(file.view())))
            gone.emplace_back(file.view());
        objects += reading.decoded.objects.size();
        if (objects < objects_at_a_time) continue;
        callback_({.changes = take(std::exchange(readings, {})), .problems = {}, .synced = false, .more = true});
        objects = 0;
    }
    // Files that were removed meanwhile are no error; a folder that was is one, and its files stay in force.
    if (auto there = check_path(); !there)
        failure_ = there.error();
    else
        for (const auto& file : gone) forget(file, readings);
    report(std::move(readings));
    look_later({});
    return {};
}

std::expected<void, std::string> ManifestSource::watch() {
    return watch_.watch(is_folder_ ? path_ : folder_of(path_));
}

void ManifestSource::on_events(const FolderEvents& events) {
    bool removal = false;
    for (const auto& name : events.complete) note(name, true);
    for (const auto& name : events.created) note(name, false);
    for (const auto& name : events.gone) removal = note(name, false) || removal;
    look_pending_ = look_pending_ || events.everything;
    if (look_pending_ || !named_.empty()) scan_later(removal ? removal_delay : settle_delay);
}

// Tells whether a file of this name is a manifest.
bool ManifestSource::note(const std::string& name, bool whole) {
    if (is_folder_ ? is_manifest_name(name) : name == name_of(path_)) {
        auto& known_whole = named_[is_folder_ ? path_in(path_, name) : path_];
        known_whole = known_whole || whole;
        return true;
    }
    // Something beside the manifests: links may lead through it, as they do in ConfigMap volumes.
    for (const auto& link : links_) named_.emplace(link, false);
    return false;
}

// Not before this long after the first event that it is for.
void ManifestSource::scan_later(Duration delay) {
    auto now = std::chrono::steady_clock::now();
    if (!scan_since_)
        scan_since_ = now;
    else if (*scan_since_ + delay <= scan_timer_.expiry())
        return;
    scan_timer_.expires_at(*scan_since_ + delay);
    scan_timer_.async_wait([this](auto error) {
        if (!error) scan();
    });
}

void ManifestSource::look_later(Duration elapsed) {
    Duration sparing = std::min<Duration>(look_share * elapsed, longest_look_period);
    look_timer_.expires_after(std::max(look_period_, sparing));
    look_timer_.async_wait([this](auto error) {
        if (error) return;
        if (is_folder_ && failure_.empty() && watch_.is_watching()) return begin_look();
        look_pending_ = true;
        scan();
        look_later({});
    });
}

void ManifestSource::begin_look() {
    if (listing_) return;  // the one that is under way sees to the next
    auto listing = FolderListing::open(path_);
    ++look_number_;
    look_elapsed_ = {};
    if (listing) listing_.emplace(std::move(*listing));
    go_on_looking();
}

// A part at a time: a change need not wait for the end.
void ManifestSource::go_on_looking() {
    auto begin = std::chrono::steady_clock::now();
    Readings readings;
    auto more = listing_
                    ? listing_->visit(files_at_a_time,
                                      [&](const auto& file, const auto& found) { check(file, found, false, readings); })
                    : std::unexpected(std::string());
    if (more && !*more && check_path()) check_unseen(readings);
    if (!readings.empty()) report(std::move(readings));
    settle_later();
    look_elapsed_ += std::chrono::steady_clock::now() - begin;
    if (more && *more) return boost::asio::post(look_timer_.get_executor(), [this] { go_on_looking(); });
    listing_.reset();
    // If something went wrong, a scan reports it.
    if (!more || !check_path()) {
        look_pending_ = true;
        scan();
    }
    look_later(failure_.empty() ? look_elapsed_ : Duration{});
}

// Files that may have been written to a moment ago, and whose writers have announced nothing since.
void ManifestSource::settle_later() {
    if (settle_pending_ || unsettled_.empty()) return;
    settle_pending_ = true;
    settle_timer_.expires_after(quiet + 100ms);
    settle_timer_.async_wait([this](auto error) {
        if (error) return;
        settle_pending_ = false;
        if (unsettled_.empty()) return;
        for (const auto& file : std::exchange(unsettled_, {})) named_.emplace(file, false);
        scan();
    });
}

void ManifestSource::scan() {
    scan_since_.reset();
    Readings readings;
    std::expected<void, std::string> done = check_path();
    bool everything = std::exchange(look_pending_, false) || !failure_.empty() || !watch_.is_watching();
    if (done) {
        if (!watch_.is_watching()) std::ignore = watch();  // tried again by the next look
        scan_named(readings);
        if (everything) done = look(readings);
    }
    auto failure = done ? std::string() : done.error();
    bool news = failure != failure_;
    failure_ = std::move(failure);
    if (!readings.empty() || news) report(std::move(readings));
    // Looks again soon, to find the path when it is back.
    if (news && !failure_.empty()) look_later({});
    settle_later();
}

std::expected<void, std::string> ManifestSource::check_path() const {
    auto folder = is_folder(path_);
    if (!folder) return std::unexpected(folder.error());
    if (*folder == is_folder_) return {};
    return std::unexpected(fmt::format("{}: is {} now; restart weir", path_, is_folder_ ? "no folder" : "a folder"));
}

void ManifestSource::scan_named(Readings& readings) {
    for (const auto& [file, whole] : std::exchange(named_, {})) check(file, find_manifest(file), whole, readings);
}

std::expected<void, std::string> ManifestSource::look(Readings& readings) {
    ++look_number_;
    auto visited = visit_manifests(path_, is_folder_,
                                   [&](const auto& file, const auto& found) { check(file, found, false, readings); });
    if (!visited) return visited;
    check_unseen(readings);
    return {};
}

// A look has not met them: they are gone, unless they were renamed meanwhile.
void ManifestSource::check_unseen(Readings& readings) {
    std::vector<std::string> unseen;
    for (const auto& [file, known] : known_)
        if (known.look_number != look_number_) unseen.emplace_back(file.view());
    for (const auto& file : unseen) check(file, find_manifest(file), false, readings);
}

void ManifestSource::check(const std::string& file, const std::optional<FoundFile>& found, bool whole,
                           Readings& readings) {
    if (!found) return forget(file, readings);
    auto entry = known_.find(file);
    const auto* known = entry == known_.end() ? nullptr : &entry->second;
    if (known) entry->second.look_number = look_number_;
    if (whole) return read(file, *found, readings);
    const auto& stamp = found->stamp;
    if (known && known->stamp == stamp) return;
    bool another = !known || known->stamp.file != stamp.file;
    // Another file under the name came by a rename or a link, unless it is being written right now.
    bool put = another && (known ? stamp.size > 0 : found->is_link || found->is_shared);
    if (put || is_quiet(stamp)) return read(file, *found, readings);
    unsettled_.insert(file);
}

// The file is known from now on, by the name that is returned.
const model::FileName& ManifestSource::note_found(const std::string& file, const FoundFile& found) {
    auto known = known_.find(file);
    if (known == known_.end()) known = known_.try_emplace(file).first;
    known->second = {found.stamp, look_number_};
    if (found.is_link)
        links_.insert(file);
    else
        links_.erase(file);
    unsettled_.erase(file);
    return known->first;
}

void ManifestSource::read(const std::string& file, const FoundFile& found, Readings& readings) {
    const auto& name = note_found(file, found);
    readings.insert_or_assign(name, read_manifest(name));
}

void ManifestSource::forget(const std::string& file, Readings& readings) {
    links_.erase(file);
    unsettled_.erase(file);
    auto known = known_.find(file);
    if (known == known_.end()) return;
    readings[known->first] = {.state = FileReading::State::gone, .decoded = {}, .failure = ""};
    known_.erase(known);
}

std::vector<model::Change> ManifestSource::take(Readings readings) {
    auto changes = store_.update(std::move(readings), read_manifest);
    // The next look reads them.
    for (const auto& file : store_.take_unread())
        if (auto known = known_.find(file); known != known_.end()) known->second.stamp = {};
    for (const auto& kind : store_.skipped())
        if (noted_kinds_.insert(kind).second) spdlog::info("{} objects are not weir's business: left out", kind);
    return changes;
}

void ManifestSource::report(Readings readings) {
    auto changes = take(std::move(readings));
    auto problems = store_.problems();
    if (!failure_.empty())
        problems.push_back({model::Severity::error, {}, "", failure_ + "; what was read before stays in force"});
    synced_ = synced_ || (failure_.empty() && store_.is_whole());
    callback_({.changes = std::move(changes), .problems = std::move(problems), .synced = synced_, .more = false});
}

}  // namespace weir::source
