// SPDX-License-Identifier: Apache-2.0
// Checks that the programs and the agent see the same bytes. Compares the BTF of every object with maps/table.hpp (the
// maps, their keys and values) and with maps/abi.h as the C++ compiler lays it out.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cxxabi.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "loader/datapath/skeletons.hpp"
#include "maps/abi.h"
#include "maps/table.hpp"

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

// The structs of maps/abi.h, field by field: C++ cannot list the members of a struct itself. Every struct that a map of
// the table holds has to be here (EveryStructOfAMapIsCompared).
const std::map<std::string, Layout>& ours() {
    static const std::map<std::string, Layout> layouts = {
        // Its union has no name.
        {"address", {sizeof(abi::address), {{"", 0, sizeof(abi::address::bytes)}}}},
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
        {"snat_usage_key",
         {sizeof(abi::snat_usage_key),
          {FIELD(snat_usage_key, source), FIELD(snat_usage_key, backend), FIELD(snat_usage_key, backend_port_be),
           FIELD(snat_usage_key, protocol), FIELD(snat_usage_key, pad)}}},
        {"snat_usage",
         {sizeof(abi::snat_usage),
          {FIELD(snat_usage, kept), FIELD(snat_usage, yielding), FIELD(snat_usage, counted_kept),
           FIELD(snat_usage, counted_yielding), FIELD(snat_usage, sweep)}}},
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

// Checks every struct of ours that the object knows and returns their names.
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

// A BPF object that is opened and not loaded: its maps and its BTF can be read.
class Object {
public:
    template <class Skeleton>
    static Object open(std::string name) {
        auto* skeleton = Skeleton::open();
        return Object(std::move(name), skeleton->obj, [skeleton] { Skeleton::destroy(skeleton); });
    }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    ~Object() { destroy_(); }

    const std::string& name() const { return name_; }
    const bpf_object* object() const { return object_; }
    const bpf_map* map(std::string_view name) const {
        return bpf_object__find_map_by_name(object_, std::string(name).c_str());
    }

private:
    Object(std::string name, const bpf_object* object, std::function<void()> destroy)
        : name_(std::move(name)), object_(object), destroy_(std::move(destroy)) {}

    std::string name_;
    const bpf_object* object_;
    std::function<void()> destroy_;
};

// Calls for each object that the agent loads.
void for_each_object(auto call) {
    call(Object::open<xdp_bpf>("xdp"));
    call(Object::open<tc_bpf>("tc"));
    call(Object::open<sock_bpf>("sock"));
    call(Object::open<sweep_bpf>("sweep"));
}

// Returns the type behind typedefs and qualifiers.
const btf_type* resolved(const btf* btf, std::uint32_t id) {
    const btf_type* type = btf__type_by_id(btf, id);
    while (type && (btf_is_typedef(type) || btf_is_mod(type))) type = btf__type_by_id(btf, type->type);
    return type;
}

// Returns what the key or value of a map is: the name of a struct, or how many octets an integer has.
std::string type_name(const btf* btf, std::uint32_t id) {
    const btf_type* type = resolved(btf, id);
    if (!type) return "nothing";
    if (btf_is_struct(type)) return btf__name_by_offset(btf, type->name_off);
    return fmt::format("{} of {} octets", btf_is_int(type) ? "integer" : "something", btf__resolve_size(btf, id));
}

// Returns the same for a C++ type.
template <class T>
std::string type_name() {
    if constexpr (std::is_integral_v<T>) return fmt::format("integer of {} octets", sizeof(T));
    int status = 0;
    std::unique_ptr<char, decltype(&std::free)> name(::abi::__cxa_demangle(typeid(T).name(), nullptr, nullptr, &status),
                                                     std::free);
    const std::string space = "weir::abi::", whole = status == 0 ? name.get() : "";
    return whole.starts_with(space) ? whole.substr(space.size()) : whole;
}

// Adds the names of the structs that a type consists of.
void add_structs(const btf* btf, std::uint32_t id, std::set<std::string>& names) {
    const btf_type* type = resolved(btf, id);
    if (btf_is_array(type)) return add_structs(btf, btf_array(type)->type, names);
    if (!btf_is_composite(type)) return;
    std::string name = btf__name_by_offset(btf, type->name_off);
    if (!name.empty()) names.insert(name);
    for (std::uint32_t i = 0; i < btf_vlen(type); ++i) add_structs(btf, btf_members(type)[i].type, names);
}

bpf_map_type bpf_type(maps::Kind kind) {
    switch (kind) {
        case maps::Kind::hash:
            return BPF_MAP_TYPE_HASH;
        case maps::Kind::lru_hash:
            return BPF_MAP_TYPE_LRU_HASH;
        case maps::Kind::trie:
            return BPF_MAP_TYPE_LPM_TRIE;
        case maps::Kind::array:
            return BPF_MAP_TYPE_ARRAY;
        case maps::Kind::per_cpu_array:
            return BPF_MAP_TYPE_PERCPU_ARRAY;
    }
    return BPF_MAP_TYPE_UNSPEC;
}

TEST(Layout, EveryObjectSeesTheStructsAsUserSpaceDoes) {
    std::set<std::string> seen;
    for_each_object([&](const Object& object) {
        SCOPED_TRACE(object.name());
        seen.merge(compare(object.object()));
    });
    for (const auto& [name, layout] : ours()) EXPECT_TRUE(seen.contains(name)) << name << " is in no object";
}

TEST(Layout, EveryStructOfAMapIsCompared) {
    std::set<std::string> structs;
    for_each_object([&](const Object& object) {
        const btf* btf = bpf_object__btf(object.object());
        for (const auto& row : maps::table) {
            const bpf_map* map = object.map(row.name);
            ASSERT_TRUE(map) << row.name << " is not in " << object.name();
            add_structs(btf, bpf_map__btf_key_type_id(map), structs);
            add_structs(btf, bpf_map__btf_value_type_id(map), structs);
        }
    });
    for (const auto& name : structs) EXPECT_TRUE(ours().contains(name)) << "struct " << name << " is not in ours()";
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

TEST(Layout, EveryMapOfTheTableIsInEveryObjectAsTheTableSays) {
    for_each_object([](const Object& object) {
        const btf* btf = bpf_object__btf(object.object());
        auto compare_map = [&]<class View>(const maps::TypedRow<View>& row) {
            SCOPED_TRACE(fmt::format("map {} of {}", row.name, object.name()));
            const bpf_map* map = object.map(row.name);
            ASSERT_TRUE(map) << "no object has this map of the table";
            EXPECT_EQ(bpf_map__type(map), bpf_type(row.kind));
            EXPECT_EQ(bpf_map__key_size(map), row.key_size);
            EXPECT_EQ(bpf_map__value_size(map), row.value_size);
            EXPECT_EQ(type_name(btf, bpf_map__btf_key_type_id(map)), type_name<typename View::key_type>());
            EXPECT_EQ(type_name(btf, bpf_map__btf_value_type_id(map)), type_name<typename View::value_type>());
            // The programs rely on the size of these maps; the other sizes are placeholders.
            if (!row.size.setting && row.kind != maps::Kind::hash) {
                EXPECT_EQ(bpf_map__max_entries(map), row.size.fixed);
            }
        };
        std::apply([&](const auto&... rows) { (compare_map(rows), ...); }, maps::typed_table);
    });
}

// maps/maps.bpf.h is part of every object. A map of one element that only some objects have is their own scratch space
// and is not pinned.
TEST(Layout, EveryMapOfAnObjectIsInTheTable) {
    std::map<std::string, std::uint32_t> entries, objects;
    std::uint32_t all = 0;
    for_each_object([&](const Object& object) {
        ++all;
        const bpf_map* map = nullptr;
        bpf_object__for_each_map(map, object.object()) {
            if (bpf_map__is_internal(map)) continue;  // sections of data
            entries[bpf_map__name(map)] = bpf_map__max_entries(map);
            ++objects[bpf_map__name(map)];
        }
    });
    for (const auto& [name, count] : objects) {
        bool scratch = count < all && entries[name] == 1;
        EXPECT_TRUE(scratch || maps::find_map(name)) << "map " << name << " is not in maps/table.hpp";
    }
}

}  // namespace
}  // namespace weir::test
