# SPDX-License-Identifier: Apache-2.0
"""The lab itself, without weir: the behaviour of the network on which the other tests rely."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from labs import FAMILIES, PROTOCOLS

from tests.lab import Lab, LabError, content, netns, objects, registry, wait_until, waiting
from tests.lab.nursery import ROOT

WORLDS = {"routed": {"pods": "routed"}, "bridged": {"pods": "bridged"}, "overlay": {"pods": "bridged", "overlay": True},
          "routed-overlay": {"pods": "routed", "overlay": True}, "strict-rp-filter": {"pods": "routed", "rp_filter": 1}}


@pytest.fixture(scope="module", params=WORLDS)
def bare(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """web-1 and web-3 on node1, web-2 on node2."""
    with Lab(weir=False, **WORLDS[request.param]) as built:
        built.deploy(objects.deployment("web", replicas=3))
        yield built


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("target", ["web-2", "web-3"])
def test_pods_reach_pods_of_their_own_and_of_another_node(bare: Lab, family: int, protocol: str, target: str) -> None:
    reply = bare.pod("web-1").request(protocol, bare.pod(target).addresses[family], objects.CONTAINER_PORT)
    assert (reply.error, reply.pod) == ("", target)
    assert reply.client == reply.local


@pytest.mark.parametrize("family", FAMILIES)
def test_the_client_reaches_nodes_and_nodes_reach_each_other(bare: Lab, family: int) -> None:
    for node in bare.nodes:
        assert bare.client.ping(node.addresses[family]) == ""
    assert bare.node(1).ping(bare.node(2).addresses[family]) == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_nodes_reach_pods_everywhere(bare: Lab, family: int) -> None:
    for pod in bare.pods:
        assert bare.node(1).ping(pod.addresses[family]) == ""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("target", ["web-2", "web-3"])
def test_a_packet_of_the_full_mtu_passes_and_no_larger_one(bare: Lab, family: int, target: str) -> None:
    headers = (20 if family == 4 else 40) + 8
    address = bare.pod(target).addresses[family]
    assert bare.pod("web-1").ping(address, payload=bare.network.mtu - headers) == ""
    assert bare.pod("web-1").ping(address, payload=bare.network.mtu - headers + 1) == "EMSGSIZE"


@pytest.mark.parametrize("family", FAMILIES)
def test_large_transfers_arrive_intact(bare: Lab, family: int) -> None:
    size = 32 << 20
    expected = {"bytes": size, "sha256": content.digest(size)}
    address = bare.pod("web-2").addresses[family]
    assert bare.pod("web-1").download(address, objects.CONTAINER_PORT, size) == expected
    assert bare.pod("web-1").upload(address, objects.CONTAINER_PORT, size) == expected


def test_hundreds_of_requests_and_open_connections_work(bare: Lab) -> None:
    address = bare.pod("web-2").addresses[4]
    replies = bare.pod("web-1").http_many(address, objects.CONTAINER_PORT, count=300)
    assert all(reply.pod == "web-2" for reply in replies)
    assert len({reply.client for reply in replies}) == 300
    with bare.pod("web-1").connect(address, objects.CONTAINER_PORT, count=150) as connections:
        for _ in range(2):
            answers = connections.ask_all()
            assert [answer.client for answer in answers] == connections.local


def test_a_transfer_goes_on_until_it_is_stopped(bare: Lab) -> None:
    transfer = bare.pod("web-1").start_transfer(bare.pod("web-2").addresses[4], objects.CONTAINER_PORT, piece=1 << 20)
    wait_until(lambda: transfer.progress()["pieces"] >= 3, "the transfer moves")
    result = transfer.stop()
    assert result["error"] is None
    assert result["bytes"] == result["pieces"] << 20


def test_a_paused_pod_keeps_its_connections(bare: Lab) -> None:
    pod = bare.pod("web-2")
    with bare.pod("web-1").connect(pod.addresses[4], objects.CONTAINER_PORT, timeout=0.3) as connection, \
            bare.pod("web-1").connect(pod.addresses[4], objects.CONTAINER_PORT) as other:
        pod.pause()
        assert connection.ask().error == "timeout"
        pod.resume()
        assert other.ask().pod == "web-2"


def test_what_nobody_answers_is_an_error(bare: Lab) -> None:
    address = bare.pod("web-2").addresses[4]
    assert bare.pod("web-1").http_get(address, 81).error == "ECONNREFUSED"
    assert bare.pod("web-1").udp_request(address, 81).error == "ECONNREFUSED"


def test_scaling_adds_and_removes_pods(bare: Lab) -> None:
    bare.scale("web", 5)
    address = bare.pod("web-5").addresses[4]
    assert bare.pod("web-1").http_get(address, objects.CONTAINER_PORT).pod == "web-5"
    bare.scale("web", 3)
    assert sorted(pod.name for pod in bare.pods) == ["web-1", "web-2", "web-3"]
    assert not bare.pod("web-1").http_get(address, objects.CONTAINER_PORT, timeout=0.3).ok


def test_objects_are_written_as_an_api_server_would_hold_them(bare: Lab) -> None:
    pods = {item["metadata"]["name"]: item for item in yaml.safe_load_all((bare.manifests / "pods.yaml").read_text())}
    web = pods["web-2"]
    assert web["spec"]["nodeName"] == "node2"
    assert [address["ip"] for address in web["status"]["podIPs"]] == list(bare.pod("web-2").addresses.values())
    assert web["status"]["conditions"] == [{"type": "Ready", "status": "True"}]
    nodes = [item["metadata"]["name"] for item in yaml.safe_load_all((bare.manifests / "nodes.yaml").read_text())]
    assert nodes == ["node1", "node2"]


def test_ports_that_only_a_service_names_are_answered() -> None:
    workload = objects.deployment("plain")
    workload["spec"]["template"]["spec"]["containers"][0].pop("ports")
    service = objects.service("plain", "plain")
    service["spec"]["ports"] = [{"port": 80, "targetPort": 9000}, {"name": "same", "port": 81}]
    with Lab(weir=False, nodes=1) as lab:
        lab.deploy([workload, service])
        for port in (9000, 81):
            assert lab.node(1).http_get(lab.pod("plain-1").addresses[4], port).pod == "plain-1"


def test_a_pod_for_a_node_that_is_not_there_is_refused() -> None:
    with Lab(weir=False, nodes=1) as lab, pytest.raises(LabError, match="node7"):
        lab.deploy(objects.deployment("web", node="node7"))


def traces(entry: registry.Entry) -> list[str]:
    """Everything of a lab that exists on the machine."""
    paths = [str(path) for path in (entry.folder, entry.pins, entry.cgroup) if path and path.exists()]
    return entry.namespaces() + paths + [str(path) for path in Path("/run/weir").glob(f"*{entry.id}*")]


def own_links() -> str:
    return netns.run("ip", "-brief", "link") + netns.run("ip", "route", "show", "table", "all")


def test_two_labs_live_side_by_side_and_leave_nothing() -> None:
    before = own_links()
    with Lab(weir=False) as one, Lab(weir=False, pods="bridged") as two:
        for lab, name in ((one, "first"), (two, "second")):
            lab.deploy(objects.deployment(name, replicas=2))
        assert own_links() == before
        for lab, name in ((one, "first"), (two, "second")):
            assert lab.client.ping(lab.node(2).addresses[4]) == ""
            address = lab.pod(f"{name}-2").addresses[4]
            assert lab.pod(f"{name}-1").http_get(address, objects.CONTAINER_PORT).pod == f"{name}-2"
        ids = [registry.Entry(lab.id) for lab in (one, two)]
        assert all(traces(entry) for entry in ids)
    assert [traces(entry) for entry in ids] == [[], []]
    assert own_links() == before


# Tests that were started in the background ignore interrupts, with nohup hangups too; what they start inherits that.
HOLDER = """
import signal
from tests.lab import Lab, objects, waiting
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with Lab(weir=False) as lab:
    lab.deploy(objects.deployment("web", replicas=2))
    lab.pod("web-1").http_get(lab.pod("web-2").addresses[4], 8080)
    print(lab.id, flush=True)
    waiting.until_interrupted()
