# SPDX-License-Identifier: Apache-2.0
"""The Lab that tests, demonstrations and benchmarks use: it puts the parts together."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path

from . import agent, expected, registry, topology, xdp
from .agent import Agent, Frontend
from .cluster import Cluster
from .errors import LabError
from .manifests import Manifest, families_of
from .namespace import Namespace
from .nursery import Nursery
from .pod import Pod
from .podnet import PodNetwork
from .topology import Node
from .waiting import wait_until

CLEANUP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Lab:
    """A cluster of network namespaces.

    nodes      how many
    pods       how pods are connected: routed or bridged
    overlay    whether nodes reach each other's pods through vxlan
    weir       whether every node runs it
    config     weir's configuration (weir.yaml), over the lab's
    further_uplinks  interfaces that weir is told of besides those that the lab makes
    rp_filter  reverse path filter of the nodes, pods and router; None: as the kernel has it
    """

    def __init__(self, nodes: int = 2, pods: str = "routed", overlay: bool = False, weir: bool = True,
                 config: dict | None = None, further_uplinks: Iterable[str] = (), rp_filter: int | None = None,
                 binary: Path | None = None) -> None:
        if os.geteuid() != 0:
            raise LabError("a lab needs root: it makes network namespaces and loads BPF programs")
        if pods not in ("routed", "bridged"):
            raise LabError(f"pods are routed or bridged, not {pods}")
        self.agents: list[Agent] = []
        self._closed = False
        _clean_up_on_signals()
        self._entry = registry.register(nodes)
        atexit.register(self.close)
        try:
            self._build(nodes, pods == "bridged", overlay, rp_filter)
            if weir:
                self._start_agents(binary or agent.default_binary(), list(further_uplinks), config or {})
        except BaseException:
            self.close()
            raise

    def _build(self, nodes: int, bridged: bool, overlay: bool, rp_filter: int | None) -> None:
        self.nursery = Nursery(self._entry.folder / "processes.log")
        self._topology = topology.build(self._entry.prefix, nodes, self.nursery, self._entry.cgroup, rp_filter)
        self.network = PodNetwork(self._topology, bridged, overlay)
        self.network.build()
        self._cluster = Cluster(self._entry.prefix, self._topology, self.network, self.manifests)
        self._cluster.write()

    def _start_agents(self, binary: Path, further_uplinks: list[str], config: dict) -> None:
        agent.ensure_bpffs()
        if config.get("datapath", {}).get("xdp", "auto") != "auto":
            xdp.receive_frames(self._topology.router, [node.name for node in self.nodes])
        self.agents = [Agent(node, binary, self._entry.folder, self._entry.pins / node.name,
                             self.network.uplinks + further_uplinks, config) for node in self.nodes]
        for one in self.agents:
            one.launch()
        for one in self.agents:
            one.wait_ready()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves nothing behind; a second interruption does not stop it half way."""
        if self._closed:
            return
        self._closed = True
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, CLEANUP_SIGNALS)
        try:
            if hasattr(self, "nursery"):
                self.nursery.close()
            self._entry.remove()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
            atexit.unregister(self.close)

    # --- places

    @property
    def id(self) -> str:
        return self._entry.id

    @property
    def manifests(self) -> Path:
        """The folder that every agent reads."""
        return self._entry.folder / "manifests"

    @property
    def nodes(self) -> list[Node]:
        return self._topology.nodes

    def node(self, index: int) -> Node:
        """From 1."""
        return self.nodes[index - 1]

    @property
    def client(self) -> Namespace:
        return self._topology.client

    @property
    def router(self) -> Namespace:
        return self._topology.router

    @property
    def pods(self) -> list[Pod]:
        return list(self._cluster.pods.values())

    def pod(self, name: str) -> Pod:
        """By name, with its Kubernetes namespace in front if that is not `default`."""
        key = _key(name)
        if key not in self._cluster.pods:
            raise LabError(f"no pod {key}; there are: {', '.join(self._cluster.pods) or 'none'}")
        return self._cluster.pods[key]

    def agent_of(self, place: Namespace) -> Agent:
        """The agent of a node, or of a pod's node."""
        node = place.node if isinstance(place, Pod) else place
        return self.agents[node.index - 1]

    # --- objects

    def deploy(self, manifest: Manifest, wait: bool = True) -> None:
        """Applies objects (text, a file as a Path, or objects) and waits until the agents have followed."""
        self._cluster.apply(manifest)
        self._publish(wait)

    def delete(self, kind: str, name: str, wait: bool = True) -> None:
        self._cluster.delete(kind, _key(name))
        self._publish(wait)

    def scale(self, workload: str, replicas: int) -> None:
        self._cluster.scale(_key(workload), replicas)
        self._publish()

    def set_ready(self, pod: Pod, ready: bool) -> None:
        """Sets the result of the pod's readiness probe; the pod itself goes on."""
        pod.spec.ready = ready
        self._publish()

    def set_terminating(self, pod: Pod) -> None:
        """Marks the pod as deleted but within its grace period; it goes on."""
        pod.spec.terminating = True
        self._publish()

    def forget(self, pod: Pod) -> None:
        """Removes the object; the pod goes on until `stop`."""
        self._cluster.forget(pod)
        self._publish()

    def stop(self, pod: Pod) -> None:
        self._cluster.stop([pod])

    def remove(self, pod: Pod) -> None:
        """Removes the object first, then the pod."""
        self.forget(pod)
        self.stop(pod)

    def set_leaving(self, node: Node, leaving: bool) -> None:
        """Sets the autoscaler's taint for a node that it is about to delete."""
        (self._cluster.leaving.add if leaving else self._cluster.leaving.discard)(node.name)
        self._publish()

    def wait_programmed(self) -> None:
        """Waits until the maps match the objects on every node whose agent runs."""
        specs = [pod.spec for pod in self.pods]
        for one in self.agents:
            if one.running:
                self._wait_for(one, specs)

    def _wait_for(self, one: Agent, specs: list) -> None:
        last = [""]

        def agrees() -> bool:
            last[0] = expected.difference(self._cluster.services, specs, one.services())
            return not last[0]
        wait_until(agrees, lambda: f"weir on {one.node.name} follows the objects ({last[0]}); it says:\n{one.log()}")

    def _publish(self, wait: bool = True) -> None:
        self._cluster.write()
        if wait:
            self.wait_programmed()

    # --- how services are reached

    def frontends(self, service: str, kind: str, family: int, node: Node | None = None) -> list[Frontend]:
        """A Service's frontends of this kind, as a node's agent (default: the first) lists them; in order of ports."""
        one = self.agent_of(node or self.node(1))
        found = [frontend for frontend in one.services()
                 if (frontend.service, frontend.kind, frontend.family) == (_key(service), kind, family)]
        if not found:
            raise LabError(f"weir on {one.node.name} has no {kind} for {service} in IPv{family}")
        return sorted(found, key=lambda frontend: frontend.port)

    def frontend(self, service: str, kind: str, family: int, protocol: str = "TCP",
                 node: Node | None = None) -> tuple[str, int]:
        """(address, port) of a Service with one port of this protocol."""
        found = [one for one in self.frontends(service, kind, family, node) if one.protocol == protocol]
        return found[0].address, found[0].port

    @property
    def services(self) -> dict[str, dict]:
        return self._cluster.services

    def families(self, service: str) -> Iterable[int]:
        return families_of(self._cluster.services[_key(service)])

    def source_at_backend(self, node: Node, family: int) -> str:
        """The source that a pod of another node sees for an outside client that came in at this node."""
        return self.network.way_out_address(node, family)


def _key(name: str) -> str:
    return name if "/" in name else f"default/{name}"


def _clean_up_on_signals() -> None:
    """Makes SIGTERM raise like Ctrl-C, so that the `with` blocks of labs, and pytest's, clean up before the end."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
