// SPDX-License-Identifier: Apache-2.0
// Objects from a file or a folder of Kubernetes manifests, read once or followed.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <expected>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/model/cluster.hpp"
#include "loader/source/manifest_files.hpp"
#include "loader/source/manifest_store.hpp"

namespace weir::source {

struct ReadManifests {
    std::vector<model::Object> objects;
    std::vector<model::Problem> problems;
    std::set<std::string> skipped;  // kinds that weir does not read
};

// The error says why the path cannot be read at all; files that cannot are among the problems.
std::expected<ReadManifests, std::string> read_manifests(const std::string& path);

// Follows the path by inotify, and looks by itself every few seconds: links that lead out of the folder and network
// file systems announce nothing. Never throws.
class ManifestSource {
public:
    // problems: all that are in force.
    using Callback = std::function<void(std::vector<model::Change> changes, std::vector<model::Problem> problems)>;

    ManifestSource(boost::asio::io_context& io, std::string path, Callback callback);

    // Reads everything and calls back, also where there is nothing. The error says why it cannot begin.
    std::expected<void, std::string> start();

private:
    std::expected<void, std::string> watch();
    void wait_for_events();
    void read_events();
    void scan_later();
    void look_later();
    // everything: also files that only their stamps say have changed.
    void scan(bool everything);
    void report(std::map<std::string, FileReading> readings);

    std::string path_;
    Callback callback_;
    boost::asio::posix::stream_descriptor inotify_;
    boost::asio::steady_timer scan_timer_;
    boost::asio::steady_timer look_timer_;
    int watch_ = -1;
    bool is_folder_ = false;
    bool scan_pending_ = false;
    ManifestStore store_;
    std::map<std::string, FileStamp> stamps_;  // of what was read last
    std::set<std::string> named_;              // files that events name
    std::string failure_;                      // of the path itself
    std::set<std::string> noted_kinds_;
    std::array<char, 16384> events_{};
};

}  // namespace weir::source
