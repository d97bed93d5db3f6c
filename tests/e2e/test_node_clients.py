# SPDX-License-Identifier: Apache-2.0
"""Processes on a node reach Services through the socket hooks: every kind of frontend, loopback for NodePorts, both
families, TCP and UDP. The kernel names the frontend as their peer. The hooks leave pods to the packet path."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from labs import FAMILIES, LOCAL, PROTOCOLS, REMOTE, service_of

from tests.lab import Lab, addresses, objects, wait_until
from tests.lab.namespace import Namespace

KINDS = ("ClusterIP", "NodePort", "NodePort on loopback", "LoadBalancer", "ExternalIP")
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
EXTERNAL = {(LOCAL, 4): "198.51.100.201", (REMOTE, 4): "198.51.100.202",
            (LOCAL, 6): "2001:db8:1b::201", (REMOTE, 6): "2001:db8:1b::202"}
ENOUGH = 40  # new connections: one of three backends is never missed by all of them but by a fault
AT_ONCE = 1.0

pytestmark = pytest.mark.parametrize("lab", ["routed", "overlay"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def node(lab: Lab) -> Namespace:
    lab.deploy([objects.service(f"outer-{service_of(place, family)}", place, family, externalIPs=[address])
                for (place, family), address in EXTERNAL.items()])
    return lab.node(1)


@contextlib.contextmanager
def service(lab: Lab, name: str, *args: object, **spec: object) -> Iterator[None]:
    lab.deploy(objects.service(name, *args, **spec))
    try:
        yield
    finally:
        lab.delete("Service", name)


@pytest.fixture
def app(lab: Lab) -> Iterator[None]:
    """Three pods on two nodes behind app-v4 and app-v6."""
    lab.deploy([objects.deployment("app", replicas=3),
                *(objects.service(f"app-v{family}", "app", family, kind="LoadBalancer") for family in FAMILIES)])
    yield
    for family in FAMILIES:
        lab.delete("Service", f"app-v{family}")
    lab.delete("Deployment", "app")


def target(lab: Lab, kind: str, place: str, family: int, protocol: str) -> tuple[str, int]:
    service = service_of(place, family)
    if kind == "NodePort on loopback":
        return LOOPBACK[family], lab.frontend(service, "NodePort", family, protocol)[1]
    return lab.frontend(f"outer-{service}" if kind == "ExternalIP" else service, kind, family, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_on_the_node_is_served(lab: Lab, node: Namespace, kind: str, place: str, family: int,
                                         protocol: str) -> None:
    address, port = target(lab, kind, place, family, protocol)
    reply = node.request(protocol, address, port)
    assert (reply.error, reply.pod) == ("", f"{place}-1")
    assert reply.client == reply.local  # nothing translates the source: the kernel chose it for the backend
    assert reply.client_address not in LOOPBACK.values()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_its_peer_is_the_frontend(lab: Lab, node: Namespace, kind: str, family: int) -> None:
    address, port = target(lab, kind, REMOTE, family, "TCP")
    with node.connect(address, port) as connection:
        assert connection.peer == [addresses.endpoint(address, port)]
        assert connection.ask().pod == "remote-1"
    address, port = target(lab, kind, REMOTE, family, "UDP")
    with node.udp_connect(address, port) as socket:
        assert socket.peer == addresses.endpoint(address, port)
        reply = socket.ask()
        assert (reply.pod, reply.source) == ("remote-1", addresses.endpoint(address, port))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_answers_to_a_socket_that_is_not_connected_come_from_the_frontend(lab: Lab, node: Namespace, kind: str,
                                                                         family: int) -> None:
    with node.udp_socket(family) as socket:
        for place in (LOCAL, REMOTE, LOCAL):
            address, port = target(lab, kind, place, family, "UDP")
            reply = socket.ask(address, port)
            assert (reply.error, reply.pod, reply.source) == ("", f"{place}-1", addresses.endpoint(address, port))


@pytest.mark.parametrize("kind", KINDS)
def test_an_ipv6_socket_may_speak_ipv4(lab: Lab, node: Namespace, kind: str) -> None:
    def mapped(protocol: str) -> tuple[str, int]:
        address, port = target(lab, kind, REMOTE, 4, protocol)
        return f"::ffff:{address}", port

    with node.connect(*mapped("TCP")) as connection:
        assert connection.peer == [addresses.endpoint(*mapped("TCP"))]
        assert connection.ask().pod == "remote-1"
    with node.udp_connect(*mapped("UDP")) as socket:
        assert socket.peer == addresses.endpoint(*mapped("UDP"))
        assert socket.ask().source == addresses.endpoint(*mapped("UDP"))
    with node.udp_socket(6) as socket:
        assert socket.ask(*mapped("UDP")).source == addresses.endpoint(*mapped("UDP"))


def test_the_unspecified_address_is_the_node(lab: Lab, node: Namespace) -> None:
    for family, address in ((4, "0.0.0.0"), (6, "::")):
        _, port = lab.frontend(service_of(REMOTE, family), "NodePort", family)
        assert node.http_get(address, port).pod == "remote-1"


def test_connections_are_spread(lab: Lab, node: Namespace, app: None) -> None:
    for protocol in PROTOCOLS:
        many = node.http_many if protocol == "TCP" else node.udp_many
        replies = many(*lab.frontend("app-v4", "ClusterIP", 4, protocol), count=ENOUGH)
        assert {reply.pod for reply in replies} == {"app-1", "app-2", "app-3"}


def test_datagrams_of_one_socket_keep_their_backend(lab: Lab, node: Namespace, app: None) -> None:
    address, port = lab.frontend("app-v4", "ClusterIP", 4, "UDP")
    sockets = [node.udp_socket() for _ in range(ENOUGH)]
    first = [socket.ask(address, port).pod for socket in sockets]
    assert set(first) == {"app-1", "app-2", "app-3"}
    lab.scale("app", 4)
    assert [socket.ask(address, port).pod for socket in sockets] == first
    lab.set_ready(lab.pod("app-1"), False)
    after = [socket.ask(address, port).pod for socket in sockets]
    assert "app-1" not in after
    assert [pod for pod, old in zip(after, first) if old != "app-1"] == [old for old in first if old != "app-1"]
    for socket in sockets:
        socket.close()
    lab.set_ready(lab.pod("app-1"), True)


def test_affinity_holds_for_the_node(lab: Lab, node: Namespace, app: None) -> None:
    with service(lab, "faithful", "app", kind="NodePort", sessionAffinity="ClientIP"):
        frontends = [lab.frontend("faithful", kind, 4) for kind in ("ClusterIP", "NodePort")]
        replies = [reply for frontend in frontends for reply in node.http_many(*frontend, count=ENOUGH)]
        assert len({reply.pod for reply in replies}) == 1


# --- refusals come at once


def refused(node: Namespace, protocol: str, address: str, port: int) -> str:
    begin = time.monotonic()
    error = node.request(protocol, address, port).error
    assert time.monotonic() - begin < AT_ONCE
    return error


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_service_without_endpoints_refuses(lab: Lab, node: Namespace, family: int, protocol: str) -> None:
    with service(lab, "empty", "nobody", family, kind="LoadBalancer"):
        for kind in ("ClusterIP", "NodePort", "LoadBalancer"):
            address, port = lab.frontend("empty", kind, family, protocol)
            assert refused(node, protocol, address, port) == "ECONNREFUSED"
            if kind == "NodePort":
                assert refused(node, protocol, LOOPBACK[family], port) == "ECONNREFUSED"
            if protocol == "UDP":
                with node.udp_socket(family) as socket:
                    assert socket.ask(address, port).error == "ECONNREFUSED"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unused_port_refuses_and_an_unused_address_is_unreachable(lab: Lab, node: Namespace, family: int) -> None:
    address, port = lab.frontend(service_of(LOCAL, family), "ClusterIP", family)
    assert refused(node, "TCP", address, port + 1) == "ECONNREFUSED"
    unused = {4: "10.96.77.77", 6: "fd00:10:96::7777"}[family]
    assert refused(node, "TCP", unused, port) == "EHOSTUNREACH"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_local_policy_without_a_local_backend_is_unreachable(lab: Lab, node: Namespace, protocol: str) -> None:
    with service(lab, "near", REMOTE, internalTrafficPolicy="Local"):
        assert refused(node, protocol, *lab.frontend("near", "ClusterIP", 4, protocol)) == "EHOSTUNREACH"


@pytest.mark.parametrize("family", FAMILIES)
def test_source_ranges_hold_for_the_node(lab: Lab, node: Namespace, family: int) -> None:
    own = f"{node.addresses[family]}/{addresses.HOST_PREFIX[family]}"
    foreign = {4: "203.0.113.0/24", 6: "2001:db8:203::/64"}[family]
    for name, ranges, error in (("open", [own, foreign], ""), ("shut", [foreign], "EPERM")):
        with service(lab, name, LOCAL, family, kind="LoadBalancer", loadBalancerSourceRanges=ranges):
            assert refused(node, "TCP", *lab.frontend(name, "LoadBalancer", family)) == error
            for kind in ("ClusterIP", "NodePort"):
                assert node.http_get(*lab.frontend(name, kind, family)).ok


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_from_a_loopback_address_no_backend_is_reached(lab: Lab, node: Namespace, family: int, protocol: str) -> None:
    _, port = lab.frontend(service_of(LOCAL, family), "NodePort", family, protocol)
    script = f"""import errno, socket
