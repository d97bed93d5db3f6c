# SPDX-License-Identifier: Apache-2.0
"""The rules that choose a client's backend: traffic policies, source ranges, affinity, topology."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labs import FAMILIES, PROTOCOLS

from tests.lab import Lab, Reply, objects, wait_until
from tests.lab.namespace import Namespace

WORLDS = ["routed", "overlay", "xdp-native"]
MANY = 60

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")


@pytest.fixture
def deployed(lab: Lab) -> Iterator[callable]:
    """Deploys Services over both-a (two pods on node1) or both-b (one on node2), and takes everything away again."""
    names: list[str] = []

    def deploy(family: int, app: str, kind: str = "LoadBalancer", **spec: object) -> str:
        names.append(f"{app}-svc-v{family}")
        lab.deploy(objects.service(names[-1], app, family, kind=kind, **spec))
        return names[-1]

    lab.deploy([objects.deployment("both-a", replicas=2, node="node1"), objects.deployment("both-b", node="node2")])
    yield deploy
    for name in names:
        lab.delete("Service", name)
    for name in ("both-a", "both-b"):
        lab.delete("Deployment", name)


def pods(replies: list[Reply]) -> set[str]:
    assert [reply.error for reply in replies] == [""] * len(replies)
    return {reply.pod for reply in replies}


def ask(place: Namespace, protocol: str, where: tuple[str, int], count: int = MANY, timeout: float = 5) -> list[Reply]:
    many = place.http_many if protocol == "TCP" else place.udp_many
    return many(*where, count=count, timeout=timeout)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_external_policy_local_keeps_to_the_node_and_clusters_own_clients_do_not(lab: Lab, deployed: callable,
                                                                                family: int, protocol: str) -> None:
    name = deployed(family, app="both-b", externalTrafficPolicy="Local")
    here = lab.frontend(name, "NodePort", family, protocol, node=lab.node(1))
    there = lab.frontend(name, "NodePort", family, protocol, node=lab.node(2))
    replies = ask(lab.client, protocol, there, count=5)
    assert pods(replies) == {"both-b-1"}
    assert [reply.client for reply in replies] == [reply.local for reply in replies], "the client's address is kept"
    assert ask(lab.client, protocol, here, count=1, timeout=0.3)[0].error == "timeout", "node1 has no endpoint"
    assert pods(ask(lab.pod("visitor"), protocol, here, count=5)) == {"both-b-1"}, "the short-cut"


@pytest.mark.parametrize("family", FAMILIES)
def test_internal_policy_local_keeps_to_the_node(lab: Lab, deployed: callable, family: int) -> None:
    elsewhere = deployed(family, app="both-b", kind="ClusterIP", internalTrafficPolicy="Local")
    here = deployed(family, app="both-a", kind="ClusterIP", internalTrafficPolicy="Local")
    visitor = lab.pod("visitor")
    assert pods(ask(visitor, "TCP", lab.frontend(here, "ClusterIP", family))) == {"both-a-1", "both-a-2"}
    reply = visitor.http_get(*lab.frontend(elsewhere, "ClusterIP", family), timeout=0.3)
    assert reply.error == "timeout", "endpoints elsewhere only: dropped"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_source_ranges_close_the_load_balancer_address_to_others(lab: Lab, deployed: callable, family: int,
                                                                 protocol: str) -> None:
    client, visitor = lab.client, lab.pod("visitor")
    width = 32 if family == 4 else 128
    name = deployed(family, app="both-a", loadBalancerSourceRanges=[f"{client.addresses[family]}/{width}"])
    balancer = lab.frontend(name, "LoadBalancer", family, protocol)
    assert pods(ask(client, protocol, balancer)) == {"both-a-1", "both-a-2"}
    flows = len(lab.agents[0].flows())
    assert ask(visitor, protocol, balancer, count=1, timeout=0.3)[0].error == "timeout"
    assert len(lab.agents[0].flows()) <= flows, "nothing is remembered of who was refused"
    for place, kind in ((visitor, "ClusterIP"), (client, "NodePort")):
        assert pods(ask(place, protocol, lab.frontend(name, kind, family, protocol), count=5)), "not restricted"
    # The rule follows the Service.
    lab.deploy(objects.service(name, "both-a", family, kind="LoadBalancer",
                               loadBalancerSourceRanges=[f"{visitor.addresses[family]}/{width}"]))
    balancer = lab.frontend(name, "LoadBalancer", family, protocol)
    assert ask(client, protocol, balancer, count=1, timeout=0.3)[0].error == "timeout"
    assert pods(ask(visitor, protocol, balancer, count=3))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_affinity_keeps_a_client_with_its_backend(lab: Lab, source: str, family: int, protocol: str) -> None:
    place, kind = (lab.pod("visitor"), "ClusterIP") if source == "pod" else (lab.client, "NodePort")
    lab.deploy([objects.deployment("sticky", replicas=4),
                objects.service("sticky", "sticky", family, kind="LoadBalancer", sessionAffinity="ClientIP")])
    where = lab.frontend("sticky", kind, family, protocol)
    chosen = pods(ask(place, protocol, where))
    assert len(chosen) == 1
    other = lab.pod("local-1")
    if source == "pod":
        # Another client may have another one, and its choice is as lasting.
        assert len(pods(ask(other, protocol, where))) == 1
    # The backend goes: another one is chosen, and kept when the first comes back.
    leaver = lab.pod(next(iter(chosen)))
    lab.set_ready(leaver, False)
    if protocol == "UDP":
        wait_until(lambda: pods(ask(place, protocol, where, count=3)) != chosen, "flows leave it")
    second = pods(ask(place, protocol, where))
    assert len(second) == 1 and second != chosen
    lab.set_ready(leaver, True)
    assert pods(ask(place, protocol, where)) == second
    lab.delete("Service", "sticky")
    lab.delete("Deployment", "sticky")


def test_affinity_survives_a_restart_of_the_agent(lab: Lab) -> None:
    lab.deploy([objects.deployment("sticky", replicas=4),
                objects.service("sticky", "sticky", 4, sessionAffinity="ClientIP")])
    where = lab.frontend("sticky", "ClusterIP", 4)
    chosen = pods(ask(lab.pod("visitor"), "TCP", where, count=10))
    lab.agents[0].kill()
    lab.agents[0].start()
    assert pods(ask(lab.pod("visitor"), "TCP", where, count=10)) == chosen
    lab.delete("Service", "sticky")
    lab.delete("Deployment", "sticky")


@pytest.mark.parametrize("family", FAMILIES)
def test_without_restrictions_every_pod_takes_its_share(lab: Lab, family: int) -> None:
    lab.deploy([objects.deployment("free", replicas=3), objects.service("free", "free", family)])
    where = lab.frontend("free", "ClusterIP", family)
    assert pods(ask(lab.pod("visitor"), "TCP", where, count=100)) == {"free-1", "free-2", "free-3"}
    lab.delete("Service", "free")
    lab.delete("Deployment", "free")
