// SPDX-License-Identifier: Apache-2.0
// What a person is told about SNAT ports: once when the flows to an endpoint have used most of them, once when new
// connections are dropped for want of one, once when that is over. Fed after every sweep; knows no kernel.
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
    // Whose backends are at these endpoints? Those that take no new connections are left out. It is asked only when
    // something begins.
    using Owners = std::map<view::SnatEndpoint, std::string>;
    using FindOwners = std::function<Owners(const std::set<view::SnatEndpoint>&)>;

    // So long nothing happens before something counts as over, and so long if ports stay scarce.
    static constexpr auto calm = std::chrono::seconds(30);
    static constexpr auto scarce_calm = std::chrono::minutes(5);

    // drops: packets with the verdict drop_no_snat_port since the maps were made; at the start they are an earlier
    // agent's.
    SnatWatch(view::SnatRange range, std::uint64_t drops, FindOwners owners)
        : range_(range), owners_(std::move(owners)), drops_(drops) {}

    // uses: most used first; those below the low mark may be missing. Answers what is to be logged now.
    std::vector<Line> look(const std::vector<view::SnatUse>& uses, std::uint64_t drops, Time now);

    // What is wrong at present, for `weir status`.
    std::vector<model::Problem> problems() const;

private:
    // A pool from its first look above the high mark until it has been below the low one for a while. It is the
    // endpoint's, not the backend id's: a backend that comes back finds it.
    struct Episode {
        std::string text;  // when it began
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
    std::uint64_t drops_before_ = 0;  // when they began
    bool dropping_ = false;
    Time last_drop_;
};

}  // namespace weir::agent