"""


@contextmanager
def held_elsewhere() -> Iterator[tuple[subprocess.Popen[str], registry.Entry]]:
    holder = subprocess.Popen([sys.executable, "-X", "faulthandler", "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE,
                              text=True)
    try:
        yield holder, registry.Entry(holder.stdout.readline().strip())
    finally:
        if holder.poll() is None:
            holder.send_signal(signal.SIGABRT)  # it tells where it was
            holder.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_lab_leaves_nothing(number: signal.Signals) -> None:
    with held_elsewhere() as (holder, entry):
        assert traces(entry)
        holder.send_signal(number)
        holder.wait(timeout=waiting.DEADLINE)
        assert traces(entry) == []


def test_a_killed_lab_takes_its_processes_along_and_is_reaped() -> None:
    with held_elsewhere() as (holder, entry):
        pids = [int(pid) for name in entry.namespaces() for pid in netns.run("ip", "netns", "pids", name).split()]
        assert pids
        holder.kill()
        holder.wait()
    wait_until(lambda: not any(registry.start_time(pid) for pid in pids), "the lab's processes end")
    assert entry.namespaces()
    assert entry in registry.reap()
    assert traces(entry) == []


def test_reaping_spares_labs_that_live() -> None:
    with Lab(weir=False, nodes=1) as lab:
        owner = json.loads((registry.Entry(lab.id).folder / "owner").read_text())
        assert owner["pid"] == os.getpid()
        assert registry.Entry(lab.id) not in registry.reap()
        assert lab.client.ping(lab.node(1).addresses[4]) == ""
