// SPDX-License-Identifier: Apache-2.0
// sessionAffinity: ClientIP. A client's new connections go to its last backend, as long as that may serve it.
#include <bpf/bpf.h>

#include <optional>
#include <set>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Affinity : public DatapathTest {
protected:
    static constexpr std::uint64_t timeout = 100;

    Service stay(const std::vector<Endpoint>& backends) {
        return world.service().affinity(timeout).backends(backends).frontend(frontend);
    }
    // Opens a connection and returns its backend.
    Endpoint connect(const Endpoint& to) {
        return read(world.arrive(world.packet({from, ++port}, to, syn)).frame).tuple.destination;
    }
    Endpoint connect() { return connect(frontend); }
    void expect_all(const Endpoint& backend, const Endpoint& to) {
        for (int i = 0; i < 12; ++i) EXPECT_EQ(connect(to), backend);
    }
    void expect_all(const Endpoint& backend) { expect_all(backend, frontend); }

    std::optional<abi::affinity> remembered(std::uint32_t service) const {
        abi::affinity_key key{.client = from, .service_id = service};
        abi::affinity value;
        if (bpf_map_lookup_elem(world.datapath.map("affinity"), &key, &value)) return std::nullopt;
        return value;
    }
    void age(std::uint32_t service, std::uint64_t seconds) {
        abi::affinity_key key{.client = from, .service_id = service};
        abi::affinity value = remembered(service).value();
        value.last_new = now_ticks() - ticks(seconds);
        world.datapath.update("affinity", &key, &value);
    }
    std::uint32_t id_of(const Service& service, const Endpoint& backend, const std::vector<Endpoint>& backends) {
        for (std::size_t i = 0; i < backends.size(); ++i)
            if (backends[i] == backend) return service.ids()[i];
        return 0;
    }

    Endpoint third{at.remote, 9090};
    const std::vector<Endpoint> four = {remote, remote2, third, {at.remote2, 9090}};
    abi::address from = at.client;
    std::uint16_t port = 20000;
};

TEST_P(Affinity, KeepsAClientAtItsBackend) {
    auto service = stay(four);
    Endpoint first = connect();
    expect_all(first);
    EXPECT_EQ(remembered(service.id())->backend_id, id_of(service, first, four));
    // Different clients get different backends.
    std::set<std::string> chosen;
    for (std::uint8_t i = 1; i < 40; ++i) {
        from.bytes[15] = i;
        chosen.insert(to_string(connect()));
    }
    EXPECT_EQ(chosen.size(), four.size());
}

TEST_P(Affinity, ThereIsNoneUnlessAskedFor) {
    auto service = world.service().backends(four).frontend(frontend);
    std::set<std::string> chosen;
    for (int i = 0; i < 40; ++i) chosen.insert(to_string(connect()));
    EXPECT_EQ(chosen.size(), four.size());
    EXPECT_FALSE(remembered(service.id()));
}

TEST_P(Affinity, OutlivesAChangeOfTheOtherBackends) {
    auto service = stay({remote});
    connect();
    // The agent keeps ids: only the range is new.
    std::uint32_t kept = service.ids()[0];
    service.slots({kept + 1, kept + 2, kept});
    world.tables.set_backend(kept + 1, remote2, world.protocol(), service.id());
    world.tables.set_backend(kept + 2, third, world.protocol(), service.id());
    service.frontend(frontend);
    expect_all(remote);
}

TEST_P(Affinity, ANewConnectionRenewsIt) {
    auto service = stay(four);
    Endpoint first = connect();
    age(service.id(), timeout - 2);
    EXPECT_EQ(connect(), first);
    EXPECT_LE(now_ticks() - remembered(service.id())->last_new, ticks(2));
    // A later packet of a known connection does not count as a new connection.
    age(service.id(), timeout - 2);
    world.arrive(world.packet({from, port}, frontend, ack));
    EXPECT_GE(now_ticks() - remembered(service.id())->last_new, ticks(timeout - 3));
}

