// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/agent.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "loader/agent/adoption.hpp"
#include "loader/agent/attachments.hpp"
#include "loader/apply/write_order.hpp"
#include "loader/config/node_context.hpp"
#include "loader/datapath/cgroup.hpp"
#include "loader/datapath/socket_hooks.hpp"

namespace weir::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto retry_delay = 1s;
// The state file is for people: a burst of changes is one write.
constexpr auto publish_delay = 50ms;
// From so many Services at once on, the memory that reading and planning them took is given back to the kernel: the
// allocator would keep several times what the agent needs.
constexpr std::size_t many_services = 1000;

view::SnatRange snat_range(const config::Config& config) {
    return {config.datapath.snat_port_min, config.datapath.snat_port_max};
}

bool has_backends(const plan::ServicePlan& plan) {
    return std::ranges::any_of(plan.ports, [](const auto& port) { return !port.sets.empty(); });
}

net::LinkWatch::Callbacks link_callbacks(Agent& agent, auto on_links, auto on_routes) {
    return {.on_links = [&agent, on_links](const auto& links, const auto& routes) { (agent.*on_links)(links, routes); },
            .on_routes = [&agent, on_routes] { (agent.*on_routes)(); }};
}

}  // namespace

Agent::Agent(boost::asio::io_context& io, const config::Config& config, const datapath::Programs& programs,
             StateFile state)
    : io_(io),
      config_(config),
      programs_(programs),
      state_file_(std::move(state)),
      writer_(programs),
      attacher_(config.datapath, programs),
      sweeper_(
          io, programs, snat_range(config), [this](const auto& result) { on_sweep(result); },
          [this](const auto& aborted) { on_sockets(aborted); }),
      links_watch_(io, link_callbacks(*this, &Agent::on_links, &Agent::on_routes)),
      source_(io, config.manifests, [this](auto report) { on_source(std::move(report)); }),
      node_(node_context()),
      planner_(node_),
      layout_({.frontends = programs.sizes().frontends,
               .services = programs.sizes().services,
               .backends = programs.sizes().backends,
               .slot_lines = programs.sizes().slots / abi::SLOTS_PER_LINE,
               .source_ranges = programs.sizes().source_ranges}),
      health_(io,
              [this] {
                  note_problem("health", health_.problems());
                  publish_later();
              }),
      snat_watch_(snat_range(config), snat_drops(), [this](const auto& endpoints) { return owners_of(endpoints); }),
      retry_timer_(io),
      sweep_timer_(io),
      publish_timer_(io) {}

std::expected<void, std::string> Agent::start() {
    if (programs_.adopted()) adopt();
    health_.queued();
    health_.listen(config_.healthz_addresses);
    if (auto watching = links_watch_.start(); !watching) return watching;
    if (auto reading = source_.start(); !reading) return reading;
    sweep_later();
    return {};
}

// Ids, ranges and allocations of an earlier agent go on being used.
void Agent::adopt() {
    auto contents = writer_.read();
    if (!contents) {
        spdlog::warn("the maps cannot be read back ({}): they are written anew", contents.error());
        return;
    }
    layout_.adopt(*contents);
    planner_.adopt(held_frontends(*contents));
    adoption_open_ = true;
    health_.adopted();
    spdlog::info("took over {} services, {} frontends, {} backends", contents->services.size(),
                 contents->frontends.size(), contents->backends.size());
}

void Agent::on_links(const std::vector<net::Link>& links, const std::vector<unsigned>& default_routes) {
    links_ = links;
    default_routes_ = default_routes;
    bool first = !links_known_;
    links_known_ = true;
    update_node();
    // On the first start the maps are filled before a packet meets the programs.
    if (!first && ready_) attach_links();
    program();
}

void Agent::on_routes() {
    if (auto bumped = writer_.bump_route_generation(); !bumped) spdlog::error("{}", bumped.error());
}

void Agent::on_source(source::Report report) {
    health_.queued();
    for (auto& change : std::exchange(report.changes, {})) cluster_.apply(std::move(change));
    if (report.more) return;
    auto& problems = report.problems;
    // What a broken file held before the restart is known to the maps alone: until it reads again nothing is taken
    // away.
    bool was_held = held_;
    held_ = adoption_open_ && !report.synced;
    planner_.keep_adopted(held_);
    note_problem("source", problems);
    source_problems_ = std::move(problems);
    if (held_ && !was_held)
        spdlog::error("nothing that the last agent served is taken away until these files are right");
    if (!held_) {
        for (const auto& name : std::exchange(kept_, {})) cluster_.mark_dirty(name);
    }
    source_known_ = true;
    update_node();
    program();
    publish_later();
}

