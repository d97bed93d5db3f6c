// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/programs.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include "loader/datapath/kernel.hpp"
#include "loader/datapath/libbpf_log.hpp"
#include "loader/datapath/resize.hpp"
#include "loader/datapath/skeletons.hpp"
#include "loader/model/abi_address.hpp"
#include "maps/jiffy_clock.hpp"
#include "maps/pins.hpp"
#include "maps/table.hpp"

namespace weir::datapath {

namespace {

template <auto destroy>
struct SkeletonDeleter {
    void operator()(auto* skeleton) const { destroy(skeleton); }
};
using XdpSkeleton = std::unique_ptr<xdp_bpf, SkeletonDeleter<xdp_bpf::destroy>>;
using TcSkeleton = std::unique_ptr<tc_bpf, SkeletonDeleter<tc_bpf::destroy>>;
using SockSkeleton = std::unique_ptr<sock_bpf, SkeletonDeleter<sock_bpf::destroy>>;
using SweepSkeleton = std::unique_ptr<sweep_bpf, SkeletonDeleter<sweep_bpf::destroy>>;

std::uint32_t ticks(std::chrono::seconds seconds) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(seconds.count()) * 1'000'000'000ull) >>
                                      abi::TICK_SHIFT);
}

abi::address_range address_range(const model::Cidr& cidr) {
    abi::address_range range{};
    range.base = model::abi_address(cidr.base);
    for (unsigned i = 0; i < cidr.mapped_length(); ++i)
        range.mask.bytes[i / 8] |= static_cast<std::uint8_t>(0x80 >> i % 8);
    return range;
}

// Facts about the kernel for the configuration, asked once for all programs: their clocks have to be the same.
struct KernelFacts {
    bool fib_source = kernel_has_fib_source();
    maps::JiffyClock clock = maps::jiffy_clock();
};

abi::datapath_config config_of(const Settings& settings, const KernelFacts& kernel) {
    abi::datapath_config config{
        .seed = settings.seed,
        .snat_port_min = settings.snat_ports.first,
        .snat_port_max = settings.snat_ports.last,
        .timeout_unassured_tcp = ticks(settings.timeouts.tcp_unassured),
        .timeout_unassured_udp = ticks(settings.timeouts.udp_unassured),
        .timeout_tcp = ticks(settings.timeouts.tcp),
        .timeout_closing = ticks(settings.timeouts.closing),
        .timeout_udp = ticks(settings.timeouts.udp),
        .fib_source = kernel.fib_source ? 1u : 0u,
        .service_ranges = {},
        .netns_cookie = netns_cookie().value_or(0),
        .unassured_pairs = settings.sizes.unassured,
        .pad = 0,
        .jiffy_ns = kernel.clock.jiffy_ns,
        .jiffy_offset_ns = kernel.clock.offset_ns,
    };
    for (std::size_t i = 0; i < settings.service_ranges.size() && i < std::size(config.service_ranges); ++i)
        config.service_ranges[i] = address_range(settings.service_ranges[i]);
    return config;
}

// Reads each size from the smallest map that it sets; a size of which no map is there stays as it is wanted.
MapSizes sizes_in_force(MapSizes sizes, const MapFds& fds) {
    for (const auto& setting : maps::size_settings) {
        std::optional<std::uint32_t> smallest;
        for (const auto& map : maps::table) {
            if (map.size.setting != &setting) continue;
            auto fd = fds.find(map.name);
            auto shape = maps::raw::shape(fd == fds.end() ? -1 : fd->second.get());
            if (shape) smallest = std::min(smallest.value_or(shape->max_entries), shape->max_entries);
        }
        if (smallest) sizes.*setting.value = *smallest * setting.per_entry;
    }
    return sizes;
}

}  // namespace

abi::datapath_config datapath_config(const Settings& settings) {
    return config_of(settings, KernelFacts());
}

struct Programs::Loaded {
    XdpSkeleton xdp;
    TcSkeleton tc;
    SweepSkeleton sweep;
    SockSkeleton sock;  // empty where the kernel does not take it: the rest serves without
    MapFds fds;
    MapFds outgrown;                // pinned maps that are made anew in another size
    std::vector<std::string> made;  // names of maps that are not adopted
    std::vector<std::string> notes;
    std::vector<std::string> unapplied;
    MapSizes sizes;
    bool adopted = false;

