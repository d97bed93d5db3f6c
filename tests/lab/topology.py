# SPDX-License-Identifier: Apache-2.0
"""The wiring of a lab: a router; behind it the nodes, each on a subnet of its own, and a client from outside.

    client --- router --- eth0 node1 --- pods
                  \\------ eth0 node2 --- pods
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import addresses, netns
from .namespace import Namespace
from .nursery import Nursery

UNDERLAY_MTU = 1500


@dataclass
class Node(Namespace):
    index: int = 0


@dataclass
class Topology:
    router: Namespace
    client: Namespace
    nodes: list[Node]

    @property
    def all(self) -> list[Namespace]:
        return [self.router, self.client, *self.nodes]


def build(prefix: str, count: int, nursery: Nursery, cgroup: Path | None, rp_filter: int | None) -> Topology:
    """Makes namespaces, links, addresses and default routes; the pod network adds the pods."""
    def named(name: str) -> dict:
        return {"name": name, "namespace": f"{prefix}-{name}", "nursery": nursery}

    topology = Topology(
        router=Namespace(**named("router"), addresses=addresses.CLIENT_GATEWAY),
        client=Namespace(**named("client"), addresses=addresses.CLIENT),
        nodes=[Node(**named(f"node{i}"), index=i, cgroup=cgroup / f"node{i}" if cgroup else None,
                    addresses={family: addresses.node(family, i) for family in addresses.FAMILIES})
               for i in range(1, count + 1)])
    netns.create([place.namespace for place in topology.all])
    for place in topology.all:
        prepare(place, forwarding=place is not topology.client, rp_filter=rp_filter)
    router = topology.router.namespace
    netns.batch(router, _links(topology))
    netns.batch(router, _router_addresses(topology))
    for node in topology.nodes:
        gateways = {family: addresses.node_gateway(family, node.index) for family in addresses.FAMILIES}
        netns.batch(node.namespace, _host_lines(node.addresses, gateways, addresses.NODE_PREFIX))
        # A wire never carries unfinished checksums; a veth does, and XDP sees them. The router therefore
        # completes them before it sends to a node.
        topology.router.exec("ethtool", "-K", node.name, "tx", "off")
    netns.batch(topology.client.namespace,
                _host_lines(addresses.CLIENT, addresses.CLIENT_GATEWAY, addresses.CLIENT_PREFIX))
    return topology


def prepare(place: Namespace, forwarding: bool, rp_filter: int | None = None) -> None:
    """Prepares a namespace before it has interfaces. Duplicate address detection would only delay all hosts."""
    settings: dict[str, object] = {"ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
                                   "ipv4/ip_forward": int(forwarding), "ipv6/conf/all/forwarding": int(forwarding)}
    if rp_filter is not None:
        settings |= {"ipv4/conf/all/rp_filter": rp_filter, "ipv4/conf/default/rp_filter": rp_filter}
    place.sysctl(settings)
    netns.batch(place.namespace, ["link set lo up"])


def _links(topology: Topology) -> list[str]:
    lines = []
    for far in [topology.client, *topology.nodes]:
        lines += [f"link add {far.name} mtu {UNDERLAY_MTU} type veth "
                  f"peer name eth0 mtu {UNDERLAY_MTU} netns {far.namespace}", f"link set {far.name} up"]
    return lines


def _router_addresses(topology: Topology) -> list[str]:
    lines = []
    for family in addresses.FAMILIES:
        lines.append(f"addr add {addresses.CLIENT_GATEWAY[family]}/{addresses.CLIENT_PREFIX[family]} dev client nodad")
        for node in topology.nodes:
            gateway = addresses.node_gateway(family, node.index)
            lines.append(f"addr add {gateway}/{addresses.NODE_PREFIX[family]} dev {node.name} nodad")
        # Some frontends are addresses of no node: the router must send their packets to a node.
        for cidr in (addresses.SERVICE_CIDRS[family], addresses.LOAD_BALANCER_CIDRS[family]):
            lines.append(f"route add {cidr} via {addresses.node(family, 1)}")
    return lines


def _host_lines(address: dict[int, str], gateway: dict[int, str], prefix: dict[int, int]) -> list[str]:
    """A host with an address, an interface eth0 and a default route, in both families."""
    lines = ["link set eth0 up"]
    for family in addresses.FAMILIES:
        lines += [f"addr add {address[family]}/{prefix[family]} dev eth0 nodad",
                  f"route add default via {gateway[family]}"]
    return lines
