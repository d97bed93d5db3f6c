// SPDX-License-Identifier: Apache-2.0
// /healthz and /livez of the node: do the maps follow the objects, and is the node to stay?
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/serve/listeners.hpp"

namespace weir::serve {

struct NodeState {
    bool current = false;        // Programming::is_current
    bool live = false;           // Programming::is_live
    bool to_be_deleted = false;  // the node
    std::optional<std::chrono::system_clock::time_point> last_written;
};

class NodeHealth {
public:
    // state: asked with every request. on_problems: problems() has changed by itself.
    NodeHealth(boost::asio::io_context& io, std::function<NodeState()> state, std::function<void()> on_problems,
               ServeLimits limits = {.connections = 64});

    void listen(const std::vector<model::SocketAddress>& addresses);
    std::vector<model::Problem> problems() const;

    // Returns the answer to a path.
    static Response answer(std::string_view path, const NodeState& state, std::chrono::system_clock::time_point now);

private:
    Listeners listeners_;
};

}  // namespace weir::serve