    void adopt_pins(const Settings& settings, const bpf_object* wanted);
    void find_outgrown(const MapSizes& wanted);
    std::expected<void, std::string> take_made(const bpf_object* object);
    std::expected<void, std::string> prepare(bpf_object* object, const MapSizes& sizes);
    std::expected<void, std::string> load(bpf_object* object, const char* name, abi::datapath_config* config,
                                          const Settings& settings, const KernelFacts& kernel);
    void load_sock(const Settings& settings, const KernelFacts& kernel);
    std::expected<void, std::string> pin_new(const Settings& settings);
};

// Takes the pinned maps over if all of them are there and fit what the programs expect; else removes the pins. Only a
// replaceable map may be missing, or is replaced alone: no flow is lost for want of it.
void Programs::Loaded::adopt_pins(const Settings& settings, const bpf_object* wanted) {
    MapFds found;
    std::string misfit;
    for (const auto& row : maps::table) {
        auto name = row.name;
        auto fd = maps::raw::open_pinned(settings.pins.map(name));
        if (!fd) {
            if (fd.error().value() != ENOENT) misfit = fmt::format("{}: {}", name, fd.error().message());
            continue;
        }
        auto shape = maps::raw::shape(fd->get());
        const bpf_map* map = bpf_object__find_map_by_name(wanted, std::string(name).c_str());
        if (!shape || !map || shape->type != bpf_map__type(map) || shape->key_size != bpf_map__key_size(map) ||
            shape->value_size != bpf_map__value_size(map)) {
            if (row.restart == maps::Restart::replaceable) {
                std::error_code ignored;
                std::filesystem::remove(settings.pins.map(name), ignored);
                continue;
            }
            misfit = fmt::format("{} has another layout", name);
        }
        found.emplace(name, std::move(*fd));
    }
    if (found.empty()) return;
    if (misfit.empty() && std::ranges::any_of(maps::table, [&](const auto& row) {
            return row.restart != maps::Restart::replaceable && !found.contains(row.name);
        }))
        misfit = "some maps are missing";
    if (misfit.empty()) {
        abi::runtime runtime{};
        std::uint32_t zero = 0;
        auto error = maps::raw::lookup(found.find("runtime")->second.get(), &zero, &runtime);
        if (error || runtime.abi_version != abi::WEIR_ABI_VERSION)
            misfit = fmt::format("ABI version {}, not {}", runtime.abi_version, int{abi::WEIR_ABI_VERSION});
    }
    if (misfit.empty()) {
        fds = std::move(found);
        adopted = true;
        return;
    }
    notes.push_back(
        fmt::format("the maps pinned in {} cannot be taken over ({}); new ones replace them and the flows in "
                    "them start afresh",
                    settings.pins.maps(), misfit));
    std::error_code ignored;
    for (auto name : maps::map_names()) std::filesystem::remove(settings.pins.map(name), ignored);
}

// Finds adopted maps that do not have the wanted size. Those that the table says are resized are made anew, if the new
// size holds what is there; all others stay as they are: flows, clients and sockets are not to be lost by a restart.
void Programs::Loaded::find_outgrown(const MapSizes& wanted) {
    struct Kept {
        std::string names;
        std::uint32_t entries;
        std::uint32_t wanted;
    };
    std::map<std::string_view, Kept> kept;  // by key of the configuration
    std::vector<std::string> names;
    for (const auto& map : maps::table) {
        auto fd = fds.find(map.name);
        auto shape = maps::raw::shape(fd == fds.end() ? -1 : fd->second.get());
        const auto* setting = map.size.setting;
        auto entries = map.entries(wanted);
        if (!setting || !shape || shape->max_entries == entries) continue;
        if (map.restart != maps::Restart::resized) {
            auto& entry = kept.try_emplace(setting->key, "", shape->max_entries, entries).first->second;
            entry.names += fmt::format("{}{}", entry.names.empty() ? "" : ", ", map.name);
            continue;
        }
        auto needed = entries_needed(map.name, fds);
        if (needed && *needed <= entries) {
            names.emplace_back(map.name);
            continue;
        }
        std::uint64_t unit = setting->per_entry;
        unapplied.push_back(
            fmt::format("map {}: keeps its size of {}, not the {} of {}: {}; make it larger and restart", map.name,
                        shape->max_entries * unit, entries * unit, setting->key,
                        needed ? fmt::format("what it holds takes {}", *needed * unit) : needed.error().message()));
    }
    for (const auto& name : names) outgrown.insert(fds.extract(name));
    for (const auto& [key, map] : kept)
        unapplied.push_back(fmt::format(
            "map {}: keeps its size of {}, not the {} of {}: what it holds would be lost; a reboot applies the new "
            "size, or stop the agent, `weir detach` and start, which cuts connections",
            map.names, map.entries, map.wanted, key));
}

