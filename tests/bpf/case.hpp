// SPDX-License-Identifier: Apache-2.0
// The start of every test: fresh maps, the node's devices, and a case to run it in (family, protocol, hook).
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/bpf/datapath.hpp"
#include "tests/bpf/node.hpp"
#include "tests/bpf/packet.hpp"
#include "tests/bpf/reading.hpp"
#include "tests/bpf/tables.hpp"

namespace weir::test {

struct Case {
    int family;
    std::uint8_t protocol;
    Hook hook;  // of the uplink, where external traffic comes in
};

inline std::string to_string(Hook hook) {
    switch (hook) {
        case Hook::Xdp:
            return "Xdp";
        case Hook::UplinkIngress:
            return "TcUplink";
        case Hook::WorkloadIngress:
            return "TcWorkload";
        case Hook::Egress:
            return "TcEgress";
    }
    return "?";
}

inline void PrintTo(Hook hook, std::ostream* out) {
    *out << to_string(hook);
}

// Returns every family and protocol, for tests that fix the hook.
inline std::vector<Case> each_protocol() {
    std::vector<Case> cases;
    for (int family : {4, 6})
        for (std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
            cases.push_back({family, protocol, Hook::UplinkIngress});
    return cases;
}

inline std::vector<Case> each_hook() {
    std::vector<Case> cases;
    for (Hook hook : {Hook::Xdp, Hook::UplinkIngress})
        for (Case c : each_protocol()) cases.push_back({c.family, c.protocol, hook});
    return cases;
}

// Returns every family and hook for one protocol.
inline std::vector<Case> each_hook_of(std::uint8_t protocol) {
    std::vector<Case> cases;
    for (Hook hook : {Hook::Xdp, Hook::UplinkIngress})
        for (int family : {4, 6}) cases.push_back({family, protocol, hook});
    return cases;
}

inline std::vector<Case> operator+(std::vector<Case> cases, const std::vector<Case>& others) {
    cases.insert(cases.end(), others.begin(), others.end());
    return cases;
}

// Returns the cases that satisfy the predicate.
template <class Predicate>
std::vector<Case> only(std::vector<Case> cases, Predicate wanted) {
    std::erase_if(cases, [&](const Case& c) { return !wanted(c); });
    return cases;
}
inline bool is_tcp(const Case& c) {
    return c.protocol == IPPROTO_TCP;
}
inline bool is_udp(const Case& c) {
    return c.protocol == IPPROTO_UDP;
}
inline bool is_xdp(const Case& c) {
    return c.hook == Hook::Xdp;
}
inline bool is_tc(const Case& c) {
    return c.hook != Hook::Xdp;
}
inline bool is_v4(const Case& c) {
    return c.family == 4;
}
inline bool is_v6(const Case& c) {
    return c.family == 6;
}

inline std::string to_string(const Case& c) {
    const char* protocol = c.protocol == IPPROTO_TCP ? "_Tcp_" : c.protocol == IPPROTO_SCTP ? "_Sctp_" : "_Udp_";
    return "IPv" + std::to_string(c.family) + protocol + to_string(c.hook);
}

inline void PrintTo(const Case& c, std::ostream* out) {
    *out << to_string(c);
}

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
    return to_string(info.param);
}

class World {
public:
    World(const Case& which, const Settings& settings) : at(places(which.family)), which_(which), datapath(settings) {
        Node::describe_devices(datapath);
    }

    bool tcp() const { return which_.protocol == IPPROTO_TCP; }
    bool xdp() const { return which_.hook == Hook::Xdp; }
    std::uint8_t protocol() const { return which_.protocol; }
    int family() const { return which_.family; }

    Service service() { return tables.service(which_.protocol); }
    Tuple tuple(const Endpoint& from, const Endpoint& to) const { return {from, to, which_.protocol}; }
    // Returns a packet of the case's protocol; only TCP uses the flags.
    Packet packet(const Endpoint& from, const Endpoint& to, int flags = ack) const {
        return Packet::of(tuple(from, to), flags).payload(33);
    }

    // Runs the frame as one that comes in on the uplink, or on the device given.
    Outcome arrive(const Frame& frame) { return arrive(frame, devices.uplink); }
    Outcome arrive(const Frame& frame, int ifindex) { return datapath.run(which_.hook, frame, ifindex); }
    Outcome arrive(const Packet& packet) { return arrive(packet.frame()); }
    // Run the frame as one that a pod sends, and as one that leaves towards a pod or an uplink.
    Outcome leave_pod(const Frame& frame) { return datapath.run(Hook::WorkloadIngress, frame, devices.pod); }
    Outcome leave_pod(const Packet& packet) { return leave_pod(packet.frame()); }
    Outcome egress(const Frame& frame) { return datapath.run(Hook::Egress, frame, devices.pod); }
    Outcome egress(const Packet& packet) { return egress(packet.frame()); }

    // Return the actions by which a hook passes, drops and sends packets on.
    int pass() const { return xdp() ? xdp_pass : tc_unspec; }
    int drop() const { return xdp() ? xdp_drop : tc_shot; }
    int send_back() const { return xdp() ? xdp_tx : tc_redirect; }          // out of the device it came in on
    int send_across() const { return xdp() ? xdp_redirect : tc_redirect; }  // out of another device

    // Sends packets both ways until the flow is assured. Returns the forward tuple after the rewrite.
    Tuple establish(const Endpoint& from, const Endpoint& to) {
        Tuple rewritten = read(arrive(packet(from, to, syn)).frame).tuple;
        EXPECT_EQ(arrive(packet(rewritten.destination, rewritten.source, syn | ack)).verdict,
                  abi::VERDICT_REPLY_FORWARD);
        if (protocol() != IPPROTO_TCP) datapath.age_connection(tuple(from, to), 3);
        EXPECT_EQ(arrive(packet(from, to, ack)).verdict, abi::VERDICT_FORWARD);
        EXPECT_TRUE(datapath.flow(tuple(from, to), Table::Assured));
        return rewritten;
    }

    const Places& at;
    const Devices& devices = Node::enter();

private:
    Case which_;

public:
    Datapath datapath;
    Tables tables{datapath};
};

// Most tests want the default settings; those that do not make a World of their own.
class DatapathTest : public testing::TestWithParam<Case> {
protected:
    World world{GetParam(), {}};
    const Places& at = world.at;
    Endpoint client{at.client, 40000};
    Endpoint frontend{at.vip, 80};
    Endpoint remote{at.remote, 8080}, remote2{at.remote2, 8080};
    Endpoint pod{at.pod, 8080};
};

}  // namespace weir::test
