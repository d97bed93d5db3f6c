# SPDX-License-Identifier: Apache-2.0
"""The worlds in which the cases run: a lab for each contender and number of Services, all up at once, so that rounds
can be interleaved: idle labs cost nothing.

Nodes that weir serves have no netfilter rule, so conntrack is not active in them; nodes with rules track connections, as
kube-proxy's do. `check_tracking` checks this.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab, LabError, netns, objects, wait_until
from tests.lab.namespace import Namespace
from tests.lab.nursery import ROOT
from tests.lab.topology import Node

from . import conntrack, iptables, nftables, services
from .services import LAST, ServicePort

DIRECT, WEIR, WEIR_XDP, IPTABLES, NFTABLES = "direct", "weir", "weir xdp", "iptables", "nftables"

# weir's defaults for maps, but half of the flow table and slots: there are many labs at once. 44,000 Services with two
# endpoints take 11 million slots.
MAPS = {"flowTable": {"assured": 262144, "unassured": 65536},
        "maps": {"frontends": 262144, "services": 131072, "backends": 524288, "slots": 1 << 24}}

CLIENT_CPU, SERVER_CPU = 0, 1


@dataclass(frozen=True, order=True)
class Contender:
    proxy: str
    services: int  # 0: not served by a proxy at all

    def __str__(self) -> str:
        return f"{self.proxy} {self.services}" if self.services else self.proxy


class World:
    """A lab that one contender serves: a client pod on node1, two pods with the benchmark's server on node2."""

    def __init__(self, contender: Contender, tools: Path) -> None:
        self.contender = contender
        self.tools = tools
        self._servers: list[int] = []
        proxy = contender.proxy
        config = {"datapath": MAPS | ({"xdp": "native"} if proxy == WEIR_XDP else {})}
        self.lab = Lab(nodes=2, pods="routed", weir=proxy in (WEIR, WEIR_XDP), config=config)
        try:
            self._furnish()
        except BaseException:
            self.lab.close()
            raise

    def close(self) -> None:
        self.lab.close()

    # --- places and ways in

    @property
    def node(self) -> Node:
        """The node through which all measured traffic goes."""
        return self.lab.node(1)

    @property
    def visitor(self) -> Namespace:
        return self.lab.pod("visitor")

    @property
    def _server_pods(self) -> list[Namespace]:
        return [self.lab.pod(name) for name in ("server-1", "server-2")]

    @property
    def backends(self) -> list[str]:
        return [pod.addresses[4] for pod in self._server_pods]

    def target(self, outside: bool, place: str = LAST) -> tuple[str, int]:
        """The client's target: ClusterIP or NodePort; without a proxy a pod itself."""
        if not self.contender.services:
            return self.backends[0], services.BACKEND_PORT
        port = next(port for port in self.ports if port.name == place)
        return (self.node.addresses[4], port.node_port) if outside else (port.cluster_ip, port.port)

    def fresh_servers(self, cpu: int, cookies: bool) -> None:
        """Servers that remember no half of a connection; with cookies they never do."""
        for server in self._servers:
            os.kill(server, signal.SIGKILL)
            wait_until(lambda: self.lab.nursery.exit_code(server) is not None, "a server ends")
        self._servers = []
        for pod in self._server_pods:
            pod.sysctl({"ipv4/tcp_syncookies": 2 if cookies else 1})
            self._serve(pod)
        wait_until(lambda: self.load(True, LAST, "--connections", "1", "--seconds", "0.02", "--warm-up", "0",
                                     server_cpu=cpu)["failed"] == 0, f"{self.contender} serves")

    def load(self, outside: bool, place: str, *options: str, server_cpu: int = SERVER_CPU) -> dict:
        """Runs weir-bench-load from the client pod, or from outside."""
        for server in self._servers:
            os.sched_setaffinity(server, {server_cpu})
        address, port = self.target(outside, place)
        source = self.lab.client if outside else self.visitor
        return json.loads(source.exec(str(self.tools / "weir-bench-load"), f"{address}:{port}", "--cpu",
                                      str(CLIENT_CPU), *options))

    @contextmanager
    def large_packets(self) -> Iterator[None]:
        """The router's devices take GSO packets as they are, like a network card with segmentation and receive offload;
        the lab has them cut into packets of 1500 bytes, since XDP wants such."""
        def offload(state: str) -> None:
            for node in self.lab.nodes:
                self.lab.router.exec("ethtool", "-K", node.name, "tx", state)
        offload("on")
        try:
            yield
        finally:
            offload("off")

    def tracked(self) -> list[int]:
        """Connections that conntrack knows in each node."""
        return [int(node.exec("cat", "/proc/sys/net/netfilter/nf_conntrack_count")) for node in self.lab.nodes]

    def forget_tracked(self) -> None:
        """Empties conntrack in each node that has it."""
        if self.contender.proxy in (IPTABLES, NFTABLES):
            for node in self.lab.nodes:
                conntrack.flush(node.network)

    def check_tracking(self) -> None:
        """Checks after traffic that conntrack followed it where kube-proxy's rules are, and nowhere else."""
        expected = self.contender.proxy in (IPTABLES, NFTABLES)
        counts = self.tracked()
        if any(counts) != expected:
            raise LabError(f"{self.contender}: conntrack has {counts} entries; it should "
                           f"{'follow' if expected else 'not follow'} connections in this lab")

    # --- setup

    def _furnish(self) -> None:
        self.lab.deploy([objects.pod("visitor", "node1"), objects.pod("server-1", "node2"),
                         objects.pod("server-2", "node2")], wait=False)
        self.ports: list[ServicePort] = []
        if self.contender.services:
            self.ports = services.service_ports(self.contender.services, self.backends)
        for node in self.lab.nodes:
            # Only the lab uses one uplink for both ways; the node must not send redirects to a shorter one.
            node.sysctl({"ipv4/conf/all/send_redirects": 0, "ipv4/conf/eth0/send_redirects": 0})
        if self.contender.proxy == IPTABLES:
            self._load_iptables()
        elif self.contender.proxy == NFTABLES:
            self._load_nftables()
        elif self.contender.services:
            self._program_weir()
        for pod in self._server_pods:
            self._serve(pod)
        for outside in (False, True):
            wait_until(lambda: self.load(outside, LAST, "--connections", "1", "--seconds", "0.05")["failed"] == 0,
                       f"{self.contender} serves")

    def _load_iptables(self) -> None:
        rules = iptables.rule_set(self.ports)
        for node in self.lab.nodes:
            netns.run("ip", "netns", "exec", node.namespace, "iptables-restore", stdin=rules)

    def _load_nftables(self) -> None:
        """On both nodes at the same time: large sets take a while."""
        started = []
        for node in self.lab.nodes:
            folder = tempfile.TemporaryDirectory()
            files = []
            for number, text in enumerate(nftables.rule_set(self.ports, [node.addresses[4]])):
                files.append(Path(folder.name) / str(number))
                files[-1].write_text(text)
            script = " && ".join(f"nft -f {file}" for file in files)
            started.append((folder, subprocess.Popen(["ip", "netns", "exec", node.namespace, "sh", "-c", script],
                                                     stderr=subprocess.PIPE, text=True)))
        for folder, process in started:
            _, said = process.communicate()
            folder.cleanup()
            if process.returncode:
                raise LabError(f"{self.contender}: nft: {said[:2000]}")

    def _program_weir(self) -> None:
        # One JSON List, beside the lab's own files. Written elsewhere first: a reader sees all of it or nothing.
        unfinished = self.lab.manifests.parent / ".bench.json"
        unfinished.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": services.objects(self.ports)}))
        unfinished.rename(self.lab.manifests / "bench.json")
        wanted = sum(1 + bool(port.load_balancer) + bool(port.node_port) for port in self.ports)
        for agent in self.lab.agents:
            wait_until(lambda: agent.json("status")["maps"]["frontends"]["used"] == wanted,
                       lambda: f"{wanted} frontends on {agent.node.name}; it says:\n{agent.log()[-2000:]}", deadline=60)

    def _serve(self, pod: Namespace) -> None:
        # kube-proxy picks source ports at random, so its clients' connections meet what the server still remembers of
        # others' (TIME_WAIT), are refused by their timestamps, and try again 11 ms later. weir's come back from the same
        # port. That would be all that one sees; so the servers remember nothing.
        pod.sysctl({"ipv4/tcp_max_tw_buckets": 0})
        with (self.lab.manifests.parent / f"{pod.name}.log").open("ab") as log:
            self._servers.append(self.lab.nursery.spawn(
                "program", pod.network, log.fileno(), None,
                argv=[str(self.tools / "weir-bench-serve"), "--port", str(services.BACKEND_PORT)]))


def default_tools() -> Path:
    """Where the release build puts the benchmark's programs."""
    tools = ROOT / "build" / "tests" / "bench"
    if not (tools / "weir-bench-load").exists():
        raise LabError(f"{tools}/weir-bench-load is not there; build it: cmake --preset release && "
                       "cmake --build --preset release")
    return tools