// The maps that the first object has made; those in the place of outgrown ones get what these hold.
std::expected<void, std::string> Programs::Loaded::take_made(const bpf_object* object) {
    for (auto name : maps::map_names()) {
        const bpf_map* map = bpf_object__find_map_by_name(object, std::string(name).c_str());
        if (!map || fds.contains(name)) continue;
        auto fd = fds.emplace(name, maps::Fd(::dup(bpf_map__fd(map)))).first;
        made.emplace_back(name);
        auto old = outgrown.find(name);
        if (old == outgrown.end()) continue;
        if (auto error = carry_over(name, old->second, fd->second))
            return std::unexpected(
                fmt::format("map {}: its content cannot be carried over into one of {} entries: {}; configure the size "
                            "that it had, {}",
                            name, bpf_map__max_entries(map), error.message(),
                            maps::raw::shape(old->second.get()).value_or(maps::raw::Shape{}).max_entries));
        spdlog::info("map {}: made anew with {} entries, and what it held", name, bpf_map__max_entries(map));
    }
    return {};
}

std::expected<void, std::string> Programs::Loaded::prepare(bpf_object* object, const MapSizes& wanted) {
    for (const auto& row : maps::table) {
        bpf_map* map = bpf_object__find_map_by_name(object, std::string(row.name).c_str());
        if (!map) continue;
        int result = 0;
        if (auto fd = fds.find(row.name); fd != fds.end())
            result = bpf_map__reuse_fd(map, fd->second.get());
        else
            result = bpf_map__set_max_entries(map, row.entries(wanted));
        if (result < 0)
            return std::unexpected(fmt::format("map {}: {}", row.name, std::generic_category().message(-result)));
    }
    return {};
}

std::expected<void, std::string> Programs::Loaded::load(bpf_object* object, const char* name,
                                                        abi::datapath_config* config, const Settings& settings,
                                                        const KernelFacts& kernel) {
    *config = config_of(settings, kernel);
    if (auto prepared = prepare(object, settings.sizes); !prepared) return prepared;
    LibbpfLog log;
    int result = bpf_object__load(object);
    if (result == 0) return {};
    // -EACCES is the verifier's; -EPERM the system call's.
    if (result == -EPERM)
        return std::unexpected(std::string(
            "no permission to load BPF programs; run as root (or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)"));
    if (result == -ENOMEM || result == -E2BIG)
        return std::unexpected(fmt::format(
            "{}: {}; the maps may be larger than the memory allows: lower datapath.flowTable or datapath.maps\n{}",
            name, std::generic_category().message(-result), log.tail()));
    return std::unexpected(fmt::format("{}: the kernel refused it: {}; `weir check` tells what this kernel lacks\n{}",
                                       name, std::generic_category().message(-result), log.tail()));
}

// Loads the socket programs, after the maps are there. Without CONFIG_CGROUP_BPF a kernel has no such programs.
void Programs::Loaded::load_sock(const Settings& settings, const KernelFacts& kernel) {
    if (!netns_cookie()) {
        // The programs tell the node's sockets from pods' by it.
        notes.push_back("the cookie of this network namespace cannot be read (SO_NETNS_COOKIE); no socket hooks");
        return;
    }
    sock.reset(sock_bpf::open());
    if (!sock) return;
    auto* config = reinterpret_cast<abi::datapath_config*>(&sock->rodata->config);
    if (auto result = load(sock->obj, "socket programs", config, settings, kernel); !result) {
        notes.push_back(fmt::format("{}\nprocesses of the node reach no Services", result.error()));
        sock.reset();
    }
}

