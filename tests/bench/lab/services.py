# SPDX-License-Identifier: Apache-2.0
"""The Services that every contender serves: a few that are measured among many that only have to be there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Where the lab's own plan (tests/lab/addresses.py) leaves room.
CLUSTER_CIDR = "10.244.0.0/16"
BACKEND_PORT = 8080
SERVICE_PORT = 80


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service with all that a proxy must know."""

    name: str
    protocol: str  # tcp, udp
    cluster_ip: str
    port: int
    endpoints: tuple[tuple[str, int], ...]
    node_port: int = 0
    load_balancer: str = ""
    namespace: str = "default"

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}:{self.protocol}"


def _ip(first: str, number: int) -> str:
    value = int.from_bytes(bytes(int(part) for part in first.split(".")), "big") + number
    return ".".join(str(part) for part in value.to_bytes(4, "big"))


def filler(number: int) -> ServicePort:
    """A Service with two endpoints that gets no requests."""
    endpoints = tuple((_ip("10.244.128.0", (2 * number + i) % 32768), 9000 + (2 * number + i) // 32768)
                      for i in range(2))
    return ServicePort(f"filler-{number:05}", "tcp", _ip("10.96.64.0", number), SERVICE_PORT, endpoints)


def measured(name: str, number: int, pods: Iterable[str]) -> list[ServicePort]:
    """A measured Service: TCP and UDP, by all ways in."""
    endpoints = tuple((pod, BACKEND_PORT) for pod in pods)
    return [ServicePort(name, protocol, f"10.96.0.{100 + number}", SERVICE_PORT, endpoints, 30080 + number,
                        f"198.51.100.{100 + number}") for protocol in ("tcp", "udp")]


# Names of the measured Services, by place in a list that iptables searches from its beginning.
MIDDLE, LAST = "middle", "last"
# A Service whose backends are beyond the router, or nowhere: packets to them cost only the node's time.
ELSEWHERE, ELSEWHERE_NET = "elsewhere", "10.244.127.0/24"


def service_ports(count: int, pods: list[str]) -> list[ServicePort]:
    """`count` Services: one in the middle and one at the end are measured."""
    fillers = [filler(number) for number in range(count - 3)]
    half = count // 2 - 1
    return [*fillers[:half], *measured(MIDDLE, 1, pods), *fillers[half:],
            *measured(ELSEWHERE, 3, [_ip(ELSEWHERE_NET.partition("/")[0], number) for number in (1, 2)]),
            *measured(LAST, 2, pods)]


def objects(ports: list[ServicePort]) -> list[dict]:
    """The same as Kubernetes objects: for each Service its ports, and one EndpointSlice."""
    by_name: dict[str, list[ServicePort]] = {}
    for port in ports:
        by_name.setdefault(port.name, []).append(port)
    found = []
    for name, group in by_name.items():
        first = group[0]
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": first.namespace},
                   "spec": {"type": "LoadBalancer" if first.load_balancer else "ClusterIP",
                            "clusterIP": first.cluster_ip,
                            "ports": [{"name": port.protocol, "protocol": port.protocol.upper(), "port": port.port,
                                       "targetPort": port.endpoints[0][1]}
                                      | ({"nodePort": port.node_port} if port.node_port else {}) for port in group]}}
        if first.load_balancer:
            service["status"] = {"loadBalancer": {"ingress": [{"ip": first.load_balancer}]}}
        found += [service, {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{name}-1", "namespace": first.namespace,
                         "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [address]} for address, _ in first.endpoints],
            "ports": [{"name": port.protocol, "protocol": port.protocol.upper(), "port": port.endpoints[0][1]}
                      for port in group]}]
    return found
