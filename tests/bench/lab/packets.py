# SPDX-License-Identifier: Apache-2.0
"""The packets per second that a node passes on. Frames of UDP flows, all known or each a new one, come to node1 from
the router's side, as fast as they can be made. node1 sends them on through the same uplink to backends of another node,
which counts them.

The generator has one CPU. Everything that node1 does, and the counting, has the other: a NAPI thread of its uplink.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.lab import LabError, netns, wait_until
from tests.lab.topology import Node
from tests.lab.xdp import receive_frames

from . import services
from .world import CLIENT_CPU, SERVER_CPU, WEIR_XDP, World

FLOWS = 1024
CLIENTS = "198.18.0.0/15"  # RFC 2544: for benchmarks
# Frames per second before the measurement: of known flows, and of new ones if the node searches 10,000 Services for
# each.
FAST, SLOW = 50_000, 2000


def _napi_threads() -> set[int]:
    found = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith("napi/eth0"):
                found.add(int(comm.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def _threaded(node: Node, on: bool) -> None:
    # sysfs shows the interfaces of the namespace that mounts it: `ip netns exec` does.
    netns.run("ip", "netns", "exec", node.namespace, "sh", "-c", f"echo {int(on)} > /sys/class/net/eth0/threaded")


def napi_in_a_thread(node: Node, cpu: int) -> None:
    """Has one kernel thread, on this CPU, process all packets that come to this node's eth0."""
    # Without GRO, and with no XDP program of its own, a veth has no NAPI and takes no XDP frames.
    node.exec("ethtool", "-K", "eth0", "gro", "on")
    before = _napi_threads()
    _threaded(node, True)
    for thread in wait_until(lambda: _napi_threads() - before, f"{node.name} has a NAPI thread"):
        os.sched_setaffinity(thread, {cpu})


def napi_as_before(node: Node) -> None:
    _threaded(node, False)
    node.exec("ethtool", "-K", "eth0", "gro", "off")


class PacketPath:
    """The way from the router through node1 and back, with its counter."""

    def __init__(self, world: World) -> None:
        self._world = world
        router, node = world.lab.router, world.node
        if world.contender.proxy == WEIR_XDP:
            router.exec("bpftool", "net", "detach", "xdpdrv", "dev", node.name)  # the lab's gives way to the sink
        self._address, self._port = world.target(outside=True)
        self._sink = subprocess.Popen(
            ["ip", "netns", "exec", router.namespace, str(world.tools / "weir-bench-sink"), node.name,
             "--backend-port", str(services.BACKEND_PORT), "--frontend-port", str(self._port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self._read()
            napi_in_a_thread(node, SERVER_CPU)
            self._mac = json.loads(node.exec("ip", "-j", "link", "show", "eth0"))[0]["address"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PacketPath:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sink.stdin.close()
        self._sink.wait()
        napi_as_before(self._world.node)
        if self._world.contender.proxy == WEIR_XDP:
            receive_frames(self._world.lab.router, [self._world.node.name])

    def measure(self, seconds: float, new: bool = False) -> dict:
        if new:
            self._world.forget_tracked()
        else:
            self.establish()
        before = self._count("drop")
        sent = self._generate("--seconds", str(seconds), flows=None if new else FLOWS)
        delivered = self._count("")["delivered"] - before["delivered"]
        return {"sent_per_second": sent["sent"] / sent["seconds"],
                "delivered_per_second": delivered / sent["seconds"]}

    def establish(self) -> None:
        """Answers and continues every flow, so that both weir and conntrack count it as established."""
        self._count("answer")
        for rate in (FAST, SLOW, SLOW, FAST, FAST):
            before = self._count("")
            self._generate("--count", str(4 * FLOWS), "--rate", str(rate))
            after = self._count("")
            arrived = {name: after[name] - before[name] for name in after}
            if rate == FAST and min(arrived.values()) > 4 * FLOWS * 0.95:
                return
        raise LabError(f"{self._world.contender}: of {4 * FLOWS} frames of known flows there arrived {arrived}")

    def _generate(self, *options: str, flows: int | None = FLOWS) -> dict:
        if flows:
            options += ("--flows", str(flows))
        return json.loads(self._world.lab.router.exec(
            str(self._world.tools / "weir-bench-generate"), "--interface", self._world.node.name, "--destination-mac",
            self._mac, "--destination", self._address, "--destination-ports", str(self._port), "--source", CLIENTS,
            "--cpu", str(CLIENT_CPU), *options))

    def _count(self, command: str) -> dict:
        self._sink.stdin.write(command + "\n")
        self._sink.stdin.flush()
        return self._read()

    def _read(self) -> dict:
        return json.loads(self._sink.stdout.readline())
