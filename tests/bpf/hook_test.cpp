// SPDX-License-Identifier: Apache-2.0
// A verdict is counted at the hook that reached it, and at no other.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "loader/datapath/skeletons.hpp"
#include "maps/jiffy_clock.hpp"
#include "maps/verdict.hpp"
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

// Returns the counters that are not zero: "tc_egress pass_no_frontend 1 packets 60 octets", in the order of the hooks.
std::vector<std::string> counted(const Datapath& datapath) {
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < abi::HOOK_COUNT; ++i) {
        auto hook = static_cast<abi::hook>(i);
        auto counts = datapath.verdicts(hook);
        for (std::size_t v = 0; v < counts.size(); ++v) {
            if (counts[v].packets == 0 && counts[v].octets == 0) continue;
            out.push_back(std::string(maps::hook_name(hook)) + " " + to_string(static_cast<abi::verdict>(v)) + " " +
                          std::to_string(counts[v].packets) + " packets " + std::to_string(counts[v].octets) +
                          " octets");
        }
    }
    return out;
}

using Lines = std::vector<std::string>;

class CountedAt : public testing::TestWithParam<int> {
protected:
    World world{{GetParam(), IPPROTO_TCP, Hook::UplinkIngress}, {}};
    const Places& at = world.at;
    Endpoint client{at.client, 40000}, frontend{at.vip, 80};
};

TEST_P(CountedAt, TheHookThatSawThePacket) {
    Frame frame = Packet::tcp(client, {at.vip2, 80}, syn).frame();
    std::string what = " pass_no_frontend 1 packets " + std::to_string(frame.size()) + " octets";
    Lines expected;
    for (auto [hook, name] :
         {std::pair(Hook::Xdp, "xdp"), std::pair(Hook::UplinkIngress, "tc_ingress_uplink"),
          std::pair(Hook::WorkloadIngress, "tc_ingress_workload"), std::pair(Hook::Egress, "tc_egress")}) {
        world.datapath.run_uncounted(hook, frame, world.devices.uplink);
        expected.push_back(name + what);
        EXPECT_EQ(counted(world.datapath), expected);
    }
}

// XDP leaves the packet to tc, tc delivers it, and egress translates its reply back.
TEST_P(CountedAt, EachStationOfAPacketUnderItsOwnVerdict) {
    world.service().backends({{at.pod, 8080}}).frontend(frontend);
    Frame frame = Packet::tcp(client, frontend, syn).frame();
    Frame reply = Packet::tcp({at.pod, 8080}, client, syn | ack).frame();
    std::string size = std::to_string(frame.size()), reply_size = std::to_string(reply.size());
    world.datapath.run_uncounted(Hook::UplinkIngress, frame, world.devices.uplink);
    world.datapath.run_uncounted(Hook::Xdp, frame, world.devices.uplink);
    world.datapath.run_uncounted(Hook::WorkloadIngress, reply, world.devices.pod);
    world.datapath.run_uncounted(Hook::Egress, reply, world.devices.uplink);
    EXPECT_EQ(counted(world.datapath), (Lines{"xdp pass_to_tc 1 packets " + size + " octets",
                                              "tc_ingress_uplink deliver 1 packets " + size + " octets",
                                              "tc_ingress_workload pass_other_hook 1 packets " + reply_size + " octets",
                                              "tc_egress reply_deliver 1 packets " + reply_size + " octets"}));
}

// Attaches the socket programs to all sockets of this process's network namespace during its lifetime.
class SocketHooks {
public:
    explicit SocketHooks(const Datapath& datapath) : skeleton_(sock_bpf::open()) {
        int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        std::uint64_t cookie = 0;
        socklen_t size = sizeof(cookie);
        if (getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size)) fail("SO_NETNS_COOKIE");
        close(socket);
        skeleton_->rodata->config.netns_cookie = cookie;
        auto clock = maps::jiffy_clock();
        skeleton_->rodata->config.jiffy_ns = clock.jiffy_ns;
        skeleton_->rodata->config.jiffy_offset_ns = clock.offset_ns;
        for (const auto& name : datapath.map_names())
            if (bpf_map* map = bpf_object__find_map_by_name(skeleton_->obj, name.c_str()))
                if (bpf_map__reuse_fd(map, datapath.map(name))) fail("sharing map " + name);
        if (sock_bpf::load(skeleton_.get())) fail("loading the socket programs");
        // Mounts cgroup v2 itself: the machine may have it at any place, or not mounted.
        maps::Fd context(fsopen("cgroup2", FSOPEN_CLOEXEC));
        if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0)) fail("cgroup2");
        maps::Fd cgroup(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
        for (auto [program, type] : {std::pair(skeleton_->progs.weir_connect4, BPF_CGROUP_INET4_CONNECT),
                                     std::pair(skeleton_->progs.weir_connect6, BPF_CGROUP_INET6_CONNECT)}) {
            links_.emplace_back(bpf_link_create(bpf_program__fd(program), cgroup.get(), type, nullptr));
            if (!links_.back()) fail("attaching the socket programs");
        }
    }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw std::runtime_error(what + ": " + std::strerror(errno));
    }
    struct Destroy {
        void operator()(sock_bpf* skeleton) const { sock_bpf::destroy(skeleton); }
    };
    std::unique_ptr<sock_bpf, Destroy> skeleton_;
    std::vector<maps::Fd> links_;
};

// Returns the errno of connect(), or 0. Uses UDP, so that no packet leaves.
int connect_error(const Endpoint& to) {
    bool ipv4 = is_ipv4(to.address);
    maps::Fd socket(::socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(to.port);
    v4.sin_addr.s_addr = to.address.words_be[3];
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(to.port);
    std::memcpy(&v6.sin6_addr, &to.address, sizeof(v6.sin6_addr));
    const auto* name = ipv4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
    return ::connect(socket.get(), name, ipv4 ? sizeof(v4) : sizeof(v6)) ? errno : 0;
}

TEST_P(CountedAt, TheSocketHooksWhatTheyRefuse) {
    Endpoint served{at.vip2, 80};
    world.tables.service(IPPROTO_UDP).frontend(frontend, {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT});
    world.tables.service(IPPROTO_UDP).backends({{at.remote, 8080}}).frontend(served);
    SocketHooks hooks(world.datapath);
    EXPECT_EQ(connect_error(served), 0);
    EXPECT_EQ(counted(world.datapath), Lines{}) << "no packet is there yet";
    EXPECT_EQ(connect_error(frontend), ECONNREFUSED);
    EXPECT_EQ(counted(world.datapath), Lines{"socket reject_no_backend 1 packets 0 octets"});
}

INSTANTIATE_TEST_SUITE_P(, CountedAt, testing::Values(4, 6),
                         [](const auto& info) { return "IPv" + std::to_string(info.param); });

}  // namespace
}  // namespace weir::test
