// SPDX-License-Identifier: Apache-2.0
// Do the kernel's half and ours see the same bytes? Compares maps/abi.h with the BTF of every object.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/datapath/skeletons.hpp"
#include "maps/abi.h"

namespace weir::test {
namespace {

struct Field {
    std::string name;
    std::size_t offset, size;
    bool operator==(const Field&) const = default;
};

void PrintTo(const Field& field, std::ostream* out) {
    *out << field.name << " at " << field.offset << " size " << field.size;
}

struct Layout {
    std::size_t size;
    std::vector<Field> fields;
};

#define FIELD(type, field) \
    { #field, offsetof(abi::type, field), sizeof(abi::type::field) }

const std::map<std::string, Layout>& ours() {
    static const std::map<std::string, Layout> layouts = {
        {"frontend_key",
         {sizeof(abi::frontend_key),
          {FIELD(frontend_key, address), FIELD(frontend_key, port_be), FIELD(frontend_key, protocol),
           FIELD(frontend_key, pad)}}},
        {"slot_range", {sizeof(abi::slot_range), {FIELD(slot_range, offset), FIELD(slot_range, length)}}},
        {"frontend",
         {sizeof(abi::frontend),
          {FIELD(frontend, cluster), FIELD(frontend, external), FIELD(frontend, service_id), FIELD(frontend, kind),
           FIELD(frontend, cluster_action), FIELD(frontend, external_action), FIELD(frontend, flags),
           FIELD(frontend, affinity_ticks), FIELD(frontend, cluster_members), FIELD(frontend, external_members),
           FIELD(frontend, pad)}}},
        {"vip", {sizeof(abi::vip), {FIELD(vip, flags)}}},
        {"source_range_key",
         {sizeof(abi::source_range_key),
          {FIELD(source_range_key, prefix_length), FIELD(source_range_key, service_id_be),
           FIELD(source_range_key, address)}}},
        {"affinity_key", {sizeof(abi::affinity_key), {FIELD(affinity_key, client), FIELD(affinity_key, service_id)}}},
        {"affinity", {sizeof(abi::affinity), {FIELD(affinity, backend_id), FIELD(affinity, last_new)}}},
        {"slot_line", {sizeof(abi::slot_line), {FIELD(slot_line, backend_id)}}},
        {"backend",
         {sizeof(abi::backend),
          {FIELD(backend, address), FIELD(backend, port_be), FIELD(backend, protocol), FIELD(backend, flags),
           FIELD(backend, service_id)}}},
        {"service_name", {sizeof(abi::service_name), {FIELD(service_name, name)}}},
        {"flow4_key",
         {sizeof(abi::flow4_key),
          {FIELD(flow4_key, source_be), FIELD(flow4_key, destination_be), FIELD(flow4_key, source_port_be),
           FIELD(flow4_key, destination_port_be), FIELD(flow4_key, protocol), FIELD(flow4_key, pad)}}},
        {"flow6_key",
         {sizeof(abi::flow6_key),
          {FIELD(flow6_key, source), FIELD(flow6_key, destination), FIELD(flow6_key, source_port_be),
           FIELD(flow6_key, destination_port_be), FIELD(flow6_key, protocol), FIELD(flow6_key, pad)}}},
        {"flow",
         {sizeof(abi::flow),
          {FIELD(flow, source_port_be), FIELD(flow, destination_port_be), FIELD(flow, address_delta), FIELD(flow, mtu),
           FIELD(flow, flags), FIELD(flow, last_seen), FIELD(flow, route_generation), FIELD(flow, ifindex),
           FIELD(flow, destination_mac), FIELD(flow, source_mac), FIELD(flow, backend_id), FIELD(flow, packets),
           FIELD(flow, octets)}}},
        {"flow4", {sizeof(abi::flow4), {FIELD(flow4, flow), FIELD(flow4, source_be), FIELD(flow4, destination_be)}}},
        {"flow6", {sizeof(abi::flow6), {FIELD(flow6, flow), FIELD(flow6, source), FIELD(flow6, destination)}}},
        {"device", {sizeof(abi::device), {FIELD(device, source4_be), FIELD(device, flags), FIELD(device, source6)}}},
        {"fragment_key",
         {sizeof(abi::fragment_key),
          {FIELD(fragment_key, source), FIELD(fragment_key, destination), FIELD(fragment_key, id_be),
           FIELD(fragment_key, protocol), FIELD(fragment_key, pad)}}},
        {"fragment",
         {sizeof(abi::fragment),
          {FIELD(fragment, source_port_be), FIELD(fragment, destination_port_be), FIELD(fragment, protocol),
           FIELD(fragment, pad)}}},
        {"socket_peer_key",
         {sizeof(abi::socket_peer_key),
          {FIELD(socket_peer_key, cookie), FIELD(socket_peer_key, address), FIELD(socket_peer_key, port_be),
           FIELD(socket_peer_key, protocol), FIELD(socket_peer_key, side), FIELD(socket_peer_key, pad)}}},
        {"socket_peer",
         {sizeof(abi::socket_peer),
          {FIELD(socket_peer, address), FIELD(socket_peer, port_be), FIELD(socket_peer, pad),
           FIELD(socket_peer, backend_id)}}},
        {"runtime",
         {sizeof(abi::runtime),
          {FIELD(runtime, abi_version), FIELD(runtime, route_generation), FIELD(runtime, node4_be), FIELD(runtime, pad),
           FIELD(runtime, node6)}}},
        {"verdict_count", {sizeof(abi::verdict_count), {FIELD(verdict_count, packets), FIELD(verdict_count, octets)}}},
        {"datapath_config",
         {sizeof(abi::datapath_config),
          {FIELD(datapath_config, seed), FIELD(datapath_config, snat_port_min), FIELD(datapath_config, snat_port_max),
           FIELD(datapath_config, timeout_unassured_tcp), FIELD(datapath_config, timeout_unassured_udp),
           FIELD(datapath_config, timeout_tcp), FIELD(datapath_config, timeout_closing),
           FIELD(datapath_config, timeout_udp), FIELD(datapath_config, fib_source),
           FIELD(datapath_config, service_ranges), FIELD(datapath_config, netns_cookie),
           FIELD(datapath_config, unassured_pairs), FIELD(datapath_config, pad), FIELD(datapath_config, jiffy_ns),
           FIELD(datapath_config, jiffy_offset_ns)}}},
        {"flow_pair",
         {sizeof(abi::flow_pair),
          {FIELD(flow_pair, forward), FIELD(flow_pair, reply), FIELD(flow_pair, sequence), FIELD(flow_pair, family),
           FIELD(flow_pair, protocol), FIELD(flow_pair, reply_syn), FIELD(flow_pair, pad),
           FIELD(flow_pair, reply_sequence), FIELD(flow_pair, made)}}},
        {"pair_bucket", {sizeof(abi::pair_bucket), {FIELD(pair_bucket, slots)}}},
        {"pair_head", {sizeof(abi::pair_head), {FIELD(pair_head, next)}}},
        {"address_range", {sizeof(abi::address_range), {FIELD(address_range, base), FIELD(address_range, mask)}}},
        {"sweep_result",
         {sizeof(abi::sweep_result),
          {FIELD(sweep_result, visited), FIELD(sweep_result, expired), FIELD(sweep_result, closed),
           FIELD(sweep_result, orphaned), FIELD(sweep_result, at_rest)}}},
    };
    return layouts;
}

#undef FIELD

std::vector<Field> fields_of(const btf* btf, const btf_type* type) {
    std::vector<Field> fields;
    for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
        const btf_member& member = btf_members(type)[i];
        fields.push_back({btf__name_by_offset(btf, member.name_off), btf_member_bit_offset(type, i) / 8,
                          static_cast<std::size_t>(btf__resolve_size(btf, member.type))});
    }
    return fields;
}

// Checks every struct of ours that the object knows; answers their names.
std::set<std::string> compare(const bpf_object* object) {
    const btf* btf = bpf_object__btf(object);
    std::set<std::string> seen;
    for (const auto& [name, layout] : ours()) {
        int id = btf__find_by_name_kind(btf, name.c_str(), BTF_KIND_STRUCT);
        if (id < 0) continue;
        const btf_type* type = btf__type_by_id(btf, static_cast<std::uint32_t>(id));
        EXPECT_EQ(type->size, layout.size) << name;
        EXPECT_EQ(fields_of(btf, type), layout.fields) << name;
        seen.insert(name);
    }
    return seen;
}

template <class Skeleton>
class Opened {
public:
    Opened() : skeleton_(Skeleton::open()) {}
    ~Opened() { Skeleton::destroy(skeleton_); }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    const bpf_object* object() const { return skeleton_->obj; }

private:
    Skeleton* skeleton_;
};

TEST(Layout, EveryObjectSeesTheStructsAsUserSpaceDoes) {
    std::set<std::string> seen = compare(Opened<xdp_bpf>().object());
    seen.merge(compare(Opened<tc_bpf>().object()));
    seen.merge(compare(Opened<sweep_bpf>().object()));
    for (const auto& [name, layout] : ours()) EXPECT_TRUE(seen.contains(name)) << name << " is in no object";
}

TEST(Layout, NoPaddingIsLeftToTheCompiler) {
    for (const auto& [name, layout] : ours()) {
        std::size_t end = 0;
        for (const Field& field : layout.fields) {
            EXPECT_EQ(field.offset, end) << name << "." << field.name;
            end = field.offset + field.size;
        }
        EXPECT_EQ(end, layout.size) << name;
    }
}

TEST(Layout, MapsHaveTheKeysAndValuesThatUserSpaceWrites) {
    Opened<tc_bpf> tc;
    const std::map<std::string, std::pair<std::size_t, std::size_t>> sizes = {
        {"frontends", {sizeof(abi::frontend_key), sizeof(abi::frontend)}},
        {"vips", {sizeof(abi::address), sizeof(abi::vip)}},
        {"source_ranges", {sizeof(abi::source_range_key), 4}},
        {"affinity", {sizeof(abi::affinity_key), sizeof(abi::affinity)}},
        {"fragments", {sizeof(abi::fragment_key), sizeof(abi::fragment)}},
        {"socket_peers", {sizeof(abi::socket_peer_key), sizeof(abi::socket_peer)}},
        {"slots", {4, sizeof(abi::slot_line)}},
        {"backends", {4, sizeof(abi::backend)}},
        {"snat_usage", {sizeof(abi::snat_usage_key), sizeof(abi::snat_usage)}},
        {"services", {4, sizeof(abi::service_name)}},
        {"flows4", {sizeof(abi::flow4_key), sizeof(abi::flow4)}},
        {"flows6", {sizeof(abi::flow6_key), sizeof(abi::flow6)}},
        {"flows4_udp", {sizeof(abi::flow4_key), sizeof(abi::flow4)}},
        {"flows6_udp", {sizeof(abi::flow6_key), sizeof(abi::flow6)}},
        {"unassured", {4, sizeof(abi::flow_pair)}},
        {"unassured_index", {4, sizeof(abi::pair_bucket)}},
        {"unassured_head", {4, sizeof(abi::pair_head)}},
        {"devices", {4, sizeof(abi::device)}},
        {"runtime", {4, sizeof(abi::runtime)}},
        {"verdicts", {4, sizeof(abi::verdict_count)}},
    };
    for (const auto& [name, size] : sizes) {
        const bpf_map* map = bpf_object__find_map_by_name(tc.object(), name.c_str());
        ASSERT_TRUE(map) << name;
        EXPECT_EQ(bpf_map__key_size(map), size.first) << name;
        EXPECT_EQ(bpf_map__value_size(map), size.second) << name;
    }
}

}  // namespace
}  // namespace weir::test
