// SPDX-License-Identifier: Apache-2.0
// A trial on a node's maps reports the program's own findings, not what user space expects of it.
#include "loader/explain/trial.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

// The maps of a datapath, pinned in a bpffs that is mounted for this process alone.
class Pinned {
public:
    explicit Pinned(const Datapath& datapath) {
        maps::Fd context(fsopen("bpf", FSOPEN_CLOEXEC));
        if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0)) fail("bpffs");
        mount_ = maps::Fd(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
        if (!mount_) fail("bpffs");
        if (mkdir(paths().maps().c_str(), 0700)) fail(paths().maps());
        for (const auto& name : datapath.map_names())
            if (bpf_obj_pin(datapath.map(name), paths().map(name).c_str())) fail("pinning " + name);
    }
    maps::PinPaths paths() const { return {"/proc/self/fd/" + std::to_string(mount_.get())}; }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw std::runtime_error(what + ": " + std::strerror(errno));
    }
    maps::Fd mount_;
};

model::Address address_of(const abi::address& address) {
    model::Address out;
    std::memcpy(out.bytes.data(), address.bytes, out.bytes.size());
    return out;
}

Settings two_ports() {
    Settings settings;
    settings.config.snat_port_min = 61000;
    settings.config.snat_port_max = 61001;
    return settings;
}

class TrialOfNode : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        datapath::Settings settings{.pins = pinned.paths(), .snat_ports = {61000, 61001}};
        auto made = explain::Trial::of_node(settings);
        ASSERT_TRUE(made) << made.error();
        trial.emplace(std::move(*made));
    }
    // Tries a new connection, in a trial of its own.
    explain::TrialResult ask(const Endpoint& from) {
        trial->forget();
        view::Tuple tuple{.protocol = static_cast<model::Protocol>(world.protocol()),
                          .source = address_of(from.address),
                          .source_port = from.port,
                          .destination = address_of(frontend.address),
                          .destination_port = frontend.port};
        auto result = trial->run(tuple, explain::Ingress::uplink, static_cast<unsigned>(world.devices.uplink));
        EXPECT_TRUE(result) << result.error();
        if (!result) return {};
        EXPECT_EQ(result->verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(result->leaves.destination, address_of(remote.address));
        return *result;
    }
    void age_affinity(std::uint32_t service, std::uint64_t seconds) {
        abi::affinity_key key{.client = client.address, .service_id = service};
        abi::affinity value{};
        ASSERT_EQ(bpf_map_lookup_elem(world.datapath.map("affinity"), &key, &value), 0);
        value.last_new = now_ticks() - ticks(seconds);
        world.datapath.update("affinity", &key, &value);
    }

    World world{GetParam(), two_ports()};
    const Places& at = world.at;
    Endpoint client{at.client, 40000}, stranger{at.other_client, 40000};
    Endpoint frontend{at.vip, 80}, remote{at.remote, 8080};
    Pinned pinned{world.datapath};
    std::optional<explain::Trial> trial;
};

// With one backend the hash leads where affinity does. Only the program knows which of the two it followed.
TEST_P(TrialOfNode, TellsByWhatTheProgramChose) {
    auto service = world.service().affinity(100).backends({remote}).frontend(frontend);
    EXPECT_FALSE(ask(client).by_affinity) << "the client's first connection";
    world.arrive(world.packet(client, frontend, syn));
    EXPECT_TRUE(ask({client.address, 41000}).by_affinity);
    EXPECT_FALSE(ask(stranger).by_affinity);
    // The client's backend has left the set of this scope, and no slot has been written anew yet.
    world.tables.set_flags(service.ids()[0], abi::BACKEND_IN_USE);
    EXPECT_FALSE(ask({client.address, 41001}).by_affinity);
    world.tables.set_flags(service.ids()[0], abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET);
    EXPECT_TRUE(ask({client.address, 41002}).by_affinity);
    age_affinity(service.id(), 102);
    EXPECT_FALSE(ask({client.address, 41003}).by_affinity);
}

// If the node has given a run's source port away, the trial runs again. The second run must not find the first's entry.
TEST_P(TrialOfNode, ASecondRunIsNotTakenForAffinity) {
    world.service().affinity(100).backends({remote}).frontend(frontend);
    auto taken = world.establish(client, frontend).source.port;
    for (std::uint16_t i = 0; i < 16; ++i) {
        auto result = ask({at.other_client, static_cast<std::uint16_t>(20000 + i)});
        EXPECT_NE(result.leaves.source_port, taken);
        EXPECT_FALSE(result.by_affinity) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(, TrialOfNode, testing::ValuesIn(each_protocol()), case_name);

}  // namespace
}  // namespace weir::test
