# SPDX-License-Identifier: Apache-2.0
"""The effect of a flood on clients. Frames from spoofed sources come to node1 from the router's side, at a rate.
Meanwhile a client outside begins connections to a NodePort at a pace, and asks on connections from before.

The generator, the client and the servers have one CPU, the generator only what the others leave. Everything that node1
does, and what follows from it in the router, the other node and the backends' kernels, has the other CPU. Where the flood
reaches backends, their kernels take most of it; the flood to backends elsewhere shows what the node itself can bear.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import LabError, wait_until

from . import services
from .packets import CLIENTS, napi_as_before, napi_in_a_thread
from .world import CLIENT_CPU, SERVER_CPU, World

NEW_PER_SECOND = 500      # connections begun
KEPT, KEPT_PER_SECOND = 50, 250
PATIENCE = 2.5            # seconds for a request: a SYN is sent again after 1 s, and not a third time
# A flood runs this long at this rate before the measurement starts, so that tables are as full as they will be.
SOAK_PER_SECOND = 250_000
# Ports of outside clients: the new connections' and the kept ones'.
NEW_PORTS, KEPT_PORTS = "32768-36767", "50000-50999"


@dataclass(frozen=True)
class Flood:
    name: str
    protocol: str
    target: str             # node port, cluster ip
    cookies: bool = True    # the backends answer SYNs with cookies, and keep nothing of them
    service: str = services.LAST


# kube-proxy's rules serve the last one: they know no closed ClusterIP.
KINDS = {"syn": Flood("flood of SYNs", "tcp", "node port"),
         "backlog": Flood("flood of SYNs, backlog of 4096", "tcp", "node port", cookies=False),
         "udp": Flood("flood of UDP", "udp", "node port"),
         "elsewhere": Flood("flood of SYNs to another Service, with backends elsewhere", "tcp", "node port",
                            service=services.ELSEWHERE),
         "closed": Flood("flood to a ClusterIP from outside", "tcp", "cluster ip")}


def _cpu_ticks(cpu: int) -> tuple[int, int]:
    """Busy and all time of a CPU since boot."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{cpu} "))
    user, nice, system, idle, iowait, irq, softirq, *_ = (int(word) for word in line.split()[1:])
    busy = user + nice + system + irq + softirq
    return busy, busy + idle + iowait


def _catches(process: subprocess.Popen, number: signal.Signals) -> bool:
    """Whether the process handles the signal already, or has ended."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return process.poll() is not None or bool(int(status.split("SigCgt:")[1].split()[0], 16) >> number - 1 & 1)


def _told(process: subprocess.Popen) -> dict:
    out, said = process.communicate(timeout=60)
    if process.returncode:
        raise LabError(f"{' '.join(process.args)}: {said.strip()}")
    return json.loads(out)


class Attack:
    """A world under one flood."""

    def __init__(self, world: World, flood: Flood, rate: int, seconds: float) -> None:
        self._world, self._flood, self._rate, self._seconds = world, flood, rate, seconds
        self._mac = json.loads(world.node.exec("ip", "-j", "link", "show", "eth0"))[0]["address"]
        address, port = world.target(outside=flood.target == "node port", place=flood.service)
        self._destination = ["--destination", address, "--destination-ports", str(port)]
        self._running: list[subprocess.Popen] = []

    def measure(self) -> dict[str, float]:
        soak = min(2.0, 2 * self._seconds) if self._rate else 0.0
        settle = min(0.3, self._seconds)
        with self._answers_lost():
            try:
                napi_in_a_thread(self._world.node, SERVER_CPU)
                # Comes first: after the last flood there may be no room for the connection that shows a server's start.
                self._world.forget_tracked()
                self._world.fresh_servers(CLIENT_CPU, self._flood.cookies)
                return self._measure(soak, settle)
            finally:
                for process in self._running:
                    process.kill()
                    process.wait()
                napi_as_before(self._world.node)

    def _measure(self, soak: float, settle: float) -> dict[str, float]:
        kept = self._load("keepalive", KEPT, KEPT_PER_SECOND, KEPT_PORTS, self._seconds, soak + 2 * settle)
        if self._rate:
            self._wait_connected(kept, settle)
            _told(self._generate(SOAK_PER_SECOND, soak))
            generator = self._generate(self._rate, self._seconds + PATIENCE + 10)
            wait_until(lambda: _catches(generator, signal.SIGTERM), "the generator begins")
        busy, all_ = _cpu_ticks(SERVER_CPU)
        new = _told(self._load("connect", int(NEW_PER_SECOND * (PATIENCE + 1)), NEW_PER_SECOND, NEW_PORTS,
                               self._seconds, 0))
        busy_after, all_after = _cpu_ticks(SERVER_CPU)
        sent = 0.0
        if self._rate:
            generator.terminate()
            sent = _told(generator)["per_second"]
        kept_told = _told(kept)
        asked = new["requests"] + new["failed"]
        return {"sent_per_second": sent, "succeeded_percent": 100 * new["requests"] / max(asked, 1),
                "new_per_second": new["per_second"], "p50_us": new["p50_us"], "p99_us": new["p99_us"],
                "slow_count": new["slow"],
                "kept_lost_count": kept_told["failed"], "kept_slow_count": kept_told["slow"],
                "kept_p99_us": kept_told["p99_us"],
                "cpu_percent": 100 * (busy_after - busy) / max(all_after - all_, 1)}

    def _wait_connected(self, kept: subprocess.Popen, seconds: float) -> None:
        """Waits a moment until the kept connections are made; those that are not count as lost."""
        try:
            kept.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise LabError(f"{self._world.contender}: the client ended at once: {kept.communicate()[1].strip()}")

    def _start(self, place: str, *command: str, nice: int = 0) -> subprocess.Popen:
        process = subprocess.Popen(["ip", "netns", "exec", place, "nice", "-n", str(nice), *command],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._running.append(process)
        return process

    def _load(self, mode: str, connections: int, rate: int, ports: str, seconds: float, warm_up: float) -> subprocess.Popen:
        address, port = self._world.target(outside=True)
        return self._start(self._world.lab.client.namespace, str(self._world.tools / "weir-bench-load"),
                           f"{address}:{port}", "--mode", mode, "--connections", str(connections), "--rate", str(rate),
                           "--patience", str(PATIENCE), "--seconds", str(seconds), "--warm-up", f"{warm_up:.3f}",
                           "--source-ports", ports, "--cpu", str(CLIENT_CPU))

    def _generate(self, rate: int, seconds: float) -> subprocess.Popen:
        return self._start(self._world.lab.router.namespace, str(self._world.tools / "weir-bench-generate"),
                           "--interface", self._world.node.name, "--destination-mac", self._mac, *self._destination,
                           "--source", CLIENTS, "--protocol", self._flood.protocol, "--rate", str(rate), "--seconds",
                           f"{seconds:.3f}", "--cpu", str(CLIENT_CPU), nice=19)

    @contextmanager
    def _answers_lost(self) -> Iterator[None]:
        """Makes the router drop packets to spoofed sources and to backends elsewhere, without an ICMP error."""
        router = self._world.lab.router
        with ExitStack() as added:
            for nowhere in (CLIENTS, services.ELSEWHERE_NET):
                router.exec("ip", "route", "add", "blackhole", nowhere)
                added.callback(router.exec, "ip", "route", "del", "blackhole", nowhere)
            yield
