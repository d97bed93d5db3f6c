# SPDX-License-Identifier: Apache-2.0
"""Packets that a frontend's address does not serve: weir refuses them at once where kube-proxy does, and drops them
where it does. The address itself answers ping as a host does."""

from __future__ import annotations

import pytest
from labs import FAMILIES, LOCAL, service_of

from tests.lab import Lab, Reply, addresses, objects, wait_until
from tests.lab.namespace import Namespace

WORLDS = ["routed", "bridged", "xdp-native"]
REFUSED = "ECONNREFUSED"

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")


def places(lab: Lab) -> dict[str, tuple[Namespace, str]]:
    """The clients, and the kind of frontend that is open to each."""
    return {"pod": (lab.pod("visitor"), "ClusterIP"), "outside": (lab.client, "LoadBalancer")}


def ask(place: Namespace, protocol: str, address: str, port: int, timeout: float = 5) -> Reply:
    return place.request(protocol, address, port, timeout=timeout)


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_a_service_without_endpoints_refuses(lab: Lab, source: str, family: int, protocol: str) -> None:
    place, kind = places(lab)[source]
    name = f"empty-v{family}"
    lab.deploy(objects.service(name, "nobody", family, kind="LoadBalancer"))
    address, port = lab.frontend(name, kind, family, protocol)
    assert ask(place, protocol, address, port).error == REFUSED
    lab.delete("Service", name)


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_an_unused_port_is_refused(lab: Lab, source: str, family: int, protocol: str) -> None:
    place, kind = places(lab)[source]
    address, _ = lab.frontend(service_of(LOCAL, family), kind, family)
    assert ask(place, protocol, address, 81).error == REFUSED


@pytest.mark.parametrize("size", [1, 1200])
@pytest.mark.parametrize("family", FAMILIES)
def test_udp_of_any_size_is_refused_with_a_right_checksum(lab: Lab, family: int, size: int) -> None:
    """A pod leaves checksums to its device, so weir must complete the checksum of the packet that its answer quotes."""
    address, _ = lab.frontend(service_of(LOCAL, family), "ClusterIP", family)
    assert lab.pod("visitor").udp_request(address, 81, data="x" * size).error == REFUSED


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", ["pod", "outside"])
def test_an_address_answers_ping(lab: Lab, source: str, family: int) -> None:
    place, kind = places(lab)[source]
    address, _ = lab.frontend(service_of(LOCAL, family), kind, family)
    assert place.ping(address) == ""
    assert place.ping(address, payload=1000) == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cluster_address_is_no_host_to_the_outside(lab: Lab, family: int) -> None:
    address, _ = lab.frontend(service_of(LOCAL, family), "ClusterIP", family)
    assert lab.client.ping(address, timeout=0.3) == "timeout"
    assert lab.client.http_get(address, 81, timeout=0.3).error == "timeout"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unallocated_address_of_the_service_range_is_dropped(lab: Lab, family: int) -> None:
    address = addresses.SERVICE_CIDRS[family].partition("/")[0] + ("fffe" if family == 6 else "")
    address = address if family == 6 else address.rsplit(".", 1)[0] + ".254"

    def dropped() -> dict[str, int]:
        return {hook: verdicts["drop_service_range"] for hook, verdicts in lab.agents[0].verdicts_by_hook().items()}

    before = dropped()
    assert lab.pod("visitor").http_get(address, 80, timeout=0.3).error == "timeout"
    wait_until(lambda: dropped()["tc_ingress_workload"] > before["tc_ingress_workload"], "the drop is counted")
    after = dropped()
    assert {hook for hook in after if after[hook] != before[hook]} == {"tc_ingress_workload"}
    assert lab.agents[0].verdicts()["drop_service_range"] == sum(after.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_node_keeps_its_own_ports_and_pings(lab: Lab, family: int) -> None:
    """A node's addresses have frontends (NodePorts), but the node goes on serving its other ports on them."""
    address = lab.node(1).addresses[family]
    before = lab.agents[0].verdicts()["reject_no_port"]
    assert lab.client.ping(address) == ""
    assert lab.client.http_get(address, 81).error == REFUSED
    assert lab.agents[0].verdicts()["reject_no_port"] == before, "it was the node that refused"
