// SPDX-License-Identifier: Apache-2.0
// The addresses of a Service: clusterIPs and families, external IPs, load balancer.
#include <fmt/format.h>

#include <array>

#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

using namespace std::string_view_literals;

constexpr std::array families{"IPv4"sv, "IPv6"sv};
constexpr std::array family_policies{"SingleStack"sv, "PreferDualStack"sv, "RequireDualStack"sv};
constexpr std::array ip_modes{"VIP"sv, "Proxy"sv};
constexpr auto no_cluster_ip = "None"sv;
constexpr auto ranges_annotation = "service.beta.kubernetes.io/load-balancer-source-ranges";

std::string_view family_name(model::Family family) {
    return families[static_cast<std::size_t>(family)];
}

std::optional<model::Address> usable_address(Reader& reader, const Field& field) {
    auto address = reader.address(field);
    if (!address) return std::nullopt;
    auto special = special_address(*address);
    if (special.empty()) return address;
    reader.error(field, fmt::format("{} is {}; use an address that can be reached from elsewhere", shown(*field.value),
                                    special));
    return std::nullopt;
}

void decode_families(Reader& reader, const Field& spec, model::Service& service) {
    auto list = reader.child(spec, "ipFamilies");
    reader.each(list, [&](const Field& at) {
        auto family = reader.word(at, families);
        if (!family) return;
        if (service.ip_families.size() == 2 ||
            (!service.ip_families.empty() && service.ip_families[0] == model::Family(*family)))
            reader.error(at,
                         fmt::format("{} is one too many; use each of IPv4 and IPv6 at most once", shown(*at.value)));
        else
            service.ip_families.push_back(model::Family(*family));
    });
}

// clusterIPs, with clusterIP as its first element. Returns whether it is None.
bool decode_cluster_ips(Reader& reader, const Field& spec, model::Service& service) {
    auto single = reader.child(spec, "clusterIP");
    auto list = reader.child(spec, "clusterIPs");
    auto first = reader.text(single).value_or("");
    bool none = first == no_cluster_ip;
    if (!first.empty() && !none)
        if (auto address = usable_address(reader, single)) service.cluster_ips.push_back(*address);
    std::vector<model::Address> all;
    reader.each(list, [&](const Field& at) {
        auto text = reader.text(at);
        if (!text) return;
        if (at.index == 2) reader.error(at, "is one too many; a Service has at most one clusterIP per family");
        if (at.index >= 2) return;
        if (*text == no_cluster_ip) {
            if (at.index > 0 || (!first.empty() && !none)) reader.error(at, "None goes with no other clusterIP");
            none = true;
            return;
        }
        if (none) {
            reader.error(at, fmt::format("{} contradicts clusterIP: None", shown(*at.value)));
            return;
        }
        auto address = usable_address(reader, at);
        if (!address) return;
        if (at.index == 0 && !service.cluster_ips.empty() && service.cluster_ips[0] != *address)
            reader.error(at,
                         fmt::format("{} is not the clusterIP {}; the two must agree", shown(*at.value), shown(first)));
        if (!all.empty() && all[0].family() == address->family())
            reader.error(at, fmt::format("{} is a second {} address; use one per family", shown(*at.value),
                                         family_name(address->family())));
        all.push_back(*address);
    });
    if (!all.empty()) service.cluster_ips = std::move(all);
    return none;
}

// The families of the addresses are those of ipFamilies, in its order.
void match_families(Reader& reader, const Field& spec, model::Service& service) {
    for (std::size_t i = 0; i < service.cluster_ips.size(); ++i) {
        auto family = service.cluster_ips[i].family();
        if (i < service.ip_families.size() && service.ip_families[i] != family) {
            auto field = reader.child(spec, reader.child(spec, "clusterIPs") ? "clusterIPs" : "clusterIP");
            reader.error(
                field, fmt::format("{} is an {} address, but ipFamilies[{}] is {}", service.cluster_ips[i].to_string(),
                                   family_name(family), i, family_name(service.ip_families[i])));
        }
        if (i >= service.ip_families.size()) service.ip_families.push_back(family);
    }
}

