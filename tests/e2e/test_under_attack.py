# SPDX-License-Identifier: Apache-2.0
"""Floods larger than every table, and SNAT ports that are used up: weir keeps serving the clients that it serves, and
the agent says once what happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labs import REMOTE, furnish, service_of

from tests.lab import Lab, Reply, wait_until

FLOOD = Path(__file__).with_name("flood.py")
TABLE = 1024   # entries of the assured tables; connections of the unassured one
PORTS = 7
PIECE = 1 << 18
CONNECTIONS = 100
PATIENCE = 30   # seconds

SMALL_TABLES = {"datapath": {"flowTable": {"assured": TABLE, "unassured": TABLE}, "timeouts": {"closing": 1}}}
FEW_PORTS = {"datapath": {"snatPorts": f"61000-{61000 + PORTS - 1}", "timeouts": {"closing": 1}}}


@pytest.fixture(scope="module", params=["auto", "native"])
def small(request: pytest.FixtureRequest, weir_binary: Path) -> Iterator[Lab]:
    config = {"datapath": SMALL_TABLES["datapath"] | {"xdp": request.param}}
    with Lab(binary=weir_binary, config=config) as built:
        furnish(built)
        # With cookies the backend keeps no half-open connection, which would block the next client with its port.
        built.pod("remote-1").sysctl({"ipv4/tcp_syncookies": 2})
        yield built


@pytest.fixture(scope="module")
def few(weir_binary: Path) -> Iterator[Lab]:
    with Lab(binary=weir_binary, config=FEW_PORTS) as built:
        furnish(built)
        yield built


class Flood:
    """In bursts: no more than half of the table of unassured flows turns over while a connection comes about, however
    slow the machine is. A client that takes longer than the table lasts finds its handshake forgotten, by design."""

    FLOWS = TABLE // 2

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self) -> None:
        print(file=self._process.stdin, flush=True)

    def end(self) -> None:
        assert self._process.stdout.readline(), "the flood goes on"

    def burst(self) -> None:
        self.begin()
        self.end()


@contextmanager
def flooded(lab: Lab, kind: str, address: str, port: int) -> Iterator[Flood]:
    command = ["nsenter", f"--net={lab.client.network}", sys.executable, str(FLOOD), kind, address, str(port)]
    with subprocess.Popen([*command, str(Flood.FLOWS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        yield Flood(process)


def get_in(flood: Flood, lab: Lab, address: str, port: int) -> Reply:
    flood.begin()
    reply = lab.client.http_get(address, port, timeout=PATIENCE)
    flood.end()
    return reply


@pytest.mark.parametrize("kind", ["syn", "ack", "syn+ack", "udp"])
def test_connections_go_on_and_new_ones_succeed_in_a_flood(small: Lab, kind: str) -> None:
    """To a pod on another node, so with source translation: the flood wants the same ports, too."""
    protocol = "UDP" if kind == "udp" else "TCP"
    address, port = small.frontend(service_of(REMOTE, 4), "NodePort", 4)
    victim, victim_port = small.frontend(service_of(REMOTE, 4), "NodePort", 4, protocol)
    with small.client.connect(address, port, count=CONNECTIONS, timeout=PATIENCE) as idle:
        busy = [small.client.start_transfer(address, port, upload=upload, piece=PIECE) for upload in (False, True)]
        forwarded = small.agents[0].verdicts()["forward"]

        def moves_on() -> bool:
            flood.burst()
            return all(transfer.progress()["pieces"] > before or transfer.progress()["error"]
                       for transfer, before in zip(busy, pieces))

        with flooded(small, kind, victim, victim_port) as flood:
            replies = [get_in(flood, small, address, port) for _ in range(50)]
            pieces = [transfer.progress()["pieces"] for transfer in busy]
            wait_until(moves_on, "every transfer moves on in the flood")
        assert [transfer.stop()["error"] for transfer in busy] == [None, None]
        assert [(reply.error, reply.pod) for reply in replies] == [("", "remote-1")] * 50
        assert small.agents[0].verdicts()["forward"] - forwarded > 8 * TABLE, "the flood came through"
        assert [(reply.error, reply.pod) for reply in idle.ask_all()] == [("", "remote-1")] * CONNECTIONS
    # The next test needs empty tables: they are too small for the connections of two. The flood left none there.
    wait_until(lambda: small.agents[0].json("status")["maps"]["flows4"]["used"] == 0, "closed connections are swept")


def lines_with(lab: Lab, text: str) -> list[str]:
    return [line for line in lab.agents[0].log().splitlines() if text in line]


def test_snat_ports_that_are_used_up_are_told_of_once_and_come_back(few: Lab) -> None:
    one = few.agents[0]
    address, port = few.frontend(service_of(REMOTE, 4), "NodePort", 4)
    service = f"default/{service_of(REMOTE, 4)}:tcp"
    pod = few.pod("remote-1").addresses[4]
    backend = f"{pod}:8080"

    def in_use() -> dict:
        return one.json("status")["snatPorts"]["highest"] or {}

    def of_backend() -> dict:
        return next(entry["snatPorts"] for entry in one.json("backends")
                    if (entry["address"], entry["protocol"]) == (pod, "TCP"))

    assert one.json("status")["snatPorts"]["size"] == PORTS
    group = few.client.connect(address, port, count=PORTS)
    assert [reply.error for reply in group.ask_all()] == [""] * PORTS
    wait_until(lambda: one.json("status")["snatPorts"]["high"] == 1, "the sweeper has counted them")
    source = in_use()["source"]
    assert in_use() == {"backend": backend, "protocol": "TCP", "services": [service], "source": source,
                        "ports": PORTS, "yielding": 0}
    assert of_backend() == {"source": source, "ports": PORTS, "yielding": 0, "size": PORTS}
    assert f"at most {PORTS} of {PORTS} in use, from {source} to {backend}/TCP ({service})" in one.cli("status")
    assert f"{PORTS}/{PORTS}" in one.cli("backends")

    # Those that have a port keep it; the backend's other family has ports of its own.
    assert few.client.http_get(address, port, timeout=0.5).error == "timeout"
    assert [reply.error for reply in group.ask_all()] == [""] * PORTS
    assert few.client.http_get(*few.frontend(service_of(REMOTE, 6), "NodePort", 6)).error == ""
    wait_until(lambda: lines_with(few, "no free SNAT port"), "the drops are told of")
    dropped = one.json("status")["snatPorts"]["drops"]
    assert dropped == one.verdicts()["drop_no_snat_port"] > 0
    wait_until(lambda: any("no free SNAT port" in problem for problem in one.problems()), "status has it, too")
    assert few.client.http_get(address, port, timeout=0.5).error == "timeout"
    assert one.json("status")["snatPorts"]["drops"] > dropped

    group.close()
    # The port of a closed connection is free for all clients once the sweeper has deleted the connection.
    wait_until(lambda: in_use().get("ports", 0) < PORTS, "ports have come back")
    assert few.client.http_get(address, port).error == ""
    wait_until(lambda: lines_with(few, "find SNAT ports again"), "the end of it is told of", 90)
    for text in ("SNAT ports run out for", "no free SNAT port", "SNAT ports are free again", "find SNAT ports again"):
        assert len(lines_with(few, text)) == 1, text
    for part in (backend, service, "datapath.snatPorts"):
        assert part in lines_with(few, "no free SNAT port")[0]
        assert part in lines_with(few, "SNAT ports run out for")[0]
    wait_until(lambda: one.problems() == [], "status has it no more")


def test_an_agent_that_finds_no_statistics_takes_over_all_the_same(few: Lab) -> None:
    """The same happens after an upgrade from a version that had no such map."""
    one = few.agents[0]
    address, port = few.frontend(service_of(REMOTE, 4), "NodePort", 4)
    with few.client.connect(address, port, count=1) as connection:
        assert connection.ask().error == ""
        one.stop()
        (one.pin_path / "maps" / "snat_usage").unlink()
        assert one.json("backends")[0]["snatPorts"]["ports"] == 0
        one.start()
        assert "took over" in one.log()
        wait_until(lambda: (one.json("status")["snatPorts"]["highest"] or {}).get("ports"), "the map is there again")
        assert connection.ask().error == ""
