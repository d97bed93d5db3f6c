# SPDX-License-Identifier: Apache-2.0
"""Every way in works, in every world: from a pod and from outside, to each kind of frontend, the backend here or on
another node. Replies come back from the frontend's address (sockets are connected: others would not be accepted)."""

from __future__ import annotations

import itertools

import pytest
from labs import FAMILIES, KINDS, LOCAL, PROTOCOLS, REMOTE, service_of

from tests.lab import Lab, Reply, wait_until

REQUESTS = 3
SOURCE_PORTS = itertools.count(10000)

pytestmark = pytest.mark.parametrize("lab", KINDS, indirect=True, scope="module")


def send(lab: Lab, source: str, protocol: str, address: str, port: int, count: int = REQUESTS) -> list[Reply]:
    place = lab.client if source == "outside" else lab.pod("visitor")
    many = place.http_many if protocol == "TCP" else place.udp_many
    # No port twice: one that reached the same backend through another frontend a moment ago is not free there, and the
    # pod would see another.
    return many(address, port, source_ports=itertools.islice(SOURCE_PORTS, count))


def assert_from(replies: list[Reply], pod: str) -> None:
    assert [(reply.error, reply.pod) for reply in replies] == [("", pod)] * len(replies)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_a_pod_is_served_and_seen_as_itself(lab: Lab, kind: str, place: str, family: int, protocol: str) -> None:
    address, port = lab.frontend(service_of(place, family), kind, family, protocol)
    replies = send(lab, "pod", protocol, address, port)
    assert_from(replies, f"{place}-1")
    assert [reply.client for reply in replies] == [reply.local for reply in replies]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_an_outside_client_is_seen_as_itself_by_a_pod_of_the_node(lab: Lab, kind: str, family: int,
                                                                 protocol: str) -> None:
    address, port = lab.frontend(service_of(LOCAL, family), kind, family, protocol)
    replies = send(lab, "outside", protocol, address, port)
    assert_from(replies, "local-1")
    assert [reply.client for reply in replies] == [reply.local for reply in replies]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_an_outside_client_is_seen_as_the_node_by_a_pod_of_another_node(lab: Lab, kind: str, family: int,
                                                                       protocol: str) -> None:
    address, port = lab.frontend(service_of(REMOTE, family), kind, family, protocol)
    replies = send(lab, "outside", protocol, address, port)
    assert_from(replies, "remote-1")
    assert {reply.client_address for reply in replies} == {lab.source_at_backend(lab.node(1), family)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
def test_a_pod_is_served_through_the_node_port_of_another_node(lab: Lab, place: str, family: int,
                                                               protocol: str) -> None:
    address, port = lab.frontend(service_of(place, family), "NodePort", family, protocol, node=lab.node(2))
    assert_from(send(lab, "pod", protocol, address, port), f"{place}-1")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_cluster_address_is_closed_to_the_outside_and_that_is_counted(lab: Lab, family: int, protocol: str) -> None:
    def closed() -> int:
        return lab.agents[0].verdicts()["drop_closed_frontend"]

    address, port = lab.frontend(service_of(LOCAL, family), "ClusterIP", family, protocol)
    before = closed()
    reply = lab.client.request(protocol, address, port, timeout=0.3)
    assert not reply.ok
    wait_until(lambda: closed() > before, "the drop is counted")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pod_reaches_itself_through_its_service(lab: Lab, family: int) -> None:
    address, port = lab.frontend(service_of(LOCAL, family), "ClusterIP", family)
    replies = lab.pod("local-1").http_many(address, port, count=REQUESTS)
    assert_from(replies, "local-1")


def test_xdp_is_there_where_it_is_asked_for_and_nowhere_else(lab: Lab, request: pytest.FixtureRequest) -> None:
    config = KINDS[request.node.callspec.params["lab"]].get("config", {}).get("datapath", {})
    # `auto` leaves veths to tc: their far end drops what XDP sends unless it runs NAPI, which the agent cannot see.
    wanted = config.get("xdp", "off")
    for one in lab.agents:
        interfaces = one.interfaces()
        assert interfaces["eth0"]["xdp"] == wanted
        assert {entry["xdp"] for name, entry in interfaces.items() if name != "eth0"} <= {"off"}
        if "tc" in config:
            assert {entry["tc"] for entry in interfaces.values()} == {config["tc"]}