kind = socket.SOCK_STREAM if "{protocol}" == "TCP" else socket.SOCK_DGRAM
with socket.socket(socket.AF_INET6 if {family} == 6 else socket.AF_INET, kind) as client:
    client.settimeout(3)
    client.bind(("{LOOPBACK[family]}", 0))
    try:
        client.connect(("{LOOPBACK[family]}", {port}))
        print("connected")
    except OSError as error:
        print(errno.errorcode.get(error.errno, error))
"""
    assert node.exec("/usr/bin/python3", "-c", script).strip() == "EINVAL"


# --- sockets that the hooks leave alone


def test_pods_are_left_to_the_packet_path(lab: Lab, node: Namespace) -> None:
    """They are in the same cgroup (as all processes are below the root), but in network namespaces of their own."""
    frontend = lab.frontend(service_of(REMOTE, 4), "ClusterIP", 4)

    def flows_from(client: str) -> list[dict]:
        return [flow for flow in lab.agents[0].flows() if client in str(flow["client"])]

    visitor = lab.pod("visitor")
    with visitor.connect(*frontend) as ours, node.connect(*frontend) as theirs:
        assert ours.ask().pod == theirs.ask().pod == "remote-1"
        assert flows_from(ours.local[0])
        assert not flows_from(theirs.local[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_other_addresses_are_not_touched(lab: Lab, node: Namespace, family: int) -> None:
    pod = lab.pod("remote-1").addresses[family]
    with node.connect(pod, objects.CONTAINER_PORT) as connection:
        assert connection.peer == [addresses.endpoint(pod, objects.CONTAINER_PORT)]
        assert connection.ask().pod == "remote-1"
    with node.udp_socket(family) as socket:
        assert socket.ask(pod, objects.CONTAINER_PORT).source == addresses.endpoint(pod, objects.CONTAINER_PORT)


def test_loopback_belongs_to_node_ports_alone(lab: Lab, node: Namespace) -> None:
    """An ExternalIP that is the node's own address takes a port of that address, not of 127.0.0.1."""
    with service(lab, "own", LOCAL, externalIPs=[node.addresses[4]]):
        assert node.http_get(node.addresses[4], objects.SERVICE_PORT).pod == "local-1"
        assert node.http_get("127.0.0.1", objects.SERVICE_PORT).error == "ECONNREFUSED"


