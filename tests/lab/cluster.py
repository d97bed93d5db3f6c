# SPDX-License-Identifier: Apache-2.0
"""The objects of a lab and the pods that run for them: its API server, scheduler and kubelets in one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import addresses, manifests, netns, topology
from .errors import LabError
from .manifests import Manifest, PodSpec
from .pod import Pod
from .podnet import PodNetwork
from .topology import Node, Topology

PASSED_ON = ("EndpointSlice", "Endpoints")


class Cluster:
    """Every method keeps objects and pods consistent; `write` makes the objects visible to the agents."""

    def __init__(self, prefix: str, place: Topology, network: PodNetwork, folder: Path) -> None:
        self._prefix = prefix
        self._topology = place
        self._network = network
        self._folder = folder
        self._workloads: dict[str, dict] = {}
        self._others: dict[str, dict] = {}
        self._numbers: dict[int, int] = {}  # by node: the last pod's number; 1 is the gateway's
        self.services: dict[str, dict] = {}
        self.pods: dict[str, Pod] = {}
        self.leaving: set[str] = set()  # nodes that the autoscaler is about to delete

    def apply(self, manifest: Manifest) -> None:
        """Like `kubectl apply`. Kinds without a meaning for a balancer are left out."""
        bare = []
        for item in manifests.read(manifest):
            kind, key = item.get("kind"), manifests.key_of(item)
            if kind == "Service":
                self.services[key] = manifests.with_balancer(item, len(self.services) + 1)
            elif kind in manifests.WORKLOADS:
                self._workloads[key] = item
            elif kind == "Pod":
                bare.append(manifests.bare_pod(item))
            elif kind in PASSED_ON:
                self._others[f"{kind} {key}"] = item
        self._run([pod for pod in bare if pod.key not in self.pods])
        for key, workload in self._workloads.items():
            self._scale(key, manifests.replicas_of(workload))
        for pod in self.pods.values():
            pod.serve(manifests.answered_ports(pod.spec, self.services.values()))

    def delete(self, kind: str, key: str) -> None:
        """Deletes an object and the pods that run for it."""
        if kind == "Service":
            del self.services[key]
        elif kind in manifests.WORKLOADS:
            self._scale(key, 0)
            del self._workloads[key]
        elif kind == "Pod":
            self.remove(self.pods[key])
        else:
            del self._others[f"{kind} {key}"]

    def scale(self, key: str, replicas: int) -> None:
        if key not in self._workloads:
            raise LabError(f"no workload {key} has been deployed")
        workload = self._workloads[key]
        self._workloads[key] = workload | {"spec": workload["spec"] | {"replicas": replicas}}
        self._scale(key, replicas)

    def forget(self, pod: Pod) -> None:
        """Removes a pod's object; the pod itself still runs."""
        del self.pods[pod.spec.key]
        if pod.spec.owner in self._workloads:
            workload = self._workloads[pod.spec.owner]
            remaining = len(self._owned(pod.spec.owner))
            self._workloads[pod.spec.owner] = workload | {"spec": workload["spec"] | {"replicas": remaining}}

    def stop(self, pods: Iterable[Pod]) -> None:
        """Ends the pods themselves."""
        pods = list(pods)
        for pod in pods:
            pod.close()
            self._network.detach(pod.node, pod.number)
        netns.delete([pod.namespace for pod in pods])

    def remove(self, pod: Pod) -> None:
        self.forget(pod)
        self.stop([pod])

    def write(self) -> None:
        nodes = [manifests.node_object(node.name, node.addresses,
                                       [addresses.pod_cidr(family, node.index) for family in addresses.FAMILIES],
                                       zone=f"zone-{node.index}", leaving=node.name in self.leaving) for node in self._topology.nodes]
        manifests.write(self._folder, "nodes", nodes)
        manifests.write(self._folder, "pods", [pod.spec.object() for pod in self.pods.values()])
        manifests.write(self._folder, "services", [*self.services.values(), *self._others.values()])

    def _owned(self, key: str) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.spec.owner == key]

    def _scale(self, key: str, replicas: int) -> None:
        owned = self._owned(key)
        leaving = owned[replicas:]
        for pod in leaving:
            del self.pods[pod.spec.key]
        self.stop(leaving)
        taken = {pod.spec.key for pod in owned}
        new: list[PodSpec] = []
        number = 0
        while len(owned) + len(new) < replicas:
            number += 1
            spec = manifests.pod_of(self._workloads[key], number)
            if spec.key not in taken:
                new.append(spec)
        self._run(new)

    def _run(self, specs: list[PodSpec]) -> None:
        """Places the pods, wires them and starts their servers."""
        pods = []
        for spec in specs:
            node = self._place(spec)
            number = self._numbers.get(node.index, 1) + 1
            if number > 254:
                raise LabError(f"{node.name} has had 253 pods; its subnet holds no more")
            self._numbers[node.index] = number
            spec.node = node.name
            spec.addresses = {family: addresses.pod(family, node.index, number) for family in addresses.FAMILIES}
            pod = Pod(name=spec.name, namespace=f"{self._prefix}-{spec.namespace}-{spec.name}",
                      nursery=node.nursery, addresses=spec.addresses, cgroup=node.cgroup, spec=spec, node=node,
                      number=number)
            self.pods[spec.key] = pod
            pods.append(pod)
        netns.create([pod.namespace for pod in pods])
        for pod in pods:
            topology.prepare(pod, forwarding=False)
            self._network.attach(pod, pod.node, pod.number)
            pod.serve(manifests.answered_ports(pod.spec, self.services.values()))

    def _place(self, spec: PodSpec) -> Node:
        """The node asked for, or the one with the fewest pods of this kind, then with the fewest: round-robin."""
        if spec.node:
            for node in self._topology.nodes:
                if node.name == spec.node:
                    return node
            raise LabError(f"pod {spec.key} wants node {spec.node}; there is no such node in this lab")
        def load(node: Node) -> tuple[int, int, int]:
            here = [pod for pod in self.pods.values() if pod.node is node]
            return sum(pod.spec.owner == spec.owner for pod in here), len(here), node.index
        return min(self._topology.nodes, key=load)
