# SPDX-License-Identifier: Apache-2.0
"""The agent comes and goes, the datapath stays: killed and started again, it loses no packet, moves no connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from labs import FAMILIES, REMOTE, service_of

from tests.lab import Lab, objects, wait_until
from tests.lab.agent import Agent
from tests.lab.namespace import Transfer

RESTARTS = 5  # in each world, 20 in all
PIECE = 1 << 20
CONNECTIONS = 60  # of each of the four kinds

# Beside those of the lab (tests/lab/agent.py). Two kinds of maps: the agent fills some, the programs the others.
LARGER = {"flowTable": {"assured": 32768, "assuredUdp": 32768, "unassured": 16384},
          "maps": {"frontends": 8192, "services": 8192, "backends": 8192, "slots": 524288, "sourceRanges": 131072,
                   "affinity": 131072, "fragments": 16384, "socketPeers": 131072}}
SMALLER = {"flowTable": {"assured": 8192, "assuredUdp": 8192, "unassured": 4096},
           "maps": {"frontends": 64, "services": 64, "backends": 64, "slots": 4096, "sourceRanges": 16,
                    "affinity": 1024, "fragments": 1024, "socketPeers": 1024}}
TOO_SMALL = {"maps": {"frontends": 3, "services": 3, "backends": 3, "slots": 16, "sourceRanges": 1}}
KEPT = {"flows4", "flows6", "flows4_udp", "flows6_udp", "unassured", "unassured_index", "affinity", "fragments",
        "socket_peers"}

WORLDS = ["routed", "overlay", "xdp-native", "clsact"]

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")

Ending = Callable[[Agent], object]


def restart(lab: Lab, end: Ending) -> None:
    """Restarts all agents at once: the worst case."""
    for one in lab.agents:
        end(one)
    for one in lab.agents:
        one.launch()
    for one in lab.agents:
        one.wait_ready()
    lab.wait_programmed()


def ways(lab: Lab) -> list[tuple]:
    """(client, address, port): from a pod and, with source translation, from outside; both families."""
    return [(client, *lab.frontend(service_of(REMOTE, family), kind, family))
            for client, kind in ((lab.pod("visitor"), "ClusterIP"), (lab.client, "NodePort")) for family in FAMILIES]


def test_transfers_go_on_through_restarts_and_stay_intact(lab: Lab) -> None:
    transfers: list[Transfer] = [client.start_transfer(address, port, upload=upload, piece=PIECE)
                                 for client, address, port in ways(lab) for upload in (False, True)]

    def moved_on() -> None:
        pieces = [transfer.progress()["pieces"] for transfer in transfers]
        wait_until(lambda: all(transfer.progress()["pieces"] > before or transfer.progress()["error"]
                               for transfer, before in zip(transfers, pieces)), "every transfer moves on")

    moved_on()
    for number in range(RESTARTS):
        restart(lab, Agent.stop if number % 2 else Agent.kill)
        moved_on()
    assert [transfer.stop()["error"] for transfer in transfers] == [None] * len(transfers)


def test_open_connections_survive_restarts(lab: Lab) -> None:
    groups = [client.connect(address, port, count=CONNECTIONS) for client, address, port in ways(lab)]
    for _ in range(RESTARTS):
        for group in groups:
            assert [(reply.error, reply.pod) for reply in group.ask_all()] == [("", "remote-1")] * CONNECTIONS
        restart(lab, Agent.kill)
    for group in groups:
        assert [(reply.error, reply.pod) for reply in group.ask_all()] == [("", "remote-1")] * CONNECTIONS
        group.close()


def test_new_connections_are_served_while_no_agent_runs(lab: Lab) -> None:
    targets = ways(lab)
    for one in lab.agents:
        one.kill()
    try:
        for client, address, port in targets:
            replies = client.http_many(address, port, count=20)
            assert [reply.error for reply in replies] == [""] * 20
    finally:
        for one in lab.agents:
            one.start()


def test_what_changed_while_no_agent_ran_is_caught_up_with(lab: Lab) -> None:
    lab.deploy([objects.deployment("late"), objects.service("late", "late")])
    address, port = lab.frontend("late", "ClusterIP", 4)
    with lab.pod("visitor").connect(address, port) as connection:
        assert connection.ask().pod == "late-1"
        for one in lab.agents:
            one.kill()
        lab.scale("late", 2)
        lab.set_ready(lab.pod("late-1"), False)
        for one in lab.agents:
            one.start()
        lab.wait_programmed()
        replies = lab.pod("visitor").http_many(address, port, count=20)
        assert {(reply.error, reply.pod) for reply in replies} == {("", "late-2")}
        assert connection.ask().pod == "late-1"
    lab.delete("Service", "late")
    lab.delete("Deployment", "late")


def test_allocated_addresses_outlive_the_agent(lab: Lab) -> None:
    def allocated() -> set[tuple]:
        return {(one.service, one.kind, one.address, one.port) for one in lab.agents[0].services()}

    before = allocated()
    restart(lab, Agent.kill)
    assert allocated() == before


@pytest.fixture
def sized(lab: Lab) -> Iterator[Callable[[dict], None]]:
    """Restarts all agents with other sizes, and in the end with the old ones. A Service uses every kind of map."""
    width = {4: 32, 6: 128}
    lab.deploy([objects.deployment("sized", replicas=3), *(
        objects.service(f"sized-v{family}", "sized", family, kind="LoadBalancer", sessionAffinity="ClientIP",
                        loadBalancerSourceRanges=[f"{lab.client.addresses[family]}/{width[family]}", f"{net}/16"])
        for family, net in ((4, "198.18.0.0"), (6, "2001:db8::")))])

    def start(sizes: dict) -> None:
        for one in lab.agents:
            one.configure({"datapath": sizes})
        restart(lab, Agent.kill)

    yield start
    start({})
    for family in FAMILIES:
        lab.delete("Service", f"sized-v{family}")
    lab.delete("Deployment", "sized")


def held(one: Agent) -> tuple:
    """All entries that the agent wrote, with the ids that flows refer to."""
    return set(one.services()), one.json("backends"), one.kernel_entries("source_ranges")


@pytest.mark.parametrize("sizes", [LARGER, SMALLER], ids=["larger", "smaller"])
def test_other_sizes_lose_no_connection_and_those_of_services_apply_at_once(lab: Lab, sized: Callable[[dict], None],
                                                                            sizes: dict) -> None:
    groups = [client.connect(address, port, count=CONNECTIONS) for client, address, port in ways(lab)]
    sticky = [lab.client.connect(*lab.frontend(f"sized-v{family}", "LoadBalancer", family)) for family in FAMILIES]
    pods = [one.ask().pod for one in sticky]
    transfers = [client.start_transfer(address, port, piece=PIECE) for client, address, port in ways(lab)]
    before = [(held(one), one.map_sizes()) for one in lab.agents]
    sized(sizes)
    maps = sizes["maps"]
    for one, (what, had) in zip(lab.agents, before):
        assert held(one) == what
        assert one.map_sizes() == had | {
            "frontends": maps["frontends"], "vips": maps["frontends"], "services": maps["services"],
            "backends": maps["backends"], "slots": maps["slots"] // 16, "source_ranges": maps["sourceRanges"]}
        # Of the other maps the agent says, once in the log and in `weir status`, that they keep their size.
        said = [problem for problem in one.problems() if "keeps its size" in problem]
        assert {name for problem in said for name in problem.partition(":")[0][len("map "):].split(", ")} == KEPT
        assert all("weir detach" in problem and one.log().count(problem) == 1 for problem in said)
    for group in groups:
        assert [(reply.error, reply.pod) for reply in group.ask_all()] == [("", "remote-1")] * CONNECTIONS
        group.close()
    assert [one.ask().pod for one in sticky] == pods
    assert [transfer.stop()["error"] for transfer in transfers] == [None] * len(transfers)
    for client, address, port in ways(lab):
        assert [reply.error for reply in client.http_many(address, port, count=20)] == [""] * 20
    # Once around the ring of connections that are not assured yet.
    address, port = lab.frontend(service_of(REMOTE, 4), "ClusterIP", 4, "UDP")
    replies = lab.pod("visitor").udp_many(address, port, count=before[0][1]["unassured"], parallel=16)
    assert {(reply.error, reply.pod) for reply in replies} == {("", "remote-1")}
    for family, pod in zip(FAMILIES, pods):
        replies = lab.client.http_many(*lab.frontend(f"sized-v{family}", "LoadBalancer", family), count=20)
        assert {(reply.error, reply.pod) for reply in replies} == {("", pod)}, "the client is known"


def test_sizes_that_hold_less_than_there_is_are_refused_and_all_is_served(lab: Lab,
                                                                          sized: Callable[[dict], None]) -> None:
    groups = [client.connect(address, port, count=CONNECTIONS) for client, address, port in ways(lab)]
    before = [(held(one), one.map_sizes()) for one in lab.agents]
    sized(TOO_SMALL)
    for one, had in zip(lab.agents, before):
        assert (held(one), one.map_sizes()) == had
        said = " ".join(problem for problem in one.problems() if "keeps its size" in problem)
        assert all(f"map {name}: " in said for name in ("frontends", "services", "backends", "slots", "source_ranges"))
        assert all(f"datapath.maps.{key}: what it holds takes " in said for key in TOO_SMALL["maps"])
    for group in groups:
        assert [(reply.error, reply.pod) for reply in group.ask_all()] == [("", "remote-1")] * CONNECTIONS
        group.close()


def test_a_second_agent_for_the_same_pins_is_refused(lab: Lab) -> None:
    first = lab.agents[0]
    said = first.node.exec(*first.command(), check=False)
    assert "agent" in said and str(first.pin_path) in said
    assert first.running
