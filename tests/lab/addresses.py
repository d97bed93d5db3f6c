# SPDX-License-Identifier: Apache-2.0
"""The address plan of a lab. Every lab uses the same one: labs cannot see each other.

Decimal numbers are written into IPv6 addresses as they are (pod 12 of node 1 is fd00:10:244:1::12), for readability.
"""

from __future__ import annotations

FAMILIES = (4, 6)

SERVICE_CIDRS = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
POD_CIDRS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}

NODE_PREFIX = {4: 24, 6: 64}
HOST_PREFIX = {4: 32, 6: 128}

CLIENT = {4: "203.0.113.2", 6: "2001:db8:203::2"}
CLIENT_GATEWAY = {4: "203.0.113.1", 6: "2001:db8:203::1"}
CLIENT_PREFIX = {4: 24, 6: 64}

# Addresses that a cloud's balancer would give to Services of type LoadBalancer.
LOAD_BALANCER_CIDRS = {4: "198.51.100.0/24", 6: "2001:db8:1b::/64"}

# Calico's gateway on every pod interface: the host answers for it, it is no address of any node.
ROUTED_GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}


def load_balancer(family: int, number: int) -> str:
    return f"198.51.100.{number}" if family == 4 else f"2001:db8:1b::{number}"


def node(family: int, index: int) -> str:
    return f"192.168.{index}.2" if family == 4 else f"fd00:192:168:{index}::2"


def node_gateway(family: int, index: int) -> str:
    return f"192.168.{index}.1" if family == 4 else f"fd00:192:168:{index}::1"


def pod(family: int, index: int, number: int) -> str:
    return f"10.244.{index}.{number}" if family == 4 else f"fd00:10:244:{index}::{number}"


def pod_cidr(family: int, index: int) -> str:
    return f"10.244.{index}.0/24" if family == 4 else f"fd00:10:244:{index}::/64"


def pod_gateway(family: int, index: int) -> str:
    """The address of a node's bridge."""
    return pod(family, index, 1)


def overlay(family: int, index: int) -> str:
    """flannel.1's address: flannel takes the pod subnet's first one. In IPv6 that is every router's anycast address, so
    the lab takes another one of the subnet, beyond all pods."""
    return f"10.244.{index}.0" if family == 4 else f"fd00:10:244:{index}::1:0"


def overlay_mac(index: int) -> str:
    return f"0e:00:00:00:01:{index:02x}"


def bridge_mac(index: int) -> str:
    """Fixed, because a bridge without one takes a port's, and changes it when that port goes."""
    return f"0e:00:00:00:02:{index:02x}"


def routed_mac(number: int) -> str:
    """The host side of a routed pod's interface: pods hold it as a permanent neighbour."""
    return f"0e:00:00:00:03:{number:02x}"


def endpoint(address: str, port: int) -> str:
    """address:port as weir and the lab's server write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
