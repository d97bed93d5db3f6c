// SPDX-License-Identifier: Apache-2.0
// Objects from a file or a folder of Kubernetes manifests, read once or followed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "loader/model/cluster.hpp"
#include "loader/source/manifests/folder_watch.hpp"
#include "loader/source/manifests/manifest_files.hpp"
#include "loader/source/manifests/manifest_store.hpp"
#include "loader/source/source.hpp"

namespace weir::source {

struct ReadManifests {
    std::vector<model::Object> objects;
    std::vector<model::Problem> problems;
    std::set<std::string> skipped;  // kinds that weir does not read
};

// The error says why the path cannot be read at all; files that cannot are among the problems.
std::expected<ReadManifests, std::string> read_manifests(const std::string& path);

// Follows the path by inotify, at the cost of what has changed. Looks at everything by itself now and then: links that
// lead out of the folder and network file systems announce nothing. Never throws.
class ManifestSource : public Source {
public:
    using Duration = std::chrono::steady_clock::duration;

    // look_period: at least this long between two looks at everything; up to a minute where a look takes long.
    ManifestSource(boost::asio::io_context& io, std::string path, Callback callback,
                   Duration look_period = std::chrono::seconds(5));

    // Tells what the first files say before the last are read. Synced as soon as no file and no object is left out.
    std::expected<void, std::string> start() override;

private:
    using Time = std::chrono::steady_clock::time_point;
    using Readings = ManifestStore::Readings;
    struct Known {
        FileStamp stamp;            // of what was read last
        std::uint64_t look_number;  // that saw it last
    };

    std::expected<void, std::string> watch();
    void on_events(const FolderEvents& events);
    bool note(const std::string& name, bool whole);
    void scan_later(Duration delay);
    void look_later(Duration elapsed);
    void begin_look();
    void go_on_looking();
    void settle_later();

    void scan();
    // The files that events have named.
    void scan_named(Readings& readings);
    // All of them, without a break. The error is of the path itself.
    std::expected<void, std::string> look(Readings& readings);
    void check_unseen(Readings& readings);
    std::expected<void, std::string> check_path() const;
    // whole: an event has said that the file is complete.
    void check(const std::string& file, const std::optional<FoundFile>& found, bool whole, Readings& readings);
    const model::FileName& note_found(const std::string& file, const FoundFile& found);
    void read(const std::string& file, const FoundFile& found, Readings& readings);
    void forget(const std::string& file, Readings& readings);
    std::vector<model::Change> take(Readings readings);
    void report(Readings readings);

    std::string path_;
    Callback callback_;
    Duration look_period_;
    FolderWatch watch_;
    boost::asio::steady_timer scan_timer_;
    boost::asio::steady_timer look_timer_;
    boost::asio::steady_timer settle_timer_;
    bool is_folder_ = false;
    bool look_pending_ = false;       // the next scan is a look at everything
    std::optional<Time> scan_since_;  // when the first event came that the next scan is for
    bool settle_pending_ = false;
    ManifestStore store_;
    std::unordered_map<model::FileName, Known, model::SharedTextHash, std::equal_to<>> known_;
    std::uint64_t look_number_ = 0;
    std::optional<FolderListing> listing_;  // of a look that is under way
    Duration look_elapsed_{};               // of its parts
    std::set<std::string> links_;           // files that are symbolic links
    std::map<std::string, bool> named_;     // files for the next scan, and whether they are whole
    std::set<std::string> unsettled_;       // files that were being written, perhaps, when they were seen
    std::string failure_;                   // of the path itself
    bool synced_ = false;
    std::set<std::string> noted_kinds_;
};

}  // namespace weir::source
