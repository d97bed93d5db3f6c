// SPDX-License-Identifier: Apache-2.0
// Messages about SNAT ports: one when the flows to an endpoint have used most of them, one when new connections are
// dropped for lack of one, and one when that is over. Gets its numbers after every sweep; never calls the kernel.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/view/snat_ports.hpp"

namespace weir::agent {

class SnatWatch {
public:
    enum class Level { info, warning, error };
    struct Line {
        Level level;
        std::string text;
        bool operator==(const Line&) const = default;
    };
    using Time = std::chrono::steady_clock::time_point;
    // Names the service ports whose backends are at these endpoints, without backends that take no new connections.
    // Called only when a pool passes its high mark or drops begin.
    using Owners = std::map<view::SnatEndpoint, std::string>;
    using FindOwners = std::function<Owners(const std::set<view::SnatEndpoint>&)>;

    // How long an episode or a series of drops must have stopped to count as over; scarce_calm: drops while some pool
    // still has an episode.
    static constexpr auto calm = std::chrono::seconds(30);
    static constexpr auto scarce_calm = std::chrono::minutes(5);

    // drops: packets with the verdict drop_no_snat_port since the maps were made. Those counted at the start happened
    // under an earlier agent.
    SnatWatch(view::SnatRange range, std::uint64_t drops, FindOwners owners)
        : range_(range), owners_(std::move(owners)), drops_(drops) {}

    // Returns the lines to log now. uses: most used first; those below the low mark may be missing.
    std::vector<Line> look(const std::vector<view::SnatUse>& uses, std::uint64_t drops, Time now);

    // Returns the present problems, for `weir status`.
    std::vector<model::Problem> problems() const;

private:
    // Lasts from the first look that finds a pool above the high mark until the pool has been below the low one for a
    // while. It belongs to the endpoint, not to the backend id: a backend that comes back continues its episode.
    struct Episode {
        std::string text;  // the description from when it began
        Time last_scarce;
    };

    std::string describe(const view::SnatUse& use, const Owners& owners) const;
    void look_at_use(const std::vector<view::SnatUse>& uses, Time now, std::vector<Line>& lines);
    void look_at_recovery(Time now, std::vector<Line>& lines);
    void look_at_drops(const std::vector<view::SnatUse>& uses, std::uint64_t drops, Time now, std::vector<Line>& lines);

    view::SnatRange range_;
    FindOwners owners_;
    std::map<view::SnatPool, Episode> episodes_;
    std::uint64_t drops_;             // at the last look
    std::uint64_t drops_before_ = 0;  // before the present drops began
    bool dropping_ = false;
    Time last_drop_;
};

}  // namespace weir::agent
