# SPDX-License-Identifier: Apache-2.0
"""Backends leave and come: established TCP goes on, new connections avoid removed backends, UDP moves at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from labs import FAMILIES

from tests.lab import Lab, Reply, objects, wait_until
from tests.lab.namespace import Namespace
from tests.lab.pod import Pod

ENOUGH = 100  # new connections: one of three backends is never missed by all of them but by a fault


@pytest.fixture(autouse=True)
def app(lab: Lab) -> Iterator[None]:
    """Three pods on two nodes behind app-v4 and app-v6."""
    lab.deploy([objects.deployment("app", replicas=3),
                *(objects.service(f"app-v{family}", "app", family, kind="NodePort") for family in FAMILIES)])
    yield
    for family in FAMILIES:
        lab.delete("Service", f"app-v{family}")
    lab.delete("Deployment", "app")


@pytest.fixture(params=[f"{source} v{family}" for source in ("pod", "outside") for family in FAMILIES])
def way(request: pytest.FixtureRequest, lab: Lab, app: None) -> tuple[Namespace, int]:
    """The client, and the family that it uses."""
    source, family = request.param.split(" v")
    return (lab.pod("visitor") if source == "pod" else lab.client), int(family)


def target(lab: Lab, way: tuple[Namespace, int], protocol: str = "TCP") -> tuple[str, int]:
    place, family = way
    return lab.frontend(f"app-v{family}", "NodePort" if place is lab.client else "ClusterIP", family, protocol)


def pods_of(replies: list[Reply]) -> list[str]:
    assert [reply.error for reply in replies] == [""] * len(replies)
    return [reply.pod for reply in replies]


def not_ready(lab: Lab, pod: Pod) -> None:
    lab.set_ready(pod, False)


def terminating(lab: Lab, pod: Pod) -> None:
    lab.set_terminating(pod)


def object_gone(lab: Lab, pod: Pod) -> None:
    lab.forget(pod)


@pytest.mark.parametrize("leave", [not_ready, terminating, object_gone])
def test_established_connections_outlive_their_backends_membership(
        lab: Lab, way: tuple[Namespace, int], leave: Callable[[Lab, Pod], None]) -> None:
    place, _ = way
    address, port = target(lab, way)
    leaver = lab.pod("app-2")
    with place.connect(address, port, count=30) as connections:
        before = pods_of(connections.ask_all())
        assert "app-2" in before
        leave(lab, leaver)
        assert pods_of(connections.ask_all()) == before
        assert set(pods_of(place.http_many(address, port, count=ENOUGH))) == {"app-1", "app-3"}
        assert pods_of(connections.ask_all()) == before
    if leave is object_gone:
        lab.stop(leaver)


def test_connections_outlive_a_change_of_the_selector(lab: Lab, way: tuple[Namespace, int]) -> None:
    place, family = way
    address, port = target(lab, way)
    lab.deploy(objects.deployment("next"))
    with place.connect(address, port, count=10) as connections:
        before = pods_of(connections.ask_all())
        lab.deploy(objects.service(f"app-v{family}", "next", family, kind="NodePort"))
        moved = target(lab, way)
        assert set(pods_of(place.http_many(*moved, count=10))) == {"next-1"}
        assert pods_of(connections.ask_all()) == before
    lab.delete("Deployment", "next")


def test_a_backend_that_comes_back_is_chosen_again(lab: Lab, way: tuple[Namespace, int]) -> None:
    place, _ = way
    address, port = target(lab, way)
    lab.set_ready(lab.pod("app-1"), False)
    lab.set_ready(lab.pod("app-1"), True)
    assert set(pods_of(place.http_many(address, port, count=ENOUGH))) == {"app-1", "app-2", "app-3"}


def test_a_new_backend_takes_its_share_and_moves_no_connection(lab: Lab, way: tuple[Namespace, int]) -> None:
    place, _ = way
    address, port = target(lab, way)
    with place.connect(address, port, count=30) as connections:
        before = pods_of(connections.ask_all())
        lab.scale("app", 4)
        assert pods_of(connections.ask_all()) == before
        assert "app-4" in pods_of(place.http_many(address, port, count=ENOUGH))


def test_udp_flows_leave_a_removed_backend_at_once(lab: Lab, way: tuple[Namespace, int]) -> None:
    place, _ = way
    address, port = target(lab, way, "UDP")
    ports = range(20000, 20030)
    first = pods_of(place.udp_many(address, port, source_ports=ports))
    # Twice, so that the flows are established.
    assert pods_of(place.udp_many(address, port, source_ports=ports)) == first
    assert "app-3" in first
    lab.set_ready(lab.pod("app-3"), False)
    # The maps are right by now; the agent has asked for the sweep that drops the old flows.
    wait_until(lambda: "app-3" not in pods_of(place.udp_many(address, port, source_ports=ports)), "UDP flows move")
    after = pods_of(place.udp_many(address, port, source_ports=ports))
    assert [pod for pod, old in zip(after, first) if old != "app-3"] == [old for old in first if old != "app-3"]


def test_without_backends_a_service_refuses_and_with_one_it_serves(lab: Lab, way: tuple[Namespace, int]) -> None:
    place, _ = way
    tcp, udp = target(lab, way), target(lab, way, "UDP")
    lab.scale("app", 0)
    assert place.http_get(*tcp).error == "ECONNREFUSED"
    assert place.udp_request(*udp, source_port=20100).error in ("ECONNREFUSED", "EHOSTUNREACH")
    lab.scale("app", 1)
    assert place.http_get(*tcp).pod == "app-1"
    assert place.udp_request(*udp, source_port=20100).pod == "app-1"


def test_a_deleted_service_takes_no_new_connections(lab: Lab) -> None:
    visitor = lab.pod("visitor")
    lab.deploy(objects.service("passing", "app"))
    address, port = lab.frontend("passing", "ClusterIP", 4)
    with visitor.connect(address, port) as connection:
        pod = connection.ask().pod
        lab.delete("Service", "passing")
        assert connection.ask().pod == pod
        assert not visitor.http_get(address, port, timeout=0.5).ok
