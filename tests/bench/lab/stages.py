# SPDX-License-Identifier: Apache-2.0
"""The measurements. Each stage is a list of cases; a case knows which world it runs in and what it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from . import flood
from .packets import PacketPath
from .services import LAST, MIDDLE
from .world import CLIENT_CPU, DIRECT, IPTABLES, NFTABLES, SERVER_CPU, WEIR, WEIR_XDP, Contender, World

POD_TO_CLUSTER_IP, OUTSIDE_TO_NODE_PORT = "pod to ClusterIP", "outside to NodePort"
WAYS = (POD_TO_CLUSTER_IP, OUTSIDE_TO_NODE_PORT)

# Source ports of outside clients, used in turn. weir has 20,000 ports for each backend by default and keeps one for 10
# seconds after its connection; kube-proxy's conntrack has 64,512 and keeps one for 120. A client that comes back from
# the same port takes its old one again, so this many ports never exhaust either.
OUTSIDE_PORTS = "32768-36767"
POD_PORTS = "32768-60999"

CONNECTIONS = 32          # under way, where the rate counts
CONNECTIONS_LATENCY = 4   # under way, where the time of each counts
CONNECTIONS_UPLOAD = 4


@dataclass(frozen=True)
class Case:
    """The measurement of one number, or a few, of one contender."""

    name: str
    way: str
    contender: Contender
    place: str  # of the measured Service among all
    run: Callable[[World, float], dict[str, float]]
    flood: int | None = None  # packets a second that are wanted of it

    def keys(self) -> dict:
        return {"case": self.name, "way": self.way, "proxy": self.contender.proxy,
                "services": self.contender.services, "place": self.place} | \
            ({} if self.flood is None else {"flood": self.flood})


@dataclass(frozen=True)
class Scale:
    """The extent of the measurements."""

    services: list[int]       # of kube-proxy's rules
    weir_services: list[int]
    floods: list[int]         # packets a second
    kinds: list[str]          # of floods


LARGE, SMALL = "throughput", "throughput, 1500-byte packets"
NEW_FLOWS = "packets of new flows"

# By case, the number that says most.
MAIN_METRIC = {"packets": "delivered_per_second", NEW_FLOWS: "delivered_per_second",
               "connections": "connections_per_second", "new connections": "p50_us", "kept connections": "p50_us",
               LARGE: "gigabits_per_second", SMALL: "gigabits_per_second"}


def _load(way: str, place: str, mode: str, connections: int, finish: Callable[[dict], dict],
          server_cpu: int = SERVER_CPU) -> Callable:
    outside = way == OUTSIDE_TO_NODE_PORT

    def run(world: World, seconds: float) -> dict[str, float]:
        return finish(world.load(outside, place, "--mode", mode, "--connections", str(connections), "--seconds",
                                 str(seconds), "--source-ports", OUTSIDE_PORTS if outside else POD_PORTS,
                                 server_cpu=server_cpu))
    return run


def _rate(name: str) -> Callable[[dict], dict]:
    return lambda told: {name: told["per_second"], "cpu_us": told["cpu_us"], "failed_count": told["failed"]}


def _latency(told: dict) -> dict:
    return {key: told[key] for key in ("p50_us", "p90_us", "p99_us", "p999_us", "cpu_us")} | \
        {"requests_per_second": told["per_second"], "failed_count": told["failed"]}


def _throughput(told: dict) -> dict:
    return {"gigabits_per_second": told["bits_per_second"] / 1e9, "failed_count": told["failed"]}


def _places(contender: Contender, way: str) -> list[str]:
    """Only iptables searches a list; NodePorts come after all of it, wherever the Service stands."""
    if contender.proxy == IPTABLES and contender.services >= 1000 and way == POD_TO_CLUSTER_IP:
        return [MIDDLE, LAST]
    return [LAST]


def connections(scale: Scale) -> list[Case]:
    """A connection for each request, as many as possible."""
    contenders = [Contender(DIRECT, 0), *(Contender(WEIR, n) for n in scale.weir_services),
                  *(Contender(proxy, n) for proxy in (IPTABLES, NFTABLES) for n in scale.services)]
    return [Case("connections", way, contender, place if contender.services else "",
                 _load(way, place, "connect", CONNECTIONS, _rate("connections_per_second")))
            for way in WAYS for contender in contenders for place in _places(contender, way)]


def _ends(scale: Scale) -> list[Contender]:
    """Every contender with few Services, and with the most."""
    def ends(sizes: list[int]) -> list[int]:
        return sorted({sizes[0], sizes[-1]})
    return [Contender(DIRECT, 0), *(Contender(WEIR, n) for n in ends(scale.weir_services)),
            *(Contender(proxy, n) for proxy in (IPTABLES, NFTABLES) for n in ends(scale.services))]


def latency(scale: Scale) -> list[Case]:
    """The time that requests take while a few are under way."""
    return [Case(name, way, contender, LAST if contender.services else "",
                 _load(way, LAST, mode, CONNECTIONS_LATENCY, _latency))
            for name, mode in (("new connections", "connect"), ("kept connections", "keepalive"))
            for way in WAYS for contender in _ends(scale)]


def _upload(way: str, whole: bool) -> Callable:
    """Client and server share a CPU: with one each, the numbers depend on where the kernel happens to run them."""
    measure = _load(way, LAST, "upload", CONNECTIONS_UPLOAD, _throughput, server_cpu=CLIENT_CPU)

    def run(world: World, seconds: float) -> dict[str, float]:
        with world.large_packets() if whole else nullcontext():
            return measure(world, seconds)
    return run


def throughput(scale: Scale) -> list[Case]:
    """Bytes of a few connections: in the large packets that segmentation offload makes of them all the way, and in such
    as fit a wire from the router on."""
    contenders = [one for one in _ends(scale) if one.proxy in (DIRECT, WEIR) or one.services == scale.services[0]]
    return [Case(name, way, contender, LAST if contender.services else "", _upload(way, name == LARGE))
            for name in (LARGE, SMALL) for way in WAYS for contender in contenders]


def packets(scale: Scale) -> list[Case]:
    """Frames of established UDP flows, and of flows that are new to the node, as many as a node passes on."""
    contenders = _ends(scale)
    contenders += [Contender(WEIR_XDP, one.services) for one in contenders if one.proxy == WEIR]

    def run(new: bool) -> Callable[[World, float], dict[str, float]]:
        def measure(world: World, seconds: float) -> dict[str, float]:
            with PacketPath(world) as path:
                return path.measure(seconds, new)
        return measure
    return [Case(name, OUTSIDE_TO_NODE_PORT, contender, LAST if contender.services else "", run(name == NEW_FLOWS))
            for name in ("packets", NEW_FLOWS) for contender in contenders]


def floods(scale: Scale) -> list[Case]:
    """Clients of a NodePort during a flood, by its kind and rate."""
    contenders = [Contender(WEIR, scale.weir_services[0]), Contender(WEIR_XDP, scale.weir_services[0]),
                  Contender(IPTABLES, scale.services[0]), Contender(NFTABLES, scale.services[0])]

    kinds = [flood.KINDS[name] for name in scale.kinds]

    def run(kind: flood.Flood, rate: int) -> Callable[[World, float], dict[str, float]]:
        return lambda world, seconds: flood.Attack(world, kind, rate, seconds).measure()
    return [Case(kind.name, OUTSIDE_TO_NODE_PORT, contender, LAST, run(kind, rate), rate)
            for kind in kinds for rate in scale.floods if rate or kind is kinds[0]  # without a flood they are the same
            for contender in contenders]


STAGES: dict[str, Callable[[Scale], list[Case]]] = {
    "packets": packets, "connections": connections, "latency": latency, "throughput": throughput, "flood": floods}