void Agent::update_node() {
    auto node = node_context();
    health_.set_node(node, cluster_.node(config_.node));
    if (node == node_) return;
    node_ = node;
    planner_.set_node(node);
    if (auto set = writer_.set_node_addresses(node.node_port_addresses); !set) spdlog::error("{}", set.error());
    cluster_.mark_all_dirty();
}

plan::NodeContext Agent::node_context() const {
    auto context = config::context_of(config_);
    std::vector<model::Address> of_uplinks;
    for (const auto& assigned : net::assign(links_, default_routes_, config_.interfaces)) {
        for (const auto& address : assigned.first.addresses) {
            context.addresses.push_back(address);
            if (assigned.second == net::Role::uplink) of_uplinks.push_back(address);
        }
    }
    config::fill_node(context, cluster_, of_uplinks, config_.node_port_addresses);
    return context;
}

void Agent::program() {
    if (!links_known_ || !source_known_) return;
    auto dirty = cluster_.take_dirty();
    for (const auto& name : layout_.waiting()) dirty.push_back(name);
    plan::MapChanges changes;
    for (const auto& service_plan : planner_.plan(cluster_, dirty)) {
        if (held_ && layout_.serves(service_plan.service) && !has_backends(service_plan)) {
            kept_.insert(service_plan.service);
            continue;
        }
        if (service_plan.state == plan::ServiceState::planned)
            not_planned_.erase(service_plan.service);
        else
            not_planned_[service_plan.service] = service_plan.state;
        health_.update(service_plan);
        auto problems = service_plan.problems;
        auto removals = changes.backends_off.size();
        for (auto& problem : layout_.update(service_plan, changes)) problems.push_back(std::move(problem));
        note_datagrams(service_plan, changes.backends_off.size() > removals);
        note_problem("Service " + service_plan.service.to_string(), std::move(problems));
        if (!cluster_.has_service(service_plan.service)) not_planned_.erase(service_plan.service);
    }
    apply(std::move(changes));
    if (adoption_open_ && !held_) {
        datagrams_left_ = true;  // perhaps: nothing is known about what no Service claims
        apply(layout_.finish_adoption());
        adoption_open_ = false;
    }
    ++programmed_;
    // What reading and planning that much took is not needed again, once whoever brought the changes has let go of it.
    if (dirty.size() >= many_services) boost::asio::post(io_, [] { ::malloc_trim(0); });
    if (unwritten_.empty()) health_.written();
    health_.sync();
    if (!ready_ && unwritten_.empty()) {
        attach_links();
        attach_sockets();
        ready_ = true;
        auto usage = layout_.usage();
        spdlog::info("ready: {} services, {} frontends, {} backends on {} interfaces", cluster_.services().size(),
                     usage.frontends, usage.backends, attached_.size());
    }
    publish_later();
}

void Agent::apply(plan::MapChanges changes) {
    if (!changes.empty()) unwritten_.push_back(std::move(changes));
    bool removed = false;
    std::size_t written = 0;
    std::string failure;
    for (const auto& batch : unwritten_) {
        auto result = apply::write(writer_, batch);
        if (!result) {
            failure = result.error();
            break;
        }
        removed = removed || !batch.backends_off.empty();
        ++written;
    }
    unwritten_.erase(unwritten_.begin(), unwritten_.begin() + static_cast<std::ptrdiff_t>(written));
    if (failure != write_failure_) {
        if (!failure.empty()) spdlog::error("{}; retrying every second, what is programmed stays in force", failure);
        write_failure_ = failure;
        publish_later();
    }
    if (!failure.empty()) retry_later();
    if (removed) sweep_after_removal();
}

void Agent::retry_later() {
    retry_timer_.expires_after(retry_delay);
    retry_timer_.async_wait([this](auto error) {
        if (!error) program();
    });
}

