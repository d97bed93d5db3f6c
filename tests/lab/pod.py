# SPDX-License-Identifier: Apache-2.0
"""A running pod: a namespace on a node with server processes for its ports."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

from .errors import LabError
from .manifests import PodSpec
from .namespace import Namespace
from .nursery import Nursery
from .topology import Node
from .waiting import wait_until


def start_server(place: Namespace, name: str, tcp: list[int], udp: list[int]) -> tuple[int, socket.socket]:
    """Starts a server that answers as `name` on these ports. Returns its process id and a socket; closing it ends the
    server."""
    nursery: Nursery = place.nursery
    ours, theirs = socket.socketpair()
    pid = nursery.spawn("server", place.network, theirs.fileno(), place.cgroup, name=name, tcp=tcp, udp=udp)
    theirs.close()
    said = ours.recv(4096).decode()
    if said != "ready":
        raise LabError(f"the server of {name} does not start: {said or nursery.log()}")
    return pid, ours


def _stopped(pid: int) -> bool:
    """Whether all threads have stopped: the signal takes a moment, and reaches each thread separately."""
    threads = [stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state == "T" for state in threads)


@dataclass
class Pod(Namespace):
    spec: PodSpec = field(default_factory=lambda: PodSpec(""))
    node: Node | None = None
    number: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._answered: dict[str, set[int]] = {"TCP": set(), "UDP": set()}
        self._servers: list[tuple[int, socket.socket]] = []

    def serve(self, ports: dict[str, list[int]]) -> None:
        """Makes these ports answer; those that already do stay as they are."""
        new = {protocol: sorted(set(ports.get(protocol, [])) - answered)
               for protocol, answered in self._answered.items()}
        if any(new.values()):
            self._servers.append(start_server(self, self.name, new["TCP"], new["UDP"]))
            for protocol, numbers in new.items():
                self._answered[protocol].update(numbers)

    def pause(self) -> None:
        """Stops its programs for now; connections stay open."""
        self._signal(signal.SIGSTOP)
        for pid, _ in self._servers:
            wait_until(lambda: _stopped(pid), f"{self.name} stands still")

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        super().close()
        for pid, control in self._servers:
            os.kill(pid, signal.SIGKILL)
            control.close()
        self._servers.clear()

    def _signal(self, number: signal.Signals) -> None:
        for pid, _ in self._servers:
            os.kill(pid, number)
