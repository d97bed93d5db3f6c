# SPDX-License-Identifier: Apache-2.0
"""The agent comes and goes, the datapath stays: killed and started again, it loses no packet, moves no connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from labs import FAMILIES, REMOTE, service_of

from tests.lab import Lab, objects, wait_until
from tests.lab.agent import Agent
from tests.lab.namespace import Transfer

RESTARTS = 5
PIECE = 1 << 20
CONNECTIONS = 60  # of each of the four kinds

WORLDS = ["routed", "overlay", "xdp-native", "clsact"]

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")

Ending = Callable[[Agent], object]


def restart(lab: Lab, end: Ending) -> None:
    """All agents at once: the worst case."""
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


@pytest.mark.parametrize("end", [Agent.kill, Agent.stop])
def test_transfers_go_on_through_restarts_and_stay_intact(lab: Lab, end: Ending) -> None:
    transfers: list[Transfer] = [client.start_transfer(address, port, upload=upload, piece=PIECE)
                                 for client, address, port in ways(lab) for upload in (False, True)]

    def moved_on() -> None:
        pieces = [transfer.progress()["pieces"] for transfer in transfers]
        wait_until(lambda: all(transfer.progress()["pieces"] > before or transfer.progress()["error"]
                               for transfer, before in zip(transfers, pieces)), "every transfer moves on")

    moved_on()
    for _ in range(RESTARTS):
        restart(lab, end)
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


def test_a_second_agent_for_the_same_pins_is_refused(lab: Lab) -> None:
    first = lab.agents[0]
    said = first.node.exec(*first.command(), check=False)
    assert "agent" in said and str(first.pin_path) in said
    assert first.running
