// SPDX-License-Identifier: Apache-2.0
// `weir flows`: the connections in the flow tables, one line for both directions.
#include <fmt/format.h>
#include <netinet/in.h>
#include <time.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstring>

#include "loader/cli/commands.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/view/flow_entry.hpp"
#include "loader/view/names.hpp"
#include "loader/view/node_view.hpp"

namespace weir::cli {

namespace {

// Both families in one form: the key and value of the forward direction.
struct FlowRow {
    abi::flow6_key key;
    abi::flow6 value;
};

FlowRow row_of(const abi::flow4_key& key, const abi::flow4& flow) {
    FlowRow row{};
    row.key.source = model::abi_address(key.source_be);
    row.key.destination = model::abi_address(key.destination_be);
    row.key.source_port_be = key.source_port_be;
    row.key.destination_port_be = key.destination_port_be;
    row.key.protocol = key.protocol;
    row.value.flow = flow.flow;
    row.value.source = model::abi_address(flow.source_be);
    row.value.destination = model::abi_address(flow.destination_be);
    return row;
}

FlowRow row_of(const abi::flow_pair& pair) {
    auto forward = view::direction_of(pair, false);
    auto reply = view::direction_of(pair, true);
    FlowRow row{.key = {}, .value = forward};
    row.key.source = reply.destination;
    row.key.destination = reply.source;
    row.key.source_port_be = reply.flow.destination_port_be;
    row.key.destination_port_be = reply.flow.source_port_be;
    row.key.protocol = pair.protocol;
    return row;
}

std::string_view state_of(std::uint32_t flags) {
    if (flags & abi::FLOW_CLOSING) return "closing";
    if (flags & abi::FLOW_ASSURED) return "assured";
    return flags & abi::FLOW_SEEN_REPLY ? "replied" : "new";
}

bool has_source_of_node(std::uint32_t flags) {
    return flags >> abi::FLOW_WAY_SHIFT == abi::WAY_REDIRECT;
}

double seconds_since(std::uint32_t tick) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    auto nanoseconds =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ull + static_cast<std::uint64_t>(now.tv_nsec);
    auto ticks = static_cast<std::int32_t>(static_cast<std::uint32_t>(nanoseconds >> abi::TICK_SHIFT) - tick);
    return std::max(0, ticks) * static_cast<double>(1u << abi::TICK_SHIFT) / 1e9;
}

std::string endpoint(const abi::address& address, __be16 port_be) {
    return model::to_string(model::address_of(address), ntohs(port_be));
}

class Listing {
public:
    Listing(const view::NodeView& view, OutputFormat format, const FlowFilter& filter)
        : view_(view), format_(format), filter_(filter) {}

    void add(const FlowRow& row) {
        const auto& flow = row.value.flow;
        if (flow.flags & abi::FLOW_REPLY) return;
        auto backend = view_.backends.find(flow.backend_id);
        // A drained flow's backend is gone from the maps, and so is its service.
        const std::string service = backend == view_.backends.end() ? "-" : view_.service(backend->second.service_id);
        if (!filter_.service.empty() && service != filter_.service && !service.starts_with(filter_.service + ":"))
            return;
        if (++count_ > filter_.limit) return;
        auto client = endpoint(row.key.source, row.key.source_port_be);
        auto frontend = endpoint(row.key.destination, row.key.destination_port_be);
        auto target = endpoint(row.value.destination, flow.destination_port_be);
        auto snat = has_source_of_node(flow.flags) ? endpoint(row.value.source, flow.source_port_be) : std::string();
        double idle = seconds_since(flow.last_seen);
        if (format_ == OutputFormat::json) {
            boost::json::object entry{{"protocol", view::protocol_name(row.key.protocol)},
                                      {"client", client},
                                      {"frontend", frontend},
                                      {"backend", target},
                                      {"service", service},
                                      {"state", state_of(flow.flags)},
                                      {"packets", flow.packets},
                                      {"octets", flow.octets},
                                      {"idleSeconds", idle}};
            entry["snat"] = snat.empty() ? boost::json::value(nullptr) : boost::json::value(snat);
            json_.push_back(std::move(entry));
        } else {
            table_.add({std::string(view::protocol_name(row.key.protocol)), client, frontend, target,
                        snat.empty() ? "-" : snat, std::string(state_of(flow.flags)), std::to_string(flow.packets),
                        fmt::format("{:.0f}s", idle), service});
        }
    }

    void print() const {
        if (format_ == OutputFormat::json)
            fmt::print("{}\n", boost::json::serialize(json_));
        else
            fmt::print("{}", table_.to_string());
        if (count_ > filter_.limit)
            fmt::print(stderr, "note: {} of {} flows shown; --limit shows more\n", filter_.limit, count_);
    }

private:
    const view::NodeView& view_;
    OutputFormat format_;
    const FlowFilter& filter_;
    std::size_t count_ = 0;
    Table table_{{"PROTO", "CLIENT", "FRONTEND", "BACKEND", "SNAT", "STATE", "PACKETS", "IDLE", "SERVICE"}};
    boost::json::array json_;
};

}  // namespace

int run_flows(const config::Config& config, OutputFormat format, const FlowFilter& filter) {
    const auto& pins = config.datapath.pins;
    auto fail = [](const std::string& what) {
        fmt::print(stderr, "weir flows: {}\n", what);
        return 1;
    };
    auto view = view::read_node(pins);
    if (!view) return fail(view.error());
    Listing listing(*view, format, filter);
    auto add_all = [&]<class M>(std::string_view name, auto row) -> std::expected<void, std::string> {
        auto map = maps::open_map<M>(pins, name);
        if (!map) return std::unexpected(map.error());
        if (auto error = map->for_each([&](const auto& key, const auto& value) { row(key, value); }))
            return std::unexpected(fmt::format("map {}: {}", name, error.message()));
        return {};
    };
    std::expected<void, std::string> done;
    for (auto name : {"flows4", "flows4_udp"})
        if (done)
            done = add_all.operator()<maps::Flow4Map>(
                name, [&](const auto& key, const auto& flow) { listing.add(row_of(key, flow)); });
    for (auto name : {"flows6", "flows6_udp"})
        if (done)
            done = add_all.operator()<maps::Flow6Map>(name, [&](const auto& key, const auto& flow) {
                listing.add({key, flow});
            });
    if (done && filter.all)
        done = add_all.operator()<maps::FlowPairMap>("unassured", [&](std::uint32_t, const abi::flow_pair& pair) {
            if (pair.family) listing.add(row_of(pair));
        });
    if (!done) return fail(done.error());
    listing.print();
    return 0;
}

}  // namespace weir::cli
