# SPDX-License-Identifier: Apache-2.0
"""The networks that connect pods, built like those of common CNIs, so that weir is tested under each.

routed   Calico: the pod has a host address and a gateway that no host owns, the node a host route to the pod.
bridged  flannel host-gw and the CNI project's bridge plugin: pods of a node share the bridge cni0.
overlay  flannel vxlan, with bridged pods: the router knows nothing of pods, nodes reach each other's through flannel.1.
"""

from __future__ import annotations

from . import addresses, netns, topology
from .addresses import FAMILIES, HOST_PREFIX, NODE_PREFIX
from .namespace import Namespace
from .topology import Node, Topology

OVERLAY_MTU = topology.UNDERLAY_MTU - 50  # outer IPv4, UDP, VXLAN and inner Ethernet headers
OVERLAY_DEVICE = "flannel.1"


class PodNetwork:
    """One of the three networks, for all nodes of a lab."""

    def __init__(self, place: Topology, bridged: bool, overlay: bool) -> None:
        self._topology = place
        self._bridged = bridged
        self.overlay = overlay
        self.mtu = OVERLAY_MTU if overlay else topology.UNDERLAY_MTU

    @property
    def uplinks(self) -> list[str]:
        return ["eth0", OVERLAY_DEVICE] if self.overlay else ["eth0"]

    def way_out_address(self, node: Node, family: int) -> str:
        """The address that this node has on its way to pods of other nodes."""
        return addresses.overlay(family, node.index) if self.overlay else node.addresses[family]

    def build(self) -> None:
        for node in self._topology.nodes:
            if self._bridged:
                netns.batch(node.namespace, self._bridge_lines(node))
            if self.overlay:
                self._build_overlay(node)
        if not self.overlay:
            netns.batch(self._topology.router.namespace, [
                f"route add {addresses.pod_cidr(family, node.index)} via {node.addresses[family]}"
                for node in self._topology.nodes for family in FAMILIES])

    def attach(self, pod: Namespace, node: Node, number: int) -> None:
        """Gives a new namespace its interface; number is the pod's among those of its node."""
        host_side = f"pod{number}"
        mac = f" address {addresses.routed_mac(number)}" if not self._bridged else ""
        netns.batch(node.namespace, [
            f"link add {host_side} mtu {self.mtu}{mac} type veth peer name eth0 mtu {self.mtu} netns {pod.namespace}"])
        if self._bridged:
            self._attach_bridged(pod, node, host_side)
        else:
            self._attach_routed(pod, node, host_side, number)

    def detach(self, node: Node, number: int) -> None:
        """Removes the interface at once; the kernel removes one that goes with its namespace some time later."""
        netns.batch(node.namespace, [f"link del pod{number}"])

    def _attach_routed(self, pod: Namespace, node: Node, host_side: str, number: int) -> None:
        node.sysctl({f"ipv4/conf/{host_side}/proxy_arp": 1, f"ipv6/conf/{host_side}/proxy_ndp": 1})
        lines = [f"link set {host_side} up", f"addr add {addresses.ROUTED_GATEWAY[6]}/64 dev {host_side} nodad"]
        lines += [f"route add {pod.addresses[family]}/{HOST_PREFIX[family]} dev {host_side}" for family in FAMILIES]
        netns.batch(node.namespace, lines)
        lines = ["link set eth0 up"]
        for family in FAMILIES:
            gateway = addresses.ROUTED_GATEWAY[family]
            lines += [f"addr add {pod.addresses[family]}/{HOST_PREFIX[family]} dev eth0 nodad",
                      f"neigh add {gateway} lladdr {addresses.routed_mac(number)} dev eth0 nud permanent"]
        lines += [f"route add {addresses.ROUTED_GATEWAY[4]} dev eth0 scope link"]
        lines += [f"route add default via {addresses.ROUTED_GATEWAY[family]} dev eth0" for family in FAMILIES]
        netns.batch(pod.namespace, lines)

    def _attach_bridged(self, pod: Namespace, node: Node, host_side: str) -> None:
        netns.batch(node.namespace, [f"link set {host_side} master cni0 up",
                                     f"link set {host_side} type bridge_slave hairpin on"])
        lines = ["link set eth0 up"]
        for family in FAMILIES:
            lines += [f"addr add {pod.addresses[family]}/{NODE_PREFIX[family]} dev eth0 nodad",
                      f"route add default via {addresses.pod_gateway(family, node.index)}"]
        netns.batch(pod.namespace, lines)

    def _bridge_lines(self, node: Node) -> list[str]:
        lines = [f"link add cni0 mtu {self.mtu} address {addresses.bridge_mac(node.index)} type bridge forward_delay 0",
                 "link set cni0 up"]
        return lines + [f"addr add {addresses.pod_gateway(family, node.index)}/{NODE_PREFIX[family]} dev cni0 nodad"
                        for family in FAMILIES]

    def _build_overlay(self, node: Node) -> None:
        """Programs a node like flanneld: for each other node a neighbour, a forwarding entry, a route to its pods."""
        device = OVERLAY_DEVICE
        lines = [f"link add {device} mtu {self.mtu} address {addresses.overlay_mac(node.index)} type vxlan id 1 "
                 f"dev eth0 local {node.addresses[4]} dstport 8472 nolearning", f"link set {device} up"]
        lines += [f"addr add {addresses.overlay(family, node.index)}/{HOST_PREFIX[family]} dev {device} nodad"
                  for family in FAMILIES]
        forwarding = []
        for other in self._topology.nodes:
            if other is node:
                continue
            mac = addresses.overlay_mac(other.index)
            forwarding.append(f"fdb append {mac} dev {device} dst {other.addresses[4]}")
            for family in FAMILIES:
                gateway = addresses.overlay(family, other.index)
                lines += [f"neigh add {gateway} lladdr {mac} dev {device} nud permanent",
                          f"route add {addresses.pod_cidr(family, other.index)} via {gateway} dev {device} onlink"]
        netns.batch(node.namespace, lines)
        netns.batch(node.namespace, forwarding, tool="bridge")
