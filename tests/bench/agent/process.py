# SPDX-License-Identifier: Apache-2.0
"""Watches an agent: its log tells when it is ready, /proc its CPU time and memory, strace its system calls."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from tests.lab import Lab, LabError
from tests.lab.agent import BPFFS, Agent, default_binary
from tests.lab.topology import Node

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
READY = re.compile(r"\bready:")
POLL = 0.001

# The sizes that weir chooses on a machine with 24 GiB: the lab's own maps would be too small.
MAPS = {"flowTable": {"assured": 524288, "unassured": 65536},
        "maps": {"frontends": 262144, "services": 131072, "backends": 524288, "slots": 1 << 26}}


class WatchedAgent(Agent):
    """weir on a lab's node with a folder of its own (folder/manifests)."""

    def __init__(self, lab: Lab, node: Node, folder: Path) -> None:
        pins = BPFFS / f"weir-lab-{lab.id}" / node.name
        super().__init__(node, default_binary(), folder, pins, lab.network.uplinks, {"datapath": MAPS})
        self._tracer: list[str] = []

    def command(self) -> list[str]:
        return self._tracer + super().command()

    def start_cold(self, deadline: float = 120) -> dict[str, float]:
        """Starts without maps and returns the cost until hooks and maps were in place."""
        if self.pins():
            self.detach()
        begin = time.monotonic()
        self.launch()
        while not READY.search(self.log()):
            if not self.running or time.monotonic() - begin > deadline:
                raise LabError(f"weir on {self.node.name} is not ready; it says:\n{self.log()}")
            time.sleep(POLL)
        return {"ready_ms": 1000 * (time.monotonic() - begin), "ready_cpu_ms": 1000 * self.cpu_seconds()}

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def keep_to(self, cpus: set[int]) -> None:
        """Keeps all its threads to these CPUs."""
        for thread in os.listdir(f"/proc/{self._pid}/task"):
            os.sched_setaffinity(int(thread), cpus)

    def memory_mib(self) -> dict[str, float]:
        status = Path(f"/proc/{self._pid}/status").read_text()
        def field(name: str) -> float:
            return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024
        return {"rss_mib": field("VmRSS"), "peak_rss_mib": field("VmHWM")}

    def count_system_calls(self, strace: str) -> dict[str, int]:
        """Counts the system calls of a cold start, which strace slows down several times."""
        output = self.config_file.with_suffix(".strace")
        self._tracer = [strace, "-c", "-f", "-o", str(output)]
        try:
            self.start_cold()
            tracer = self._pid
            child = int(Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()[0])
            os.kill(child, signal.SIGTERM)
            self.wait_exit()
        finally:
            self._tracer = []
        # % time, seconds, usecs/call, calls, errors (or nothing), name
        rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", output.read_text(), re.MULTILINE)
        return {name: int(calls) for calls, name in rows if name != "total"}
