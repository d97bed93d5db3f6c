// SPDX-License-Identifier: Apache-2.0
// Settings of one node's datapath: map sizes, ports, timeouts, how programs are attached.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loader/model/address.hpp"
#include "loader/net/local_ports.hpp"
#include "maps/pins.hpp"
#include "maps/sizes.hpp"

namespace weir::datapath {

// native and generic are tried as asked, and failure is reported; auto: native where the driver has it.
enum class XdpMode { automatic, native, generic, off };
// automatic: tcx links where the kernel has them (Linux >= 6.6), else clsact filters.
enum class TcMode { automatic, tcx, clsact };

using maps::MapSizes;

// Defaults of nf_conntrack (Linux, Documentation/networking/nf_conntrack-sysctl.rst) where those are sensible; its five
// days for an established TCP connection are cut to one, since the table is an LRU anyway.
struct Timeouts {
    std::chrono::seconds tcp{86400};
    std::chrono::seconds tcp_unassured{60};
    std::chrono::seconds closing{10};
    std::chrono::seconds udp{120};
    std::chrono::seconds udp_unassured{30};
};

struct Settings {
    maps::PinPaths pins{std::string(maps::default_pin_path)};
    MapSizes sizes;
    Timeouts timeouts;
    XdpMode xdp = XdpMode::automatic;
    TcMode tc = TcMode::automatic;
    // The socket hooks serve processes in this folder of cgroup v2. Empty: the root, wherever it is mounted.
    std::string cgroup;
    bool socket_hooks = true;
    net::PortRange snat_ports{10000, 29999};
    // Seed of the choice of backends. Equal on all nodes, so that they agree on the backend of a flow.
    std::uint32_t seed = 0x77656972;
    // Addresses in these that no Service has are dropped. One of each family at most.
    std::vector<model::Cidr> service_ranges;
};

// Fills in sizes that are 0: slots get 1/96 of the memory, between 16 and 256 MiB; the assured flow tables one entry
// per 32 KiB, between 32,768 and 524,288 (an IPv4 flow entry takes 128 bytes, an IPv6 one 176).
MapSizes resolve_sizes(MapSizes sizes, std::uint64_t memory_bytes);

struct MapSize {
    std::string_view name;
    std::uint32_t entries;  // max_entries
    std::uint64_t memory;   // octets that the kernel takes for it when it is full
    std::string_view key;   // of the configuration; empty: its size is fixed
};

// Every map of the datapath, in the order of maps::table.
std::vector<MapSize> map_sizes(const MapSizes& sizes);

// Octets that all of them take when full.
std::uint64_t memory_of(const MapSizes& sizes);

std::uint64_t machine_memory();

}  // namespace weir::datapath
