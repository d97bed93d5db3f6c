# SPDX-License-Identifier: Apache-2.0
"""The worlds in which a behaviour must hold: labs by name, and the pods and Services of each when a file starts."""

from __future__ import annotations

from tests.lab import Lab, objects
from tests.lab.namespace import Namespace

# Each CNI's way of connecting pods with weir's defaults (on veth uplinks: tc alone), and each way for packets to meet
# weir: native and generic XDP before tc, clsact instead of tcx, strict reverse path filters.
KINDS: dict[str, dict] = {
    "routed": {"pods": "routed"},
    "bridged": {"pods": "bridged"},
    "overlay": {"pods": "bridged", "overlay": True},
    "strict-rp-filter": {"pods": "routed", "rp_filter": 1},
    "xdp-native": {"pods": "routed", "config": {"datapath": {"xdp": "native"}}},
    "xdp-native-overlay": {"pods": "bridged", "overlay": True, "config": {"datapath": {"xdp": "native"}}},
    "xdp-generic": {"pods": "routed", "config": {"datapath": {"xdp": "generic"}}},
    "xdp-off": {"pods": "routed", "config": {"datapath": {"xdp": "off"}}},
    "clsact": {"pods": "routed", "config": {"datapath": {"tc": "clsact"}}},
}

LOCAL, REMOTE = "local", "remote"
FAMILIES = (4, 6)
PROTOCOLS = ("TCP", "UDP")
SOURCES = ("pod to ClusterIP", "outside to NodePort")


def service_of(place: str, family: int) -> str:
    return f"{place}-v{family}"


def furnish(lab: Lab) -> None:
    """Deploys a client pod `visitor` on node1, and behind each Service one pod, on node1 (local) or node2 (remote)."""
    lab.deploy([
        objects.pod("visitor", "node1"),
        objects.deployment(LOCAL, node="node1"),
        objects.deployment(REMOTE, node="node2"),
        *(objects.service(service_of(place, family), place, family, kind="LoadBalancer")
          for place in (LOCAL, REMOTE) for family in FAMILIES)])


def way_in(lab: Lab, source: str, place: str, family: int) -> tuple[Namespace, str, int]:
    """One of SOURCES: the client, and the address and port that it uses for a Service of a furnished lab."""
    client, kind = (lab.pod("visitor"), "ClusterIP") if source.startswith("pod") else (lab.client, "NodePort")
    return client, *lab.frontend(service_of(place, family), kind, family)
