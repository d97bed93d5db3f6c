// SPDX-License-Identifier: Apache-2.0
// Kubernetes objects as plain structs: the fields that a Service proxy reads, validated and with defaults applied.
// Field names and defaults: Kubernetes API reference v1 (core) and discovery.k8s.io/v1.
#pragma once

#include <boost/container/flat_map.hpp>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "loader/model/address.hpp"
#include "loader/model/shared_text.hpp"

namespace weir::model {

using FileName = SharedText;

// Where an object was written, for messages. file is empty for objects of the Kubernetes API; line is 1-based, 0:
// unknown.
struct Origin {
    FileName file;
    int line = 0;
    bool operator==(const Origin&) const = default;
};

struct ObjectName {
    std::string name_space;  // empty for cluster-scoped objects; "default" where a namespaced object names none
    std::string name;
    std::string to_string() const;  // "namespace/name", or "name"
    auto operator<=>(const ObjectName&) const = default;
};

// The kinds of objects that weir reads.
enum class Kind : std::uint8_t { service, endpoint_slice, endpoints, pod, node };

// Names the object that a change replaces or removes.
struct Identity {
    Kind kind = Kind::service;
    ObjectName name;
    auto operator<=>(const Identity&) const = default;
};

// One allocation, not one for each pair: there are many objects with few labels.
using Labels = boost::container::flat_map<std::string, std::string>;

// targetPort: a number, or a name to be looked up in each Pod. Unset: the same as port.
using TargetPort = std::variant<std::monostate, std::uint16_t, std::string>;

enum class ServiceType { cluster_ip, node_port, load_balancer, external_name };
enum class TrafficPolicy { cluster, local };
enum class IpMode { vip, proxy };

struct ServicePort {
    std::string name;  // empty allowed where the Service has one port
    Protocol protocol = Protocol::tcp;
    std::uint16_t port = 0;  // 1..65535
    TargetPort target_port;
    std::uint16_t node_port = 0;  // 0: none given
    bool operator==(const ServicePort&) const = default;
};

struct LoadBalancerIngress {
    Address ip;
    IpMode mode = IpMode::vip;
    bool operator==(const LoadBalancerIngress&) const = default;
};

struct Service {
    ObjectName name;
    Origin origin;
    ServiceType type = ServiceType::cluster_ip;
    bool headless = false;             // clusterIP: None, or the label service.kubernetes.io/headless
    bool other_proxy = false;          // label service.kubernetes.io/service-proxy-name: not ours
    std::vector<Address> cluster_ips;  // as given; empty: to be allocated (unless headless or ExternalName)
    std::vector<Family> ip_families;   // as given, or derived from cluster_ips; empty: the default family
    bool dual_stack = false;           // ipFamilyPolicy PreferDualStack or RequireDualStack
    std::vector<ServicePort> ports;
    Labels selector;
    std::vector<Address> external_ips;
    std::vector<LoadBalancerIngress>
        load_balancer;                // status.loadBalancer.ingress; spec.loadBalancerIP where there is no status
    std::vector<Cidr> source_ranges;  // loadBalancerSourceRanges, or the legacy annotation
    TrafficPolicy external_traffic_policy = TrafficPolicy::cluster;
    TrafficPolicy internal_traffic_policy = TrafficPolicy::cluster;
    std::optional<std::uint32_t> affinity_seconds;  // sessionAffinity: ClientIP and its timeout
    std::uint16_t health_check_node_port = 0;
    bool publish_not_ready = false;
    bool allocate_node_ports = true;  // allocateLoadBalancerNodePorts
    std::string external_name;
    bool operator==(const Service&) const = default;
};

struct Endpoint {
    std::vector<Address> addresses;
    bool ready = true;                   // nil values already resolved: ready nil = true,
    bool serving = true;                 // serving nil = ready,
    bool terminating = false;            // terminating nil = false
    std::string node_name;               // empty: not known
    std::vector<std::string> for_zones;  // hints
    std::vector<std::string> for_nodes;
};

struct EndpointPort {
    std::string name;
    Protocol protocol = Protocol::tcp;
    std::optional<std::uint16_t> port;  // none: the slice port is skipped
    bool operator==(const EndpointPort&) const = default;
};

// discovery.k8s.io/v1 EndpointSlice. A core/v1 Endpoints object decodes into slices too: one per subset and family
// (Endpoints "a" subset 0 IPv4: slice name "a", ready and not-ready addresses as conditions).
struct EndpointSlice {
    ObjectName name;
    Origin origin;
    std::string service;          // label kubernetes.io/service-name; for Endpoints: the object's own name
    bool fqdn = false;            // addressType FQDN: ignored
    bool from_endpoints = false;  // counts only where the Service has no real EndpointSlice (mirroring would double it)
    Family family = Family::ipv4;
    std::vector<Endpoint> endpoints;
    std::vector<EndpointPort> ports;
};

struct ContainerPort {
    std::string name;
    Protocol protocol = Protocol::tcp;
    std::uint16_t port = 0;
};

struct Pod {
    ObjectName name;
    Origin origin;
    Labels labels;
    std::string node_name;
    std::vector<Address> ips;  // status.podIPs, or status.podIP
    std::vector<ContainerPort> ports;
    bool ready = false;        // condition Ready is True
    bool finished = false;     // phase Succeeded or Failed
    bool terminating = false;  // deletionTimestamp set
    bool host_network = false;
};

struct Node {
    ObjectName name;  // cluster-scoped: name_space is empty
    Origin origin;
    Labels labels;
    std::vector<Address> internal_ips;  // status.addresses, in their order
    std::vector<Address> external_ips;
    std::vector<Cidr> pod_cidrs;
    std::string zone;            // label topology.kubernetes.io/zone
    bool to_be_deleted = false;  // taint ToBeDeletedByClusterAutoscaler, or deletionTimestamp
};

// One decoded object. Every Endpoints object yields all its slices at once, so that replacing it replaces them all.
using Object = std::variant<Service, std::vector<EndpointSlice>, Pod, Node>;

std::string_view to_string(Kind kind);  // "Service", as in manifests
Identity identity_of(const Object& object);
const Origin& origin_of(const Object& object);

enum class Severity { warning, error };

// Something a person should know about the input. what is a full sentence part: what is wrong and what to do about it.
struct Problem {
    Severity severity = Severity::error;
    Origin origin;
    std::string object;  // "Service ns/name", or empty where no object could be told
    std::string what;
    std::string to_string() const;  // "file:line: Service ns/name: what"
};

}  // namespace weir::model

template <>
struct std::hash<weir::model::ObjectName> {
    std::size_t operator()(const weir::model::ObjectName& name) const noexcept {
        return std::hash<std::string>()(name.name) * 31 + std::hash<std::string>()(name.name_space);
    }
};

template <>
struct std::hash<weir::model::Identity> {
    std::size_t operator()(const weir::model::Identity& identity) const noexcept {
        return std::hash<weir::model::ObjectName>()(identity.name) * 8 + static_cast<std::size_t>(identity.kind);
    }
};