std::expected<void, std::string> Programs::Loaded::pin_new(const Settings& settings) {
    std::error_code error;
    std::filesystem::create_directories(settings.pins.maps(), error);
    if (!error) std::filesystem::create_directories(settings.pins.links(), error);
    if (error)
        return std::unexpected(
            fmt::format("{}: {}; choose a --pin-path on a bpffs", settings.pins.root, error.message()));
    for (const auto& name : made) {
        // In one step: an outgrown map has its pin until then.
        auto path = settings.pins.map(name), next = path + "-new";
        std::filesystem::remove(next, error);
        int result = bpf_obj_pin(fds.find(name)->second.get(), next.c_str());
        if (result == 0 && ::rename(next.c_str(), path.c_str()) < 0) result = -errno;
        if (result < 0)
            return std::unexpected(fmt::format("{}: cannot pin: {}", path, std::generic_category().message(-result)));
    }
    return {};
}

std::expected<Programs, std::string> Programs::load(const Settings& settings) {
    auto loaded = std::make_unique<Loaded>();
    loaded->xdp.reset(xdp_bpf::open());
    loaded->tc.reset(tc_bpf::open());
    loaded->sweep.reset(sweep_bpf::open());
    if (!loaded->xdp || !loaded->tc || !loaded->sweep)
        return std::unexpected(
            fmt::format("cannot open the embedded BPF objects: {}", std::generic_category().message(errno)));
    loaded->adopt_pins(settings, loaded->xdp->obj);
    loaded->find_outgrown(settings.sizes);
    auto in_force = settings;
    in_force.sizes = loaded->sizes = sizes_in_force(settings.sizes, loaded->fds);

    KernelFacts kernel;
    // The first object makes the maps (it declares all of them), the others share them.
    auto result = loaded->load(loaded->xdp->obj, "XDP program",
                               reinterpret_cast<abi::datapath_config*>(&loaded->xdp->rodata->config), in_force, kernel);
    if (!result) return std::unexpected(result.error());
    result = loaded->take_made(loaded->xdp->obj);
    if (!result) return std::unexpected(result.error());
    if (!loaded->adopted) {
        abi::runtime runtime{};
        runtime.abi_version = abi::WEIR_ABI_VERSION;
        runtime.route_generation = 1;
        std::uint32_t zero = 0;
        if (auto error = maps::raw::update(loaded->fds.find("runtime")->second.get(), &zero, &runtime))
            return std::unexpected(fmt::format("map runtime: {}", error.message()));
    }
    result = loaded->load(loaded->tc->obj, "tc programs",
                          reinterpret_cast<abi::datapath_config*>(&loaded->tc->rodata->config), in_force, kernel);
    if (!result) return std::unexpected(result.error());
    result = loaded->load(loaded->sweep->obj, "sweeper",
                          reinterpret_cast<abi::datapath_config*>(&loaded->sweep->rodata->config), in_force, kernel);
    if (!result) return std::unexpected(result.error());

    loaded->load_sock(in_force, kernel);

    if (auto pins = loaded->pin_new(settings); !pins) return std::unexpected(pins.error());
    loaded->outgrown.clear();
    return Programs(std::move(loaded));
}

Programs::Programs(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

int Programs::xdp_fd() const {
    return bpf_program__fd(loaded_->xdp->progs.weir_xdp);
}
int Programs::uplink_ingress_fd() const {
    return bpf_program__fd(loaded_->tc->progs.weir_uplink_ingress);
}
int Programs::workload_ingress_fd() const {
    return bpf_program__fd(loaded_->tc->progs.weir_workload_ingress);
}
int Programs::egress_fd() const {
    return bpf_program__fd(loaded_->tc->progs.weir_egress);
}
int Programs::sweep_fd() const {
    return bpf_program__fd(loaded_->sweep->progs.weir_sweep);
}
int Programs::socket_fd(std::string_view hook) const {
    if (!loaded_->sock) return -1;
    const bpf_program* program =
        bpf_object__find_program_by_name(loaded_->sock->obj, fmt::format("weir_{}", hook).c_str());
    return program ? bpf_program__fd(program) : -1;
}
int Programs::map_fd(std::string_view name) const {
    auto fd = loaded_->fds.find(name);
    return fd == loaded_->fds.end() ? -1 : fd->second.get();
}
bool Programs::adopted() const {
    return loaded_->adopted;
}
const std::vector<std::string>& Programs::notes() const {
    return loaded_->notes;
}
const std::vector<std::string>& Programs::unapplied() const {
    return loaded_->unapplied;
}
const MapSizes& Programs::sizes() const {
    return loaded_->sizes;
}

}  // namespace weir::datapath