# --- UDP and backends that leave


@pytest.mark.parametrize("family", FAMILIES)
def test_a_socket_connected_to_a_removed_backend_is_aborted(lab: Lab, node: Namespace, app: None, family: int) -> None:
    address, port = lab.frontend(f"app-v{family}", "ClusterIP", family, "UDP")
    leaver = lab.pod("app-2")
    direct = node.udp_connect(leaver.addresses[family], objects.CONTAINER_PORT)
    sockets = [node.udp_connect(address, port) for _ in range(ENOUGH)]
    if family == 4:
        sockets += [node.udp_connect(f"::ffff:{address}", port) for _ in range(ENOUGH)]
    before = [socket.ask().pod for socket in sockets]
    assert "app-2" in before
    lab.set_ready(leaver, False)
    wait_until(lambda: "aborted" in lab.agents[0].log(), "sockets are aborted")
    for socket, pod in zip(sockets, before):
        if pod == "app-2":
            assert socket.wait().error == "ECONNABORTED"
            assert socket.ask().error == "EDESTADDRREQ"  # the socket has no peer any more
        else:
            assert socket.ask().pod == pod
        socket.close()
    assert direct.ask().pod == "app-2"  # weir did not connect that one
    direct.close()
    again = [reply.pod for reply in node.udp_many(address, port, count=ENOUGH)]
    assert set(again) == {"app-1", "app-3"}
    lab.set_ready(leaver, True)


