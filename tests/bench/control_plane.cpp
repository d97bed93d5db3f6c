// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/control_plane.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "loader/apply/write_order.hpp"
#include "loader/datapath/settings.hpp"
#include "loader/datapath/skeletons.hpp"
#include "maps/pins.hpp"
#include "maps/table.hpp"

// The linker redirects the map layer's calls to here (--wrap): each is one system call.
namespace {
std::uint64_t& calls() {
    static std::uint64_t count = 0;
    return count;
}
}  // namespace
extern "C" {
int __real_bpf_map_update_elem(int fd, const void* key, const void* value, __u64 flags);
int __real_bpf_map_delete_elem(int fd, const void* key);
int __real_bpf_map_update_batch(int fd, const void* keys, const void* values, __u32* count,
                                const bpf_map_batch_opts* opts);
int __wrap_bpf_map_update_elem(int fd, const void* key, const void* value, __u64 flags) {
    ++calls();
    return __real_bpf_map_update_elem(fd, key, value, flags);
}
int __wrap_bpf_map_delete_elem(int fd, const void* key) {
    ++calls();
    return __real_bpf_map_delete_elem(fd, key);
}
int __wrap_bpf_map_update_batch(int fd, const void* keys, const void* values, __u32* count,
                                const bpf_map_batch_opts* opts) {
    ++calls();
    return __real_bpf_map_update_batch(fd, keys, values, count, opts);
}
}

namespace weir::bench {

namespace {

std::string name_of(std::uint32_t service) {
    return fmt::format("service-{}", service);
}

std::string address_of(std::uint32_t service, std::uint32_t endpoint) {
    std::uint32_t number = service * 64 + endpoint;
    return fmt::format("10.{}.{}.{}", 128 + (number >> 16) % 128, (number >> 8) & 0xff, number & 0xff);
}

std::string service_json(std::uint32_t i) {
    return fmt::format(
        R"({{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{0}","namespace":"apps","uid":"5f0c6a4e-0000-4000-8000-{1:012}",)"
        R"("resourceVersion":"{1}","creationTimestamp":"2025-01-01T00:00:00Z","labels":{{"app":"{0}","tier":"backend"}}}},)"
        R"("spec":{{"type":"ClusterIP","clusterIP":"10.{2}.{3}.{4}","clusterIPs":["10.{2}.{3}.{4}"],"ipFamilies":["IPv4"],)"
        R"("ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster","sessionAffinity":"None",)"
        R"("ports":[{{"name":"http","port":80,"protocol":"TCP","targetPort":8080}}],"selector":{{"app":"{0}"}}}},)"
        R"("status":{{"loadBalancer":{{}}}}}})",
        name_of(i), i, 96 + (i >> 16), (i >> 8) & 0xff, i & 0xff);
}

std::string slice_json(const Size& size, std::uint32_t i) {
    std::string endpoints;
    for (std::uint32_t e = 0; e < size.endpoints; ++e)
        endpoints += fmt::format(
            R"({}{{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"nodeName":"node-{}",)"
            R"("targetRef":{{"kind":"Pod","name":"{}-{}","namespace":"apps"}},"zone":"zone-{}"}})",
            e ? "," : "", address_of(i, e), e % 100, name_of(i), e, e % 3);
    return fmt::format(
        R"({{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{{"name":"{0}-1","namespace":"apps",)"
        R"("resourceVersion":"{1}","labels":{{"kubernetes.io/service-name":"{0}"}}}},"addressType":"IPv4",)"
        R"("ports":[{{"name":"http","port":8080,"protocol":"TCP"}}],"endpoints":[{2}]}})",
        name_of(i), i, endpoints);
}

std::string service_yaml(std::uint32_t i) {
    return fmt::format(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {0}\n  namespace: apps\n  labels:\n    app: "
        "{0}\nspec:\n"
        "  type: ClusterIP\n  clusterIP: 10.{1}.{2}.{3}\n  ports:\n    - name: http\n      port: 80\n      protocol: "
        "TCP\n"
        "      targetPort: 8080\n  selector:\n    app: {0}\n",
        name_of(i), 96 + (i >> 16), (i >> 8) & 0xff, i & 0xff);
}

std::string slice_yaml(const Size& size, std::uint32_t i) {
    std::string text = fmt::format(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {0}-1\n  namespace: apps\n"
        "  labels:\n    kubernetes.io/service-name: {0}\naddressType: IPv4\nports:\n  - name: http\n    port: 8080\n"
        "    protocol: TCP\nendpoints:\n",
        name_of(i));
    for (std::uint32_t e = 0; e < size.endpoints; ++e)
        text += fmt::format("  - addresses:\n      - {}\n    conditions:\n      ready: true\n    nodeName: node-{}\n",
                            address_of(i, e), e % 100);
    return text;
}

struct Destroy {
    void operator()(tc_bpf* skeleton) const { tc_bpf::destroy(skeleton); }
};

}  // namespace

