// SPDX-License-Identifier: Apache-2.0
// Of a Pod only what makes it an endpoint is read. Pods are large and evolve quickly, so unknown fields are none of
// weir's business.
#include "loader/decode/decode_kinds.hpp"

namespace weir::decode {
namespace {

void decode_container_ports(Reader& reader, const Field& list, model::Pod& pod) {
    reader.each(list, [&](const Field& at) {
        if (!reader.map(at)) return;
        model::ContainerPort port;
        auto name = reader.child(at, "name");
        auto text = reader.text(name);
        if (text && !text->empty()) port.name = reader.name(name, port_name).value_or("");
        port.protocol = reader.protocol(reader.child(at, "protocol")).value_or(model::Protocol::tcp);
        auto number = reader.child(at, "containerPort");
        if (!number) reader.error(number, "is missing; use 1 to 65535");
        port.port = reader.port(number).value_or(0);
        pod.ports.push_back(std::move(port));
    });
}

void decode_spec(Reader& reader, const Field& spec, model::Pod& pod) {
    if (!reader.map(spec)) return;
    pod.node_name = reader.text_or_empty(reader.child(spec, "nodeName"));
    reader.text(reader.child(spec, "hostname"));
    reader.text(reader.child(spec, "subdomain"));
    pod.host_network = reader.boolean(reader.child(spec, "hostNetwork")).value_or(false);
    reader.each(reader.child(spec, "containers"), [&](const Field& at) {
        if (reader.map(at)) decode_container_ports(reader, reader.child(at, "ports"), pod);
    });
    // An init container that is always restarted is a sidecar: it serves as long as the others.
    reader.each(reader.child(spec, "initContainers"), [&](const Field& at) {
        if (reader.map(at) && reader.text(reader.child(at, "restartPolicy")) == "Always")
            decode_container_ports(reader, reader.child(at, "ports"), pod);
    });
}

void decode_status(Reader& reader, const Field& status, model::Pod& pod) {
    if (!reader.map(status)) return;
    auto phase = reader.text(reader.child(status, "phase")).value_or("");
    pod.finished = phase == "Succeeded" || phase == "Failed";
    reader.each(reader.child(status, "podIPs"), [&](const Field& at) {
        if (!reader.map(at)) return;
        if (auto address = decode_endpoint_address(reader, reader.child(at, "ip"))) pod.ips.push_back(*address);
    });
    auto single = reader.child(status, "podIP");
    if (pod.ips.empty() && !reader.text(single).value_or("").empty())
        if (auto address = decode_endpoint_address(reader, single)) pod.ips.push_back(*address);
    reader.each(reader.child(status, "conditions"), [&](const Field& at) {
        if (reader.map(at) && reader.text(reader.child(at, "type")) == "Ready")
            pod.ready = reader.text(reader.child(at, "status")) == "True";
    });
}

}  // namespace

model::Object decode_pod(Reader& reader, const Field& object, const Metadata& metadata) {
    model::Pod pod;
    pod.name = metadata.name;
    pod.origin = metadata.origin;
    pod.labels = metadata.labels;
    pod.terminating = metadata.deleting;
    reader.map(object);
    decode_spec(reader, reader.child(object, "spec"), pod);
    decode_status(reader, reader.child(object, "status"), pod);
    return pod;
}

}  // namespace weir::decode