TEST_P(Affinity, LastsWhereAnotherHooksClockIsAheadOfThisOnes) {
    auto service = stay(four);
    Endpoint first = connect();
    for (int i = 0; i < 12; ++i) {
        abi::affinity_key key{.client = from, .service_id = service.id()};
        abi::affinity value = remembered(service.id()).value();
        value.last_new = now_ticks() + 10;
        world.datapath.update("affinity", &key, &value);
        EXPECT_EQ(connect(), first);
    }
}

TEST_P(Affinity, EndsWithItsTimeout) {
    auto service = stay(four);
    connect();
    std::set<std::string> chosen;
    for (int i = 0; i < 40; ++i) {
        age(service.id(), timeout + 2);
        chosen.insert(to_string(connect()));
    }
    EXPECT_EQ(chosen.size(), four.size());
    Endpoint last = connect();
    EXPECT_EQ(connect(), last) << "the backend chosen last is remembered";
}

TEST_P(Affinity, ABackendThatIsGoneIsReplaced) {
    auto service = stay(four);
    Endpoint first = connect();
    std::uint32_t gone = id_of(service, first, four);
    world.tables.set_flags(gone, 0);
    std::vector<std::uint32_t> left = service.ids();
    std::erase(left, gone);
    service.slots(left).frontend(frontend);
    Endpoint second = connect();
    EXPECT_NE(second, first);
    expect_all(second);
}

TEST_P(Affinity, ABackendThatIsNotInTheScopesSetIsReplaced) {
    // Traffic policy Local: packets from outside may reach `remote2` alone, pods may reach both.
    auto service = world.service().members(abi::BACKEND_IN_CLUSTER_SET, abi::BACKEND_IN_LOCAL_SET).affinity(timeout);
    service.backends({remote}).frontend(frontend);
    connect();
    world.tables.set_flags(service.ids()[0], abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET);
    EXPECT_EQ(connect(), remote) << "nothing else is in the range, whatever its flags say";
    std::uint32_t local = service.ids()[0] + 1;
    world.tables.set_backend(local, remote2, world.protocol(), service.id());
    service.slots({local}).frontend(frontend);
    expect_all(remote2);
    // The other way round: a pod keeps `remote`, which only pods may reach.
    from = at.pod2;
    service.slots({service.ids()[0]}).frontend(frontend);
    EXPECT_EQ(read(world.leave_pod(world.packet({from, 1}, frontend, syn)).frame).tuple.destination, remote);
    service.slots({local}).frontend(frontend);
    EXPECT_EQ(read(world.leave_pod(world.packet({from, 2}, frontend, syn)).frame).tuple.destination, remote)
        << "it is in the cluster's set";
}

TEST_P(Affinity, AnIdThatAnotherServiceGotIsReplaced) {
    auto service = stay({remote});
    connect();
    std::uint32_t id = service.ids()[0];
    world.tables.set_backend(id, {at.remote, 1}, world.protocol(), service.id() + 100);
    world.tables.set_backend(id + 1, remote2, world.protocol(), service.id());
    service.slots({id + 1}).frontend(frontend);
    expect_all(remote2);
}

TEST_P(Affinity, IsOfAServicePortNotOfAFrontend) {
    Endpoint second_frontend{at.vip2, 80}, other_port{at.vip, 81};
    stay(four).frontend(second_frontend);
    auto other = world.service().affinity(timeout).backends(four).frontend(other_port);
    Endpoint first = connect();
    expect_all(first, second_frontend);
    EXPECT_FALSE(remembered(other.id()));
    connect(other_port);
    EXPECT_TRUE(remembered(other.id()));
    expect_all(first);
}

TEST_P(Affinity, ARefusedConnectionIsNotRemembered) {
    auto service = world.service().affinity(timeout).source_ranges({"192.0.2.0/24"});
    service.backends(four).frontend(frontend);
    EXPECT_EQ(world.arrive(world.packet({from, 1}, frontend, syn)).verdict, abi::VERDICT_DROP_SOURCE_RANGE);
    EXPECT_FALSE(remembered(service.id()));
}

INSTANTIATE_TEST_SUITE_P(, Affinity,
                         testing::ValuesIn(only(each_hook(),
                                                [](const Case& c) {
                                                    return is_xdp(c) == is_tcp(c);  // neither asks for the other
                                                })),
                         case_name);

}  // namespace
}  // namespace weir::test