void decode_source_ranges(Reader& reader, const Field& spec, const Metadata& metadata, model::Service& service) {
    auto list = reader.child(spec, "loadBalancerSourceRanges");
    reader.each(list, [&](const Field& at) {
        auto text = reader.text(at);
        if (!text) return;
        if (auto cidr = model::Cidr::parse(*text))
            service.source_ranges.push_back(*cidr);
        else
            reader.error(at, fmt::format("{} is not a CIDR; use one such as 192.0.2.0/24", shown(*text)));
    });
    if (list && !list.value->items().empty()) return;
    auto annotation = metadata.annotations.find(ranges_annotation);
    if (annotation == metadata.annotations.end() || service.type != model::ServiceType::load_balancer) return;
    std::string_view rest = annotation->second;
    if (rest.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
    while (true) {
        auto comma = rest.find(',');
        if (auto cidr = model::Cidr::parse(rest.substr(0, comma)))
            service.source_ranges.push_back(*cidr);
        else
            reader.error(list, fmt::format("the annotation {} has {}, which is not a CIDR; use a list such as "
                                           "192.0.2.0/24,198.51.100.0/24",
                                           ranges_annotation, shown(rest.substr(0, comma))));
        if (comma == std::string_view::npos) return;
        rest.remove_prefix(comma + 1);
    }
}

void decode_ingress(Reader& reader, const Field& at, model::Service& service) {
    constexpr std::array fields{"ip"sv, "hostname"sv, "ipMode"sv, "ports"sv};
    if (!reader.map(at, fields)) return;
    auto mode = reader.word(reader.child(at, "ipMode"), ip_modes);
    reader.text(reader.child(at, "hostname"));  // left to DNS: no address, no frontend
    auto ip = reader.child(at, "ip");
    if (!ip || (ip.value->kind() == Value::Kind::text && ip.value->text().empty())) return;
    if (auto address = usable_address(reader, ip))
        service.load_balancer.push_back({*address, mode == 1 ? model::IpMode::proxy : model::IpMode::vip});
}

}  // namespace

void decode_service_addresses(Reader& reader, const Field& spec, model::Service& service) {
    decode_families(reader, spec, service);
    bool none = decode_cluster_ips(reader, spec, service);
    service.headless = service.headless || none;
    if (none && (service.type == model::ServiceType::node_port || service.type == model::ServiceType::load_balancer))
        reader.error(reader.child(spec, "clusterIP"), "None is not for type NodePort or LoadBalancer");
    match_families(reader, spec, service);
    auto policy_field = reader.child(spec, "ipFamilyPolicy");
    auto policy = reader.word(policy_field, family_policies);
    bool several = service.ip_families.size() > 1;
    if (policy == 0 && several)
        reader.error(policy_field, "SingleStack contradicts two families; use PreferDualStack or RequireDualStack");
    service.dual_stack = policy ? *policy > 0 : several;
    reader.each(reader.child(spec, "externalIPs"), [&](const Field& at) {
        if (auto address = usable_address(reader, at)) service.external_ips.push_back(*address);
    });
}

void decode_load_balancer(Reader& reader, const Field& object, const Field& spec, const Metadata& metadata,
                          model::Service& service) {
    constexpr std::array status_fields{"loadBalancer"sv, "conditions"sv};
    constexpr std::array balancer_fields{"ingress"sv};
    decode_source_ranges(reader, spec, metadata, service);
    auto status = reader.child(object, "status");
    bool known = false;
    if (reader.map(status, status_fields)) {
        auto balancer = reader.child(status, "loadBalancer");
        if (reader.map(balancer, balancer_fields)) {
            auto ingress = reader.child(balancer, "ingress");
            reader.each(ingress, [&](const Field& at) { decode_ingress(reader, at, service); });
            known = ingress && !ingress.value->items().empty();
        }
    }
    auto asked = reader.child(spec, "loadBalancerIP");
    if (!reader.text(asked).value_or("").empty() && !known && service.type == model::ServiceType::load_balancer)
        if (auto address = usable_address(reader, asked))
            service.load_balancer.push_back({*address, model::IpMode::vip});
}

}  // namespace weir::decode
