// SPDX-License-Identifier: Apache-2.0
// Asks the programs what they would do with a packet. The real tc programs, run packet by packet (BPF_PROG_TEST_RUN) on
// flow tables of their own: nothing of the node is changed. XDP programs have the same core and leave to tc what they
// cannot finish, so tc alone answers.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "loader/datapath/settings.hpp"
#include "loader/plan/map_changes.hpp"
#include "loader/view/flow_entry.hpp"
#include "maps/abi.h"
#include "maps/fd.hpp"

namespace weir::explain {

enum class Ingress { uplink, workload };

struct TrialResult {
    abi::verdict verdict = abi::VERDICT_COUNT;
    view::Tuple leaves;                            // the packet afterwards; as it came unless it was translated
    std::uint32_t backend_id = abi::BACKEND_NONE;  // of the flow that the packet belongs to
    bool known_flow = false;                       // which the node had before
    bool by_affinity = false;                      // the program took the client's last backend
};

class Trial {
public:
    struct Loaded;

    // On the maps that are pinned at settings.pins, with the configuration of the programs that run there. What they
    // know of the packet's flow and of its client counts.
    static std::expected<Trial, std::string> of_node(const datapath::Settings& settings);

    // On private maps, which hold these contents.
    static std::expected<Trial, std::string> of_plan(const datapath::Settings& settings,
                                                     const plan::MapChanges& contents);

    Trial(Trial&&) noexcept;
    Trial& operator=(Trial&&) noexcept;
    ~Trial();

    // The first packet of this connection comes in on an interface of the calling thread's network namespace. What
    // earlier runs left behind counts too, until forget(); but on a node's maps, the node knows best where its clients
    // were sent last.
    std::expected<TrialResult, std::string> run(const view::Tuple& tuple, Ingress ingress, unsigned ifindex);
    void forget();

    int map_fd(std::string_view name) const;  // -1: no such map
    template <class M>
    M view(std::string_view name) const {
        return maps::view<M>(map_fd(name));
    }

    // Empty: the configuration of the running programs is known.
    const std::string& note() const;

private:
    explicit Trial(std::unique_ptr<Loaded> loaded);
    std::unique_ptr<Loaded> loaded_;
};

}  // namespace weir::explain
