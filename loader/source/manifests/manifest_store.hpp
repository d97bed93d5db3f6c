// SPDX-License-Identifier: Apache-2.0
// Decides which object is in force. Several files may give the same one, files break and recover. Pure: reads nothing
// by itself.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "loader/decode/decode.hpp"
#include "loader/model/cluster.hpp"

namespace weir::source {

// The result of a look at one file.
struct FileReading {
    enum class State {
        read,       // decoded holds its content, which may be malformed
        gone,       // the file was removed, and its objects with it
        unreadable  // failure says why
    };
    State state = State::read;
    decode::Decoded decoded;
    std::string failure;
};

// Keeps identities and fingerprints, not objects: an agent with 250,000 endpoints holds them once, in its Cluster. An
// object that comes into force without its file having changed is had by reading that file again.
class ManifestStore {
public:
    using Reread = std::function<FileReading(const model::FileName& file)>;
    using Readings = std::map<model::FileName, FileReading>;

    // Takes new readings by file name and answers what changed.
    //
    // Of two files that give the same object, the first in name order counts. A file that does not parse or cannot be
    // read, and an object that is refused, keep their last good content in force.
    std::vector<model::Change> update(Readings readings, const Reread& reread);

    // Returns the files that could not be read since the last call. They must be read again, whether they change or
    // not.
    std::set<model::FileName> take_unread() { return std::exchange(unread_, {}); }

    std::vector<model::Problem> problems() const;  // in file order
    // Whether all that the files give is in force: none is unreadable or malformed, no object is refused, and none is
    // outdone by another file's.
    bool is_whole() const;
    std::set<std::string> skipped() const;  // kinds that weir does not read

private:
    // Remarks on a file; few files have any.
    struct Remarks {
        std::vector<model::Problem> problems;
        std::vector<std::string> skipped;
        bool stale = false;  // the objects in force are older than the file, or missing
    };
    struct Given {
        model::FileName file;  // none: no file gives it
        std::uint64_t fingerprint = 0;
        int line = 0;
        bool missed = false;  // in force, but its file had no good form of it when it was wanted
    };
    // Objects in force, by their packed identity.
    using Objects = std::unordered_map<model::SharedText, Given, model::SharedTextHash, std::equal_to<>>;
    using Key = const model::SharedText*;  // of an entry of Objects
    // The objects of one file, sorted. Most files of a large folder are a Service with its EndpointSlice.
    using File = boost::container::small_vector<Key, 2>;
    // Identities that an update touches, with what was in force before.
    using Touched = std::map<Key, Given>;

    void set_remarks(const model::FileName& file, Remarks remarks);
    void take(const model::FileName& name, FileReading& reading, Touched& touched);
    void withdraw(const model::FileName& file, Key key, Touched& touched);
    Key give(const model::Identity& identity, Given given, Touched& touched);
    static void settle(Given& now, std::vector<Given>& outdone);
    std::vector<model::Change> changes(const Touched& touched, Readings& readings, const Reread& reread);

    std::unordered_map<model::FileName, File, model::SharedTextHash> files_;
    std::map<model::FileName, Remarks> remarks_;
    std::map<std::string, std::size_t> skipped_;  // how many files have objects of a kind that weir does not read
    Objects objects_;
    std::set<model::FileName> unread_;
    std::map<Key, std::vector<Given>> outdone_;  // given by more than one file: what is not in force
};

}  // namespace weir::source
