# SPDX-License-Identifier: Apache-2.0
"""Backends in the network of a node itself: reached from pods and from outside, on their own node and on the other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from labs import FAMILIES, PROTOCOLS

from tests.lab import Lab, Reply, wait_until
from tests.lab.pod import start_server

WORLDS = ["routed", "overlay", "xdp-native"]
PORT = 8099
COUNT = 3

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")


@pytest.fixture(autouse=True, scope="module")
def servers(lab: Lab) -> Iterator[None]:
    """A program on each node, and a Service without selector before each, in both families."""
    with ExitStack() as stack:
        for node in lab.nodes:
            pid, control = start_server(node, node.name, [PORT], [PORT])
            stack.callback(control.close)
            stack.callback(os.kill, pid, signal.SIGKILL)
            for family in FAMILIES:
                name = f"host-{node.name}-v{family}"
                ports = [{"name": protocol.lower(), "protocol": protocol} for protocol in PROTOCOLS]
                lab.deploy([
                    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                     "spec": {"type": "NodePort", "ipFamilies": [f"IPv{family}"],
                              "ports": [port | {"port": 80} for port in ports]}},
                    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                     "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
                     "addressType": f"IPv{family}",
                     "endpoints": [{"addresses": [node.addresses[family]], "nodeName": node.name}],
                     "ports": [port | {"port": PORT} for port in ports]}], wait=False)
        wait_until(lambda: all(len([one for one in agent.services() if "/host-" in one.service and one.cluster]) == 16
                               for agent in lab.agents), "all of them are served")
        yield


def replies(lab: Lab, source: str, name: str, family: int, protocol: str) -> list[Reply]:
    place, kind = (lab.pod("visitor"), "ClusterIP") if source == "pod" else (lab.client, "NodePort")
    address, port = lab.frontend(name, kind, family, protocol)
    many = place.http_many if protocol == "TCP" else place.udp_many
    return many(address, port, count=COUNT)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", ["node1", "node2"])
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_a_program_of_a_node_is_a_backend(lab: Lab, request: pytest.FixtureRequest, source: str, backend: str,
                                          family: int, protocol: str) -> None:
    """The visitor lives on node1, and outside clients come in there."""
    if protocol == "UDP" and source == "pod" and request.node.callspec.params["lab"] == "overlay":
        pytest.skip("a UDP server bound to every address answers pods from the bridge's, with any proxy")
    got = replies(lab, source, f"host-{backend}-v{family}", family, protocol)
    assert [(reply.error, reply.pod) for reply in got] == [("", backend)] * COUNT
    if source == "outside" and backend == "node1":
        assert [reply.client for reply in got] == [reply.local for reply in got], "a local backend sees its client"
