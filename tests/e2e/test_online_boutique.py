# SPDX-License-Identifier: Apache-2.0
"""A published application's manifests, unchanged: every port of every Service is reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, objects
from tests.lab.manifests import is_balanced
from tests.lab.nursery import ROOT

MANIFEST = ROOT.parent / "shared" / "manifests" / "online-boutique.yaml"

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"{MANIFEST.name} is not beside this repository")


@pytest.fixture(scope="module", params=["routed", "bridged"])
def boutique(request: pytest.FixtureRequest, weir_binary: Path) -> Iterator[Lab]:
    with Lab(binary=weir_binary, pods=request.param) as lab:
        lab.deploy(MANIFEST)
        lab.deploy([objects.pod(f"visitor-{node.name}", node.name) for node in lab.nodes])
        yield lab


def deployment_of(pod: str) -> str:
    return pod.rpartition("-")[0]


def test_every_service_port_is_reached_from_a_pod_of_each_node(boutique: Lab) -> None:
    reached = {}
    for node in boutique.nodes:
        for key, service in boutique.services.items():
            for frontend in boutique.frontends(key, "ClusterIP", 4, node):
                reply = boutique.pod(f"visitor-{node.name}").http_get(frontend.address, frontend.port)
                assert reply.error == "", f"{key} port {frontend.port} from {node.name}"
                reached[key, frontend.port] = deployment_of(reply.pod)
                assert service["spec"]["selector"]["app"] == reached[key, frontend.port]
    ports = {(key, port["port"]) for key, service in boutique.services.items() if is_balanced(service)
             for port in service["spec"]["ports"]}
    assert set(reached) == ports
    assert len(ports) >= 12


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_the_shop_is_open_to_the_outside(boutique: Lab, kind: str) -> None:
    nodes = boutique.nodes if kind == "NodePort" else boutique.nodes[:1]
    for node in nodes:
        address, port = boutique.frontend("frontend-external", kind, 4, node=node)
        replies = boutique.client.http_many(address, port, count=10)
        assert {(reply.error, deployment_of(reply.pod)) for reply in replies} == {("", "frontend")}
