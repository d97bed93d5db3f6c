# SPDX-License-Identifier: Apache-2.0
"""`weir explain` predicts what a connection gets, and changes nothing."""

from __future__ import annotations

from itertools import count

import pytest
from labs import FAMILIES, LOCAL, PROTOCOLS, REMOTE, service_of

from tests.lab import Lab
from tests.lab.namespace import Namespace

PORTS = count(20007)


def written(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def explain(lab: Lab, source: str, address: str, port: int, protocol: str) -> dict:
    return lab.agents[0].json("explain", source, f"{written(address, port)}/{protocol.lower()}")


def endpoint(one: dict | None) -> str | None:
    return one and written(one["address"], one["port"])


def asker_of(lab: Lab, source: str) -> Namespace:
    return lab.pod("visitor") if source == "pod" else lab.client


def connections(lab: Lab) -> set[tuple[str, str, str]]:
    """The connections that the node knows. Those of earlier tests may expire meanwhile."""
    return {(flow["protocol"], flow["client"], flow["frontend"]) for flow in lab.agents[0].flows()}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_a_connection_gets_what_was_foretold(lab: Lab, source: str, place: str, family: int, protocol: str) -> None:
    asker = asker_of(lab, source)
    address, port = lab.frontend(service_of(place, family), "LoadBalancer", family, protocol)
    client = asker.request(protocol, address, port).local.rpartition(":")[0].strip("[]")
    source_port = next(PORTS)
    known = connections(lab)
    foretold = explain(lab, written(client, source_port), address, port, protocol)
    assert connections(lab) <= known, "asking makes no flow"

    reply = asker.request(protocol, address, port, source_port=source_port)
    assert reply.ok
    rewritten = (source, place) == ("outside", REMOTE)
    assert foretold["verdict"] == ("forward" if rewritten else "deliver")
    assert foretold["service"].startswith(f"default/{service_of(place, family)}:")
    assert foretold["frontend"]["kind"] == "LoadBalancer"
    assert foretold["candidates"] == [foretold["backend"]]
    assert foretold["backend"]["port"] == int(reply.server.rpartition(":")[2])
    assert reply.client == (endpoint(foretold["snat"]) if rewritten else reply.local)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_a_flow_that_is_there_is_known(lab: Lab, source: str, place: str, family: int) -> None:
    address, port = lab.frontend(service_of(place, family), "LoadBalancer", family)
    with asker_of(lab, source).connect(address, port) as connection:
        (client,) = connection.local
        known = explain(lab, client, address, port, "TCP")
        assert known["reason"].startswith("known flow")
        (flow,) = (one for one in lab.agents[0].flows() if one["client"] == client)
        assert (endpoint(known["backend"]), endpoint(known["snat"])) == (flow["backend"], flow["snat"])


@pytest.mark.parametrize("family", FAMILIES)
def test_drops_are_explained_too(lab: Lab, family: int) -> None:
    address, port = lab.frontend(service_of(LOCAL, family), "ClusterIP", family)
    outside = "203.0.113.99" if family == 4 else "2001:db8:ffff::99"
    answer = lab.agents[0].json("explain", outside, written(address, port), "--via", "uplink")
    assert (answer["verdict"], answer["backend"], answer["candidates"]) == ("drop", None, [])
    assert "closed ClusterIP" in answer["reason"]
    inside = lab.agents[0].json("explain", outside, written(address, port + 1), "--via", "workload")
    assert inside["verdict"] == "reject"