std::string manifests(const Size& size, decode::Format format) {
    bool json = format == decode::Format::json;
    std::string text = json ? R"({"apiVersion":"v1","kind":"List","items":[)" : "";
    for (std::uint32_t i = 0; i < size.services; ++i) {
        if (json)
            text += (i ? "," : "") + service_json(i) + ',' + slice_json(size, i);
        else
            text += service_yaml(i) + slice_yaml(size, i);
    }
    return json ? text + "]}" : text;
}

model::Object slice_of(const Size& size, std::uint32_t service, bool less) {
    Size one = size;
    if (less) --one.endpoints;
    auto decoded = decode::decode(slice_json(one, service), decode::Format::json, "change.json");
    return std::move(decoded.objects.at(0));
}

std::uint64_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
    return 0;
}

ControlPlane::ControlPlane() {
    auto sizes = datapath::resolve_sizes({}, datapath::machine_memory());
    std::unique_ptr<tc_bpf, Destroy> declared(tc_bpf::open());
    if (!declared) throw std::runtime_error("opening the embedded BPF objects failed");
    for (const auto& row : maps::table) {
        if (row.filled_by != maps::Filler::agent) continue;
        std::string name(row.name);
        const bpf_map* map = bpf_object__find_map_by_name(declared->obj, name.c_str());
        LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(map));
        int fd = bpf_map_create(bpf_map__type(map), name.c_str(), bpf_map__key_size(map), bpf_map__value_size(map),
                                row.entries(sizes), &options);
        if (fd < 0) throw std::runtime_error(fmt::format("map {}: {}; run as root", name, std::strerror(errno)));
        maps_.emplace(name, maps::Fd(fd));
    }
    plan::NodeContext node{.name = "node-1", .zone = "zone-1"};
    node.service_cidrs = {*model::Cidr::parse("10.96.0.0/12")};
    planner_ = std::make_unique<plan::Planner>(node);
    layout_ = std::make_unique<plan::Layout>(plan::capacity_of(sizes));
    writer_ =
        std::make_unique<apply::KernelWriter>([this](std::string_view name) { return maps_.find(name)->second.get(); });
}

std::vector<plan::ServicePlan> ControlPlane::plan() {
    return planner_->plan(cluster, cluster.take_dirty());
}

void ControlPlane::program(const std::vector<plan::ServicePlan>& plans) {
    plan::MapChanges changes;
    for (const auto& service : plans) {
        auto problems = layout_->update(service, changes);
        problems.insert(problems.end(), service.problems.begin(), service.problems.end());
        if (!problems.empty()) throw std::runtime_error(problems.front().to_string());
    }
    if (auto done = apply::write(*writer_, changes); !done) throw std::runtime_error(done.error());
}

std::uint64_t ControlPlane::map_octets() const {
    std::uint64_t octets = 0;
    for (const auto& [name, fd] : maps_) octets += maps::raw::memory(fd.get());
    return octets;
}

std::uint64_t ControlPlane::bpf_calls() {
    return calls();
}

}  // namespace weir::bench