def test_backends_removed_while_no_agent_runs_are_noticed_by_the_next(lab: Lab, node: Namespace, app: None) -> None:
    address, port = lab.frontend("app-v4", "ClusterIP", 4, "UDP")
    sockets = [node.udp_connect(address, port) for _ in range(ENOUGH)]
    before = [socket.ask().pod for socket in sockets]
    lab.agents[0].kill()
    lab.set_ready(lab.pod("app-3"), False)
    assert [socket.ask().pod for socket in sockets] == before
    lab.agents[0].start()
    lab.wait_programmed()
    wait_until(lambda: "aborted" in lab.agents[0].log(), "sockets are aborted")
    assert [bool(socket.ask().error) for socket in sockets] == [pod == "app-3" for pod in before]
    for socket in sockets:
        socket.close()
    lab.set_ready(lab.pod("app-3"), True)


# --- the hooks' life


def test_hooks_outlive_the_agent_and_the_next_one_takes_them_over(lab: Lab, node: Namespace) -> None:
    one = lab.agents[0]
    frontend = lab.frontend(service_of(REMOTE, 4), "ClusterIP", 4)
    before = one.socket_hooks()
    assert len(before) == 9
    with node.connect(*frontend) as connection:
        one.kill()
        assert node.http_get(*frontend).pod == "remote-1"
        assert connection.peer == [addresses.endpoint(*frontend)]
        one.start()
        assert one.socket_hooks() == before
        assert connection.ask().pod == "remote-1"
    assert node.http_get(*frontend).pod == "remote-1"
    assert one.json("status")["agent"]["socketHooks"] == str(node.cgroup)


def test_closed_connections_leave_nothing_in_the_map(lab: Lab, node: Namespace) -> None:
    def peers() -> int:
        return lab.agents[0].json("status")["maps"]["socket_peers"]["used"]

    before = peers()
    connection = node.connect(*lab.frontend(service_of(REMOTE, 4), "ClusterIP", 4), count=20)
    assert peers() == before + 20
    connection.close()
    assert peers() == before


def test_refusals_are_counted(lab: Lab, node: Namespace) -> None:
    before = lab.agents[0].verdicts_by_hook()["socket"]["reject_no_port"]
    address, port = lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)
    assert refused(node, "TCP", address, port + 1) == "ECONNREFUSED"
    assert lab.agents[0].verdicts_by_hook()["socket"]["reject_no_port"] == before + 1


def test_detach_removes_the_hooks(lab: Lab, node: Namespace) -> None:
    one = lab.agents[0]
    frontend = lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)
    assert node.http_get(*frontend).ok
    one.stop()
    one.detach()
    assert one.socket_hooks() == {}
    assert "weir" not in node.exec("bpftool", "cgroup", "show", str(node.cgroup))
    assert not node.http_get(*frontend, timeout=0.5).ok
    one.start()
    lab.wait_programmed()
    assert node.http_get(*lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)).ok