void Agent::attach_links() {
    std::map<unsigned, abi::device> devices;
    std::vector<unsigned> in_use;
    std::set<unsigned> uplinks;
    bool changed = false;
    for (const auto& [link, role] : net::assign(links_, default_routes_, config_.interfaces)) {
        if (role == net::Role::none) continue;
        bool uplink = role == net::Role::uplink;
        in_use.push_back(link.ifindex);
        auto known = attached_.find(link.ifindex);
        if (known == attached_.end() || known->second.uplink != uplink) {
            std::vector<std::string> notes;
            auto attached = attacher_.attach(link.ifindex, link.name, link.kind, uplink, notes);
            for (const auto& note : notes) spdlog::warn("{}", note);
            if (!attached) {
                if (attach_failures_[link.ifindex] != attached.error()) spdlog::error("{}", attached.error());
                attach_failures_[link.ifindex] = attached.error();
                changed = true;
                continue;
            }
            attach_failures_.erase(link.ifindex);
            if (!attached->failure.empty()) {
                spdlog::error("{}", attached->failure);
                attach_failures_[link.ifindex] = attached->failure;
            }
            spdlog::info("{}: {}, {}{}{}", link.name, uplink ? "uplink" : "workload", attached->tc,
                         attached->xdp.empty() ? "" : ", XDP ", attached->xdp);
            known = attached_.insert_or_assign(link.ifindex, *attached).first;
            changed = true;
        }
        if (uplink) {
            uplinks.insert(link.ifindex);
            devices[link.ifindex] = device_of(link, known->second, node_);
        }
    }
    for (auto it = attached_.begin(); it != attached_.end();) {
        if (std::ranges::find(in_use, it->first) == in_use.end()) {
            spdlog::info("{}: gone", it->second.name);
            attacher_.detach(it->first);
            it = attached_.erase(it);
            changed = true;
        } else {
            ++it;
        }
    }
    std::erase_if(attach_failures_,
                  [&](const auto& entry) { return std::ranges::find(in_use, entry.first) == in_use.end(); });
    attacher_.drop_others(in_use);
    links_watch_.set_uplinks(uplinks);
    for (const auto& refused : net::refused_uplinks(links_, default_routes_, config_.interfaces)) {
        if (logged_.insert("refused " + refused.name).second) {
            spdlog::warn("{} is left out: {}", refused.name, refused.reason);
            changed = true;
        }
    }
    for (const auto& name : net::missing_uplinks(links_, config_.interfaces)) {
        if (logged_.insert("missing " + name).second)
            spdlog::warn("{}: no such interface; it is attached when it appears (interfaces.uplinks, --uplink)", name);
    }
    if (auto set = writer_.set_devices(devices); !set) spdlog::error("{}", set.error());
    if (changed) {
        // Cached next hops know what each device could do before.
        on_routes();
        publish_later();
    }
}

// Once, at the start. Without these hooks pods and outside clients are served all the same.
void Agent::attach_sockets() {
    const auto& settings = config_.datapath;
    if (!settings.socket_hooks) {
        datapath::remove_socket_hooks(settings.pins);
        return;
    }
    auto cgroup = datapath::open_cgroup(settings.cgroup);
    auto attached = cgroup ? datapath::attach_socket_hooks(settings.pins, programs_, *cgroup)
                           : std::expected<void, std::string>(std::unexpected(cgroup.error()));
    if (attached) {
        socket_cgroup_ = cgroup->path;
        spdlog::info("{}: socket hooks", cgroup->path);
        if (!cgroup->root && settings.cgroup.empty())
            socket_problem_ = fmt::format(
                "{} is not the root cgroup: only processes in it and below reach services; mount the host's and name "
                "it "
                "(--cgroup)",
                cgroup->path);
    } else {
        socket_problem_ = fmt::format("processes on the node reach no services: {}", attached.error());
    }
    if (!socket_problem_.empty()) spdlog::warn("{}", socket_problem_);
}

// Each problem is logged once, when it appears; the state file holds those in force.
void Agent::note_problem(const std::string& key, std::vector<model::Problem> problems) {
    std::set<std::string> now;
    for (const auto& problem : problems) {
        auto text = problem.to_string();
        now.insert(key + "\n" + text);
        if (!logged_.insert(key + "\n" + text).second) continue;
        if (problem.severity == model::Severity::error)
            spdlog::error("{}", text);
        else
            spdlog::warn("{}", text);
    }
    auto begin = logged_.lower_bound(key + "\n");
    for (auto it = begin; it != logged_.end() && it->starts_with(key + "\n");)
        it = now.contains(*it) ? std::next(it) : logged_.erase(it);
    if (key == "source") return;
    if (problems.empty())
        plan_problems_.erase(key);
    else
        plan_problems_[key] = std::move(problems);
}

void Agent::publish_later() {
    if (publish_pending_) return;
    publish_pending_ = true;
    publish_timer_.expires_after(publish_delay);
    publish_timer_.async_wait([this](auto error) {
        if (error) return;
        publish_pending_ = false;
        if (auto written = state_file_.write(state()); !written) spdlog::error("{}", written.error());
    });
}

}  // namespace weir::agent
