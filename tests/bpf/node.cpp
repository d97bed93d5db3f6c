// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/node.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace weir::test {

namespace {

constexpr const char* commands = R"(link set lo up
link add uplink address 02:00:00:00:01:01 type veth peer name uplink-far
link add other address 02:00:00:00:01:02 type veth peer name other-far
link add pod address 02:00:00:00:01:03 type veth peer name pod-far
link set uplink up
link set uplink-far up
link set other up
link set other-far up
link set pod up
link set pod-far up
addr add 192.0.2.10/24 dev uplink
addr add 198.51.100.10/24 dev other
addr add 10.244.1.1/32 dev pod
addr add 2001:db8:2::10/64 dev uplink nodad
addr add 2001:db8:3::10/64 dev other nodad
addr add 2001:db8:1:1::1/128 dev pod nodad
neigh add 192.0.2.1 lladdr 02:00:00:00:02:01 dev uplink nud permanent
neigh add 192.0.2.20 lladdr 02:00:00:00:02:02 dev uplink nud permanent
neigh add 198.51.100.30 lladdr 02:00:00:00:02:03 dev other nud permanent
neigh add 10.244.1.5 lladdr 02:00:00:00:02:05 dev pod nud permanent
neigh add 2001:db8:2::1 lladdr 02:00:00:00:02:01 dev uplink nud permanent
neigh add 2001:db8:2::20 lladdr 02:00:00:00:02:02 dev uplink nud permanent
neigh add 2001:db8:3::30 lladdr 02:00:00:00:02:03 dev other nud permanent
neigh add 2001:db8:1:1::5 lladdr 02:00:00:00:02:05 dev pod nud permanent
route add default via 192.0.2.1
route add 10.244.1.0/24 dev pod
route add 10.244.2.0/24 via 192.0.2.20
route add 10.244.3.0/24 via 198.51.100.30
route add 10.244.4.0/24 via 192.0.2.40
route add blackhole 10.244.5.0/24
route add default via 2001:db8:2::1
route add 2001:db8:1:1::/64 dev pod
route add 2001:db8:1:2::/64 via 2001:db8:2::20
route add 2001:db8:1:3::/64 via 2001:db8:3::30
route add 2001:db8:1:4::/64 via 2001:db8:2::40
route add blackhole 2001:db8:1:5::/64
)";

void run_ip(const std::string& batch) {
    std::FILE* ip = popen("ip -batch -", "w");
    if (!ip) throw std::runtime_error("ip(8) does not start");
    std::fputs(batch.c_str(), ip);
    if (pclose(ip) != 0) throw std::runtime_error("ip(8) refused: " + batch);
}

void write_setting(const char* path) {
    std::ofstream file(path);
    if (!(file << "1\n").flush()) throw std::runtime_error(fmt::format("{}: not writable", path));
}

int index_of(const char* name) {
    auto index = static_cast<int>(if_nametoindex(name));
    if (!index) throw std::runtime_error(fmt::format("no device {}", name));
    return index;
}

Places make(int family, const std::array<const char*, 13>& a) {
    return {family,        address(a[0]), address(a[1]), address(a[2]), address(a[3]),  address(a[4]),  address(a[5]),
            address(a[6]), address(a[7]), address(a[8]), address(a[9]), address(a[10]), address(a[11]), address(a[12])};
}

}  // namespace

const Places& places(int family) {
    static const Places v4 =
        make(4, {"203.0.113.7", "203.0.113.8", "192.0.2.10", "198.51.100.10", "10.96.0.10", "10.96.0.11", "10.244.1.5",
                 "10.244.1.6", "10.244.2.5", "10.244.2.6", "10.244.3.5", "10.244.4.5", "10.244.5.5"});
    static const Places v6 =
        make(6, {"2001:db8:f::7", "2001:db8:f::8", "2001:db8:2::10", "2001:db8:3::10", "2001:db8:96::10",
                 "2001:db8:96::11", "2001:db8:1:1::5", "2001:db8:1:1::6", "2001:db8:1:2::5", "2001:db8:1:2::6",
                 "2001:db8:1:3::5", "2001:db8:1:4::5", "2001:db8:1:5::5"});
    return family == 4 ? v4 : v6;
}

const Devices& Node::enter() {
    static const Devices devices = [] {
        if (geteuid() != 0) throw std::runtime_error("these tests load BPF programs: run them as root");
        if (unshare(CLONE_NEWNET)) throw std::runtime_error(fmt::format("unshare: {}", std::strerror(errno)));
        write_setting("/proc/sys/net/ipv4/ip_forward");
        write_setting("/proc/sys/net/ipv6/conf/all/forwarding");
        run_ip(commands);
        return Devices{index_of("uplink"), index_of("other"), index_of("pod")};
    }();
    return devices;
}

void Node::ip(const std::string& command) {
    run_ip(command + "\n");
}

void Node::describe_device(Datapath& datapath, int ifindex, std::uint32_t flags, const abi::address& source4,
                           const abi::address& source6) {
    abi::device device{.source4_be = source4.words_be[3], .flags = flags, .source6 = source6};
    datapath.update("devices", &ifindex, &device);
}

void Node::describe_devices(Datapath& datapath) {
    const Devices& devices = enter();
    std::uint32_t zero = 0, flags = abi::DEVICE_UPLINK | abi::DEVICE_XDP_XMIT;
    abi::runtime runtime;
    if (bpf_map_lookup_elem(datapath.map("runtime"), &zero, &runtime)) throw std::runtime_error("no runtime");
    runtime.node4_be = places(4).node.words_be[3];
    runtime.node6 = places(6).node;
    datapath.update("runtime", &zero, &runtime);
    describe_device(datapath, devices.uplink, flags, places(4).node, places(6).node);
    describe_device(datapath, devices.other, flags, places(4).node_other, places(6).node_other);
}

DeviceMtu::DeviceMtu(std::string device, int mtu) : device_(std::move(device)) {
    Node::ip(fmt::format("link set {} mtu {}", device_, mtu));
}

DeviceMtu::~DeviceMtu() {
    Node::ip(fmt::format("link set {} mtu 1500", device_));
}

}  // namespace weir::test
