// SPDX-License-Identifier: Apache-2.0
// Which object is in force? Several files may give the same one, files break and recover. Pure: reads nothing by
// itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "loader/model/cluster.hpp"
#include "loader/model/decode.hpp"

namespace weir::source {

// What a look at one file brought.
struct FileReading {
    enum class State {
        read,       // decoded holds its content, which may be malformed
        gone,       // the file was removed, and its objects with it
        unreadable  // failure says why
    };
    State state = State::read;
    model::Decoded decoded;
    std::string failure;
};

// Keeps identities and fingerprints, not objects: an agent with 250,000 endpoints holds them once, in its Cluster. An
// object that comes into force without its file having changed is had by reading that file again.
class ManifestStore {
public:
    using Reread = std::function<FileReading(const std::string& file)>;

    // Takes new readings by file name and answers what changed.
    //
    // Of two files that give the same object, the first in name order counts. A file that does not parse or cannot be
    // read, and an object that is refused, keep their last good content in force.
    std::vector<model::Change> update(std::map<std::string, FileReading> readings, const Reread& reread);

    std::vector<model::Problem> problems() const;  // in file order
    std::set<std::string> skipped() const;         // kinds that weir does not read

private:
    struct File {
        std::set<const model::Identity*> objects;
        std::vector<model::Problem> problems;
        std::vector<std::string> skipped;
        bool stale = false;  // what is in force is older than what the file says, or was not said at all
    };
    struct Given {
        const std::string* file;
        std::uint64_t fingerprint;
        int line;
    };
    using Objects = std::unordered_map<model::Identity, std::vector<Given>>;
    struct Force {
        const std::string* file;
        std::uint64_t fingerprint;
        bool operator==(const Force&) const = default;
    };
    // Identities that an update touches, with what was in force before.
    using Touched = std::map<const model::Identity*, std::optional<Force>>;

    static const Given* in_force(const std::vector<Given>& given);
    void take(const std::string& name, FileReading& reading, Touched& touched);
    void withdraw(const std::string& file, const model::Identity& identity, Touched& touched);
    void give(const std::string& file, const model::Identity& identity, std::uint64_t fingerprint, int line,
              Touched& touched);
    void touch(const Objects::value_type& entry, Touched& touched);
    std::vector<model::Change> changes(const Touched& touched, std::map<std::string, FileReading>& readings,
                                       const Reread& reread);

    std::map<std::string, File> files_;
    Objects objects_;
    std::set<const model::Identity*> contested_;  // given by more than one file
};

}  // namespace weir::source
