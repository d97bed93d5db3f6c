// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/agent.hpp"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <memory>
#include <set>
#include <utility>

#include "loader/view/names.hpp"

namespace weir::agent {

namespace {

// After planning this many Services at once, the agent gives free memory back to the kernel: the allocator would keep
// several times what the agent needs.
constexpr std::size_t many_services = 1000;

}  // namespace

Agent::Agent(boost::asio::io_context& io, const config::Config& config, const datapath::Programs& programs,
             StateFile state_file)
    : config_(config),
      programs_(programs),
      writer_(programs),
      node_(config),
      programmer_(writer_, plan::capacity_of(programs.sizes())),
      planning_(node_.context(), [this](const auto& service) { return programmer_.serves(service); }),
      attachments_(std::make_unique<KernelHooks>(config.datapath, programs), config.interfaces, problems_),
      publisher_(io, std::move(state_file), [this] { return state(); }),
      health_(io,
              [this] {
                  problems_.note(Problems::Area::health, health_.problems());
                  publisher_.publish_later();
              }),
      sweeps_(
          io, programs, config.datapath.snat_ports, problems_,
          {.on_sweep = [this](bool is_done) { on_sweep(is_done); }, .on_news = [this] { publisher_.publish_later(); }}),
      links_watch_(io, {.on_links =
                            [this](const auto& links, const auto& routes) {
                                on_links({links, routes});
                            },
                        .on_routes = [this] { on_routes(); }}),
      source_(io, config.manifests, [this](auto report) { on_source(std::move(report)); }),
      retry_timer_(io) {}

std::expected<void, std::string> Agent::start() {
    if (programs_.adopted()) adopt();
    health_.queued();
    health_.listen(config_.healthz_addresses);
    if (auto watching = links_watch_.start(); !watching) return watching;
    if (auto reading = source_.start(); !reading) return reading;
    sweeps_.begin();
    return {};
}

// Keeps the ids, ranges and allocations of an earlier agent in use.
void Agent::adopt() {
    auto contents = programmer_.adopt();
    if (!contents) {
        spdlog::warn("the maps cannot be read back ({}): they are written anew", contents.error());
        return;
    }
    planning_.adopt(*contents);
    health_.adopted();
    spdlog::info("took over {} services, {} frontends, {} backends", contents->services.size(),
                 contents->frontends.size(), contents->backends.size());
}

void Agent::on_links(net::Links links) {
    node_.set_links(std::move(links));
    update_node();
    // On a first start the agent fills the maps before it attaches the programs.
    if (planning_.adoption().may_attach()) attach_links();
    program();
}

void Agent::on_routes() {
    if (auto bumped = writer_.bump_route_generation(); !bumped) spdlog::error("{}", bumped.error());
}

void Agent::on_source(source::Report report) {
    health_.queued();
    for (auto& change : std::exchange(report.changes, {})) planning_.apply(std::move(change));
    if (report.more) return;
    bool was_held = planning_.adoption().is_held();
    problems_.note(Problems::Area::source, std::move(report.problems));
    planning_.source_read(report.synced);
    if (planning_.adoption().is_held() && !was_held)
        spdlog::error("nothing that the last agent served is taken away until these files are right");
    update_node();
    program();
    publisher_.publish_later();
}

void Agent::on_sweep(bool is_done) {
    if (is_done) programmer_.grace_period_passed();
    // Services that found no room may find it now.
    if (!programmer_.waiting().empty()) program();
}

void Agent::update_node() {
    bool has_changed = node_.refresh(planning_.cluster());
    const auto& context = node_.context();
    health_.set_node(context, planning_.cluster().node(config_.node));
    if (!has_changed) return;
    planning_.set_node(context);
    if (auto set = writer_.set_node_addresses(context.node_port_addresses); !set) spdlog::error("{}", set.error());
}

// Brings everything up to date with what the source and the interfaces say.
void Agent::program() {
    if (!node_.has_links() || !planning_.is_read()) return;
    auto plans = planning_.take(programmer_.waiting());
    tell(plans);
    if (planning_.adoption().planned()) programmer_.finish_adoption();
    for (auto* consumer : consumers()) consumer->sync();
    sweeps_.removed(programmer_.take_removal(), programmer_.is_crowded());
    // The memory that reading and planning this much took is free once the caller has released the changes.
    if (plans.size() >= many_services) boost::asio::post(retry_timer_.get_executor(), [] { ::malloc_trim(0); });
    if (programmer_.is_written())
        on_written();
    else
        retry_later();
    publisher_.publish_later();
}

void Agent::tell(const std::vector<plan::ServicePlan>& plans) {
    for (const auto& plan : plans) {
        for (auto* consumer : consumers()) consumer->update(plan);
        auto problems = plan.problems;
        std::ranges::move(programmer_.problems_of(plan.service), std::back_inserter(problems));
        problems_.note(Problems::Area::service, std::move(problems), plan.service.to_string());
    }
}

void Agent::on_written() {
    health_.written();
    if (!planning_.adoption().written()) return;
    attach_links();
    attachments_.attach_sockets(config_.datapath.socket_hooks, config_.datapath.cgroup);
    auto usage = programmer_.usage();
    spdlog::info("ready: {} services, {} frontends, {} backends on {} interfaces",
                 planning_.cluster().services().size(), usage.frontends, usage.backends, attachments_.count());
}

void Agent::retry_later() {
    retry_timer_.expires_after(*programmer_.retry_after());
    retry_timer_.async_wait([this](auto error) {
        if (!error) program();
    });
}

void Agent::attach_links() {
    auto outcome = attachments_.attach(node_.links(), node_.context());
    std::set<unsigned> uplinks;
    for (const auto& [ifindex, device] : outcome.uplinks) uplinks.insert(ifindex);
    links_watch_.set_uplinks(std::move(uplinks));
    if (auto set = writer_.set_devices(outcome.uplinks); !set) spdlog::error("{}", set.error());
    if (!outcome.has_changed) return;
    // Cached next hops still have the devices' earlier capabilities.
    on_routes();
    publisher_.publish_later();
}

// Returns the state that `weir status` shows.
boost::json::object Agent::state() const {
    std::vector<model::Problem> problems;
    auto add = [&](std::vector<model::Problem> more) { std::ranges::move(more, std::back_inserter(problems)); };
    add(problems_.in_force());
    add(sweeps_.problems());
    add(attachments_.problems(node_.links()));
    for (const auto& size : programs_.unapplied()) add({problem(model::Severity::warning, size)});
    if (!programmer_.failure().empty()) add({problem(model::Severity::error, programmer_.failure())});
    boost::json::array not_balanced;
    for (const auto& [name, why] : planning_.not_balanced())
        not_balanced.push_back({{"name", name.to_string()}, {"state", view::state_name(why)}});
    const auto& cluster = planning_.cluster();
    return {{"ready", planning_.adoption().may_attach()},
            {"held", planning_.adoption().is_held()},
            {"programmed", programmer_.rounds()},
            {"node", config_.node},
            {"source", config_.manifests},
            {"services", cluster.services().size()},
            {"pods", cluster.pod_count()},
            {"endpoints", cluster.endpoint_count()},
            {"interfaces", attachments_.interfaces()},
            {"socketHooks", attachments_.socket_cgroup()},
            {"problems", to_json(problems)},
            {"notBalanced", not_balanced}};
}

}  // namespace weir::agent
