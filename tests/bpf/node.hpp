// SPDX-License-Identifier: Apache-2.0
// The node that the packets meet: a private network namespace with uplinks, a pod, routes and neighbours. It vanishes
// with the test process.
#pragma once

#include <string>

#include "tests/bpf/datapath.hpp"

namespace weir::test {

// Addresses of the test world in one family. The default route leads over the uplink to `router`.
struct Places {
    int family;
    abi::address client, other_client;  // outside, behind the router
    abi::address node, node_other;      // this node's, on the uplink and on the other uplink
    abi::address vip, vip2;             // frontends that no device has
    abi::address pod, pod2;             // on this node
    abi::address remote, remote2;       // pods of another node, over the uplink
    abi::address across;                // a pod behind the other uplink
    abi::address unresolved;            // a pod behind a node that answers no neighbour request
    abi::address nowhere;               // a blackhole route
};
const Places& places(int family);

inline constexpr Mac uplink_mac = {0x02, 0, 0, 0, 1, 1};
inline constexpr Mac other_mac = {0x02, 0, 0, 0, 1, 2};
inline constexpr Mac router_mac = {0x02, 0, 0, 0, 2, 1};       // next hop of everything outside
inline constexpr Mac remote_node_mac = {0x02, 0, 0, 0, 2, 2};  // next hop of `remote`
inline constexpr Mac other_node_mac = {0x02, 0, 0, 0, 2, 3};   // next hop of `across`

struct Devices {
    int uplink = 0, other = 0, pod = 0;
};

class Node {
public:
    // Moves this process into the new namespace. Throws std::runtime_error with a reason.
    static const Devices& enter();
    // Runs one ip(8) command in the namespace.
    static void ip(const std::string& command);
    // Writes the node to the maps as the agent would: its addresses, and two uplinks with native XDP.
    static void describe_devices(Datapath& datapath);
    static void describe_device(Datapath& datapath, int ifindex, std::uint32_t flags, const abi::address& source4,
                                const abi::address& source6);
};

// Gives a device another MTU during its lifetime.
class DeviceMtu {
public:
    DeviceMtu(std::string device, int mtu);
    ~DeviceMtu();
    DeviceMtu(const DeviceMtu&) = delete;
    DeviceMtu& operator=(const DeviceMtu&) = delete;

private:
    std::string device_;
};

}  // namespace weir::test
