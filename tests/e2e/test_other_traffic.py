# SPDX-License-Identifier: Apache-2.0
"""weir leaves traffic alone that is not for a Service: it works as without weir, and gets no verdict but `pass`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import FAMILIES, PROTOCOLS, furnish

from tests.lab import Lab, objects
from tests.lab.pod import start_server

SSH = 22
NO_NODE_PORT = 40000
WORLDS = {"without weir": {"weir": False}, "routed": {}, "bridged": {"pods": "bridged"},
          "overlay": {"pods": "bridged", "overlay": True}, "xdp-native": {"config": {"datapath": {"xdp": "native"}}},
          "xdp-generic": {"config": {"datapath": {"xdp": "generic"}}}}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, weir_binary: Path) -> Iterator[Lab]:
    """A furnished lab whose nodes answer on TCP port 22."""
    with Lab(binary=weir_binary, **WORLDS[request.param]) as lab:
        furnish(lab)
        servers = [start_server(node, node.name, [SSH], []) for node in lab.nodes]
        yield lab
        for _, control in servers:
            control.close()


@pytest.fixture(autouse=True)
def untouched(world: Lab) -> Iterator[None]:
    """Checks around each test that weir translated, refused and dropped nothing, and made no flow."""
    def touched() -> list[dict[str, int]]:
        return [{name: count for name, count in one.verdicts().items() if not name.startswith("pass")}
                for one in world.agents]

    before = touched()
    yield
    assert touched() == before
    assert [one.flows() for one in world.agents] == [[]] * len(world.agents)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("target", ["local-1", "remote-1"])
def test_pod_to_pod(world: Lab, target: str, protocol: str, family: int) -> None:
    reply = world.pod("visitor").request(protocol, world.pod(target).addresses[family], objects.CONTAINER_PORT)
    assert (reply.error, reply.pod, reply.client) == ("", target, reply.local)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_connection_between_pods(world: Lab, family: int) -> None:
    size = 16 << 20
    got = world.pod("visitor").download(world.pod("remote-1").addresses[family], objects.CONTAINER_PORT, size)
    assert got["bytes"] == size


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("node", [1, 2])
def test_tcp_to_a_node(world: Lab, node: int, family: int) -> None:
    for source in (world.client, world.node(3 - node), world.pod("visitor")):
        reply = source.http_get(world.node(node).addresses[family], SSH)
        assert (reply.error, reply.pod, reply.client) == ("", f"node{node}", reply.local)


@pytest.mark.parametrize("family", FAMILIES)
def test_pings(world: Lab, family: int) -> None:
    for source in (world.client, world.pod("visitor"), world.node(1)):
        assert source.ping(world.node(2).addresses[family]) == ""
    assert world.pod("visitor").ping(world.pod("remote-1").addresses[family]) == ""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_node_refuses_a_port_that_is_no_node_port(world: Lab, protocol: str, family: int) -> None:
    reply = world.client.request(protocol, world.node(1).addresses[family], NO_NODE_PORT)
    assert reply.error == "ECONNREFUSED"


@pytest.mark.parametrize("family", FAMILIES)
def test_datagrams_in_fragments_between_pods(world: Lab, family: int) -> None:
    data = "weir" * 1000
    reply = world.pod("visitor").udp_request(world.pod("remote-1").addresses[family], objects.CONTAINER_PORT, data)
    assert (reply.error, reply.data) == ("", data)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pod_reaches_the_outside(world: Lab, family: int) -> None:
    if world.network.overlay:
        pytest.skip("an overlay's pods reach the outside by masquerading, which is the CNI's part and not in the lab")
    assert world.pod("visitor").ping(world.router.addresses[family]) == ""
