// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "loader/decode/decode_kinds.hpp"
#include "loader/decode/scalar.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array object_fields{"apiVersion"sv, "kind"sv, "metadata"sv, "spec"sv, "status"sv};
constexpr std::array spec_fields{"ports"sv,
                                 "selector"sv,
                                 "clusterIP"sv,
                                 "clusterIPs"sv,
                                 "type"sv,
                                 "externalIPs"sv,
                                 "sessionAffinity"sv,
                                 "loadBalancerIP"sv,
                                 "loadBalancerSourceRanges"sv,
                                 "externalName"sv,
                                 "externalTrafficPolicy"sv,
                                 "healthCheckNodePort"sv,
                                 "publishNotReadyAddresses"sv,
                                 "sessionAffinityConfig"sv,
                                 "ipFamilies"sv,
                                 "ipFamilyPolicy"sv,
                                 "allocateLoadBalancerNodePorts"sv,
                                 "loadBalancerClass"sv,
                                 "internalTrafficPolicy"sv,
                                 "trafficDistribution"sv};
constexpr std::array port_fields{"name"sv, "protocol"sv, "appProtocol"sv, "port"sv, "targetPort"sv, "nodePort"sv};

constexpr std::array types{"ClusterIP"sv, "NodePort"sv, "LoadBalancer"sv, "ExternalName"sv};
constexpr std::array policies{"Cluster"sv, "Local"sv};
constexpr std::array affinities{"None"sv, "ClientIP"sv};

constexpr std::uint32_t default_affinity_seconds = 10800;  // Kubernetes' default: three hours
constexpr std::uint32_t most_affinity_seconds = 86400;

model::TrafficPolicy policy(Reader& reader, const Field& field) {
    return reader.word(field, policies) == 1 ? model::TrafficPolicy::local : model::TrafficPolicy::cluster;
}

model::TargetPort target_port(Reader& reader, const Field& field) {
    if (!field) return {};
    if (field.value->kind() != Value::Kind::text) {
        auto number = reader.port(field);
        return number ? model::TargetPort(*number) : model::TargetPort();
    }
    auto text = field.value->text();
    if (text.empty()) return {};
    if (resolve_plain(text) == Value::Kind::integer) {  // refused by Kubernetes too: no port has such a name
        reader.error(field, fmt::format("{} in quotes is the name of a port, not its number; leave the quotes out",
                                        shown(text)));
        return {};
    }
    auto name = reader.name(field, port_name);
    return name ? model::TargetPort(*name) : model::TargetPort();
}

model::ServicePort decode_port(Reader& reader, const Field& at, model::ServiceType type) {
    model::ServicePort port;
    if (!reader.map(at, port_fields)) {
        if (!at) reader.error(at, "is empty; use a map with a port");
        return port;
    }
    auto name = reader.child(at, "name");
    if (name && !(name.value->kind() == Value::Kind::text && name.value->text().empty()))
        port.name = reader.name(name, dns1123_label).value_or("");
    port.protocol = reader.protocol(reader.child(at, "protocol")).value_or(model::Protocol::tcp);
    reader.text(reader.child(at, "appProtocol"));
    auto number = reader.child(at, "port");
    if (!number) reader.error(number, "is missing; use 1 to 65535");
    port.port = reader.port(number).value_or(0);
    port.target_port = target_port(reader, reader.child(at, "targetPort"));
    auto node_port = reader.child(at, "nodePort");
    port.node_port = static_cast<std::uint16_t>(reader.number(node_port, 0, 65535, "a port").value_or(0));
    if (port.node_port && type == model::ServiceType::cluster_ip)
        reader.error(node_port, "is not for type ClusterIP; use type NodePort or LoadBalancer");
    return port;
}

// Remembers the names and numbers that must be unique among the ports of a Service, and where each stood first.
class Uniqueness {
public:
    explicit Uniqueness(Reader& reader) : reader_(reader) {}

    void add(const model::ServicePort& port, const Field& at) {
        auto name = reader_.child(at, "name");
        auto number = reader_.child(at, "port");
        auto node_port = reader_.child(at, "nodePort");
        if (!port.name.empty()) check(names_, port.name, name, at, shown(port.name));
        if (port.port)
            check(numbers_, std::pair(port.protocol, port.port), number, at,
                  fmt::format("{}/{}", port.port, model::to_string(port.protocol)));
        if (port.node_port)
            check(node_ports_, std::pair(port.protocol, port.node_port), node_port, at,
                  fmt::format("{}/{}", port.node_port, model::to_string(port.protocol)));
    }

private:
    template <typename Key>
    void check(std::map<Key, int>& seen, const Key& key, const Field& field, const Field& at, std::string_view what) {
        auto [first, fresh] = seen.emplace(key, at.index);
        if (!fresh) reader_.error(field, fmt::format("{} is that of spec.ports[{}] already", what, first->second));
    }

