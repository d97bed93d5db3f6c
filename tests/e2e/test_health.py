# SPDX-License-Identifier: Apache-2.0
"""The health checks that load balancers, kubelets and autoscalers ask: healthCheckNodePort, /healthz and /livez."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from labs import FAMILIES

from tests.lab import Lab, objects, wait_until
from tests.lab.namespace import Fetched
from tests.lab.topology import Node

CHECK_PORT = 32700
HEALTHZ_PORT = 10256


def probe(lab: Lab, node: Node, port: int = CHECK_PORT, path: str = "/", family: int = 4, method: str = "GET") -> Fetched:
    """Asks from outside, where a load balancer stands."""
    return lab.client.fetch(node.addresses[family], port, path, method)


def balanced(name: str, app: str, port: int = CHECK_PORT) -> dict:
    return objects.service(name, app, kind="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port)


def wait_for_endpoints(lab: Lab, node: Node, count: int, service: str = "shop") -> None:
    """Waits until the node reports this count: it follows the maps at once or a moment later."""
    def says_so() -> bool:
        answer = probe(lab, node)
        return answer.status == (200 if count else 503) and answer.json() == {
            "service": {"namespace": "default", "name": service}, "localEndpoints": count, "serviceProxyHealthy": True}
    wait_until(says_so, lambda: f"{node.name} has {count} endpoints; it says {probe(lab, node)}")


@pytest.fixture
def shop(lab: Lab) -> Iterator[None]:
    """Two pods, both on node1, behind a Service of policy Local."""
    lab.deploy([objects.deployment("shop", replicas=2, node="node1"), balanced("shop", "shop")])
    yield
    lab.delete("Service", "shop")
    lab.delete("Deployment", "shop")


@pytest.mark.usefixtures("shop")
def test_the_load_balancer_learns_where_the_endpoints_are(lab: Lab) -> None:
    wait_for_endpoints(lab, lab.node(1), 2)
    wait_for_endpoints(lab, lab.node(2), 0)
    for family in FAMILIES:
        there = probe(lab, lab.node(1), family=family)
        assert there.status == 200
        assert there.headers["content-type"] == "application/json"
        assert there.headers["x-load-balancing-endpoint-weight"] == "2"
        assert there.headers["x-content-type-options"] == "nosniff"
        assert there.headers["content-length"] == str(len(there.body))
        elsewhere = probe(lab, lab.node(2), family=family)
        assert (elsewhere.status, elsewhere.headers["x-load-balancing-endpoint-weight"]) == (503, "0")
    assert probe(lab, lab.node(1), method="HEAD").status == 200
    assert probe(lab, lab.node(1), method="POST").status == 405


@pytest.mark.usefixtures("shop")
def test_the_count_follows_the_pods(lab: Lab) -> None:
    wait_for_endpoints(lab, lab.node(1), 2)
    lab.set_ready(lab.pod("shop-1"), False)
    wait_for_endpoints(lab, lab.node(1), 1)
    lab.set_terminating(lab.pod("shop-2"))
    wait_for_endpoints(lab, lab.node(1), 0)
    lab.set_ready(lab.pod("shop-1"), True)
    wait_for_endpoints(lab, lab.node(1), 1)
    lab.scale("shop", 0)
    wait_for_endpoints(lab, lab.node(1), 0)


def test_the_port_closes_with_its_service(lab: Lab) -> None:
    lab.deploy(balanced("passing", "local"))
    wait_for_endpoints(lab, lab.node(1), 1, "passing")
    lab.delete("Service", "passing")
    wait_until(lambda: probe(lab, lab.node(1)).error == "ECONNREFUSED", "the port is closed")


def test_a_port_that_another_program_has_is_reported_and_taken_when_it_is_free(lab: Lab) -> None:
    node, one = lab.node(1), lab.agents[0]
    address = node.addresses[4]
    squatter = node.exec("sh", "-c", f"python3 -m http.server {CHECK_PORT} --bind {address} >/dev/null 2>&1 & echo $!")
    try:
        wait_until(lambda: lab.client.fetch(address, CHECK_PORT).status, "the other program listens")
        lab.deploy(balanced("squatted", "local"))
        problem = wait_until(lambda: next((text for text in one.problems() if str(CHECK_PORT) in text), ""),
                             lambda: f"the port is reported; there are: {one.problems()}")
        assert "Service default/squatted" in problem and address in problem and "choose another" in problem
        assert probe(lab, node, family=6).status == 200
    finally:
        node.exec("kill", squatter.strip())
    wait_for_endpoints(lab, node, 1, "squatted")
    wait_until(lambda: one.problems() == [], "the report is withdrawn")
    lab.delete("Service", "squatted")


def test_the_node_is_healthy_while_it_is_to_stay(lab: Lab) -> None:
    node = lab.node(1)
    for family in FAMILIES:
        for path in ("/healthz", "/livez"):
            answer = probe(lab, node, HEALTHZ_PORT, path, family)
            assert answer.status == 200 and answer.json()["nodeEligible"] is True
            assert answer.json()["lastUpdated"] == answer.json()["currentTime"]
    assert probe(lab, node, HEALTHZ_PORT, "/").status == 404

    lab.set_leaving(node, True)
    wait_until(lambda: probe(lab, node, HEALTHZ_PORT, "/healthz").status == 503, "the node says that it is leaving")
    assert probe(lab, node, HEALTHZ_PORT, "/healthz").json()["nodeEligible"] is False
    assert probe(lab, node, HEALTHZ_PORT, "/livez").status == 200
    assert probe(lab, lab.node(2), HEALTHZ_PORT, "/healthz").status == 200

    lab.set_leaving(node, False)
    wait_until(lambda: probe(lab, node, HEALTHZ_PORT, "/healthz").status == 200, "the node stays after all")


@pytest.mark.usefixtures("shop")
def test_health_comes_back_with_the_agent(lab: Lab) -> None:
    node, one = lab.node(1), lab.agents[0]
    wait_for_endpoints(lab, node, 2)
    one.kill()
    assert probe(lab, node).error == "ECONNREFUSED"
    assert probe(lab, node, HEALTHZ_PORT, "/healthz").error == "ECONNREFUSED"
    one.start()
    wait_for_endpoints(lab, node, 2)
    assert probe(lab, node, HEALTHZ_PORT, "/healthz").status == 200


def test_containers_are_told_the_addresses_that_weir_serves(lab: Lab) -> None:
    lines = lab.agents[0].planned("env", "--namespace", "default").splitlines()
    address, port = lab.frontend("local-v6", "ClusterIP", 6)
    assert f"LOCAL_V6_SERVICE_HOST={address}" in lines
    assert f"LOCAL_V6_PORT=tcp://[{address}]:{port}" in lines
    listed = json.loads(lab.agents[0].planned("env", "--namespace", "default", "-o", "json"))
    assert [f"{one['name']}={one['value']}" for one in listed["env"]] == lines
