# SPDX-License-Identifier: Apache-2.0
"""Packets off the easy way: path MTU discovery through translation, and fragments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from labs import FAMILIES, LOCAL, REMOTE, service_of

from tests.lab import Lab, content
from tests.lab.namespace import Namespace

SIZE = 300_000
NARROW = 1400

WORLDS = ["routed", "overlay", "xdp-native", "clsact"]

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")


@contextmanager
def narrowed(place: Namespace, device: str) -> Iterator[None]:
    """Narrows only this end's device. The handshake does not show that to the peer, so ICMP errors have to."""
    wide = json.loads(place.exec("ip", "-j", "link", "show", device))[0]["mtu"]
    place.exec("ip", "link", "set", device, "mtu", str(NARROW))
    try:
        yield
    finally:
        place.exec("ip", "link", "set", device, "mtu", str(wide))


def forget_path_mtu(*everyone: Namespace) -> None:
    """Drops the path MTUs that one test learnt, so that they do not help the next."""
    for place in everyone:
        for family in ("-4", "-6"):
            place.exec("ip", family, "route", "flush", "cache", check=False)


def way(lab: Lab, source: str) -> tuple[Namespace, str]:
    return (lab.pod("visitor"), "ClusterIP") if source == "pod" else (lab.client, "NodePort")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_a_client_learns_of_a_narrow_way_to_the_backend(lab: Lab, source: str, place: str, family: int) -> None:
    """The last hop, to the pod, is narrow: its node's error names the translated packet."""
    client, kind = way(lab, source)
    pod = lab.pod(f"{place}-1")
    node = lab.node(1 if place == LOCAL else 2)
    address, port = lab.frontend(service_of(place, family), kind, family)
    device = json.loads(node.exec("ip", "-j", "route", "get", pod.addresses[family]))[0]["dev"]
    with narrowed(node, device):
        assert client.upload(address, port, SIZE) == {"bytes": SIZE, "sha256": content.digest(SIZE)}
    forget_path_mtu(client, pod, *lab.nodes)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
def test_a_backend_learns_of_a_narrow_way_to_the_client(lab: Lab, place: str, family: int) -> None:
    """The router's error goes to the frontend's address; it is about a reply."""
    address, port = lab.frontend(service_of(place, family), "NodePort", family)
    with narrowed(lab.router, lab.client.name):
        assert lab.client.download(address, port, SIZE) == {"bytes": SIZE, "sha256": content.digest(SIZE)}
    forget_path_mtu(lab.client, lab.pod(f"{place}-1"), *lab.nodes)


@pytest.mark.parametrize("size", [2000, 9000])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_datagrams_in_fragments_arrive_both_ways(lab: Lab, source: str, place: str, family: int, size: int) -> None:
    client, kind = way(lab, source)
    address, port = lab.frontend(service_of(place, family), kind, family, "UDP")
    # On an overlay the first one is answered by its narrower way; a connected socket reports that once.
    client.udp_request(address, port, data="x" * size)
    data = "".join(chr(ord("a") + i % 26) for i in range(size))
    for reply in client.udp_many(address, port, count=3, data=data):
        assert (reply.error, reply.pod, reply.data) == ("", f"{place}-1", data)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hop_limit_that_runs_out_at_the_node_is_answered(lab: Lab, family: int) -> None:
    """Traceroute works: the node answers with an error of its own."""
    before = lab.agents[0].verdicts()["answer_ttl"]
    address, port = lab.frontend(service_of(REMOTE, family), "NodePort", family, "UDP")
    reply = lab.client.worker.call("udp_hops", address=address, port=port, hops=2, timeout=5.0)
    assert reply["error"] == "EHOSTUNREACH"
    assert lab.agents[0].verdicts()["answer_ttl"] > before