    using Numbered = std::pair<model::Protocol, std::uint16_t>;
    Reader& reader_;
    std::map<std::string, int> names_;
    std::map<Numbered, int> numbers_;
    std::map<Numbered, int> node_ports_;
};

void decode_ports(Reader& reader, const Field& spec, model::Service& service) {
    auto list = reader.child(spec, "ports");
    Uniqueness unique(reader);
    bool several = list && list.value->items().size() > 1;
    reader.each(list, [&](const Field& at) {
        auto port = decode_port(reader, at, service.type);
        if (several && port.name.empty() && at) {
            auto name = reader.child(at, "name");
            if (!name || name.value->text().empty())
                reader.error(name, "is missing; each port of a Service with several needs a name");
        }
        unique.add(port, at);
        service.ports.push_back(std::move(port));
    });
    bool optional = service.headless || service.type == model::ServiceType::external_name;
    if (service.ports.empty() && !optional && (!list || list.value->kind() == Value::Kind::list))
        reader.error(list, "is empty; a Service needs a port, unless it is headless or an ExternalName");
}

void decode_affinity(Reader& reader, const Field& spec, model::Service& service) {
    constexpr std::array config_fields{"clientIP"sv};
    constexpr std::array client_fields{"timeoutSeconds"sv};
    bool wanted = reader.word(reader.child(spec, "sessionAffinity"), affinities) == 1;
    std::optional<std::int64_t> seconds;
    auto config = reader.child(spec, "sessionAffinityConfig");
    if (reader.map(config, config_fields)) {
        auto client = reader.child(config, "clientIP");
        if (reader.map(client, client_fields)) {
            auto timeout = reader.child(client, "timeoutSeconds");
            seconds = reader.number(timeout, 1, most_affinity_seconds, "a number of seconds for affinity");
        }
        if (!wanted) reader.warning(config, "has no effect without sessionAffinity: ClientIP");
    }
    if (wanted) service.affinity_seconds = static_cast<std::uint32_t>(seconds.value_or(default_affinity_seconds));
}

void decode_external_name(Reader& reader, const Field& spec, model::Service& service) {
    auto field = reader.child(spec, "externalName");
    auto name = reader.text(field);
    if (service.type != model::ServiceType::external_name) {
        service.external_name = std::string(name.value_or(""));
        return;
    }
    if (!name || name->empty()) {
        reader.error(field, "is missing; a Service of type ExternalName needs it");
        return;
    }
    service.external_name = *name;
    if (name->ends_with('.')) name->remove_suffix(1);
    if (!dns1123_subdomain.accepts(*name))
        reader.error(field,
                     fmt::format("{} is not a DNS name; {}", shown(service.external_name), dns1123_subdomain.wanted));
}

}  // namespace

model::Object decode_service(Reader& reader, const Field& object, const Metadata& metadata) {
    model::Service service;
    service.name = metadata.name;
    service.origin = metadata.origin;
    service.headless = metadata.labels.contains("service.kubernetes.io/headless");
    service.other_proxy = metadata.labels.contains("service.kubernetes.io/service-proxy-name");
    reader.map(object, object_fields);
    auto spec = reader.child(object, "spec");
    if (!reader.map(spec, spec_fields)) {
        if (!spec) reader.error(spec, "is missing; a Service needs one with ports");
        return service;
    }
    auto type = reader.word(reader.child(spec, "type"), types);
    if (type) service.type = static_cast<model::ServiceType>(*type);
    decode_service_addresses(reader, spec, service);
    decode_load_balancer(reader, object, spec, metadata, service);
    decode_ports(reader, spec, service);
    decode_affinity(reader, spec, service);
    decode_external_name(reader, spec, service);
    service.selector = reader.labels(reader.child(spec, "selector"));
    service.external_traffic_policy = policy(reader, reader.child(spec, "externalTrafficPolicy"));
    service.internal_traffic_policy = policy(reader, reader.child(spec, "internalTrafficPolicy"));
    auto health = reader.number(reader.child(spec, "healthCheckNodePort"), 0, 65535, "a port");
    service.health_check_node_port = static_cast<std::uint16_t>(health.value_or(0));
    service.publish_not_ready = reader.boolean(reader.child(spec, "publishNotReadyAddresses")).value_or(false);
    service.allocate_node_ports = reader.boolean(reader.child(spec, "allocateLoadBalancerNodePorts")).value_or(true);
    reader.text(reader.child(spec, "loadBalancerClass"));
    reader.text(reader.child(spec, "trafficDistribution"));
    return service;
}

}  // namespace weir::decode
