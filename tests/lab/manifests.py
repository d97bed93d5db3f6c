# SPDX-License-Identifier: Apache-2.0
"""Turns manifests into the objects that the API server would then hold: plain objects in, plain objects out.

The lab plays the parts of the controllers that weir relies on: workloads become Pods with addresses and conditions,
nodes become Node objects, balancers get an address. Cluster IPs and node ports are left to weir unless they are given.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from . import addresses
from .errors import LabError

WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet")
HOSTNAME_LABEL = "kubernetes.io/hostname"
AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler"
Manifest = str | Path | dict | Iterable[dict]


def read(manifest: Manifest) -> list[dict]:
    """Objects of a file, of text, or as they are; Lists are unpacked."""
    if isinstance(manifest, Path):
        manifest = manifest.read_text()
    if isinstance(manifest, str):
        try:
            manifest = [document for document in yaml.safe_load_all(manifest) if document]
        except yaml.YAMLError as error:
            raise LabError(f"a manifest is not YAML: {error}") from error
    elif isinstance(manifest, dict):
        manifest = [manifest]
    found: list[dict] = []
    for item in manifest:
        found += item["items"] if item.get("kind", "").endswith("List") and "items" in item else [item]
    return found


def key_of(item: dict) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', 'default')}/{metadata['name']}"


@dataclass(frozen=True)
class Port:
    number: int
    protocol: str = "TCP"
    name: str = ""


@dataclass
class PodSpec:
    """A pod, planned or running."""

    name: str
    namespace: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    ports: list[Port] = field(default_factory=list)
    node: str = ""
    owner: str = ""  # key of the workload
    addresses: dict[int, str] = field(default_factory=dict)
    ready: bool = True
    terminating: bool = False

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def object(self) -> dict:
        metadata: dict = {"name": self.name, "namespace": self.namespace, "labels": self.labels}
        if self.terminating:
            metadata |= {"deletionTimestamp": "2000-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
        ports = [{"containerPort": port.number, "protocol": port.protocol} | ({"name": port.name} if port.name else {})
                 for port in self.ports]
        pod_ips = [{"ip": self.addresses[family]} for family in addresses.FAMILIES]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {"nodeName": self.node, "containers": [{"name": "main", "image": "lab", "ports": ports}]},
                "status": {"phase": "Running", "podIP": self.addresses[4], "podIPs": pod_ips,
                           "conditions": [{"type": "Ready", "status": str(self.ready)}]}}


def replicas_of(workload: dict) -> int:
    return workload["spec"].get("replicas", 1)


def pod_of(workload: dict, number: int) -> PodSpec:
    template = workload["spec"]["template"]
    metadata = workload["metadata"]
    return _pod(f"{metadata['name']}-{number}", metadata.get("namespace", "default"),
                template.get("metadata", {}), template["spec"], owner=key_of(workload))


def bare_pod(item: dict) -> PodSpec:
    metadata = item["metadata"]
    return _pod(metadata["name"], metadata.get("namespace", "default"), metadata, item["spec"])


def _pod(name: str, namespace: str, metadata: dict, spec: dict, owner: str = "") -> PodSpec:
    ports = [Port(port["containerPort"], port.get("protocol", "TCP"), port.get("name", ""))
             for container in spec.get("containers", []) for port in container.get("ports", [])]
    node = spec.get("nodeName") or spec.get("nodeSelector", {}).get(HOSTNAME_LABEL, "")
    return PodSpec(name, namespace, dict(metadata.get("labels", {})), ports, node, owner)


def selects(service: dict, pod: PodSpec) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and service["metadata"].get("namespace", "default") == pod.namespace and \
        selector.items() <= pod.labels.items()


def target_number(service_port: dict, pod: PodSpec) -> int | None:
    """The pod's port that a service port targets; None: a name that the pod does not have."""
    target = service_port.get("targetPort", service_port["port"])
    if isinstance(target, int):
        return target
    for port in pod.ports:
        if port.name == target and port.protocol == service_port.get("protocol", "TCP"):
            return port.number
    return None


def answered_ports(pod: PodSpec, services: Iterable[dict]) -> dict[str, list[int]]:
    """The container's ports and, since declaring them is optional, those that Services send to; by protocol."""
    found: dict[str, set[int]] = {"TCP": set(), "UDP": set()}
    for port in pod.ports:
        found.setdefault(port.protocol, set()).add(port.number)
    for service in services:
        if selects(service, pod):
            for port in service["spec"].get("ports", []):
                number = target_number(port, pod)
                if number:
                    found.setdefault(port.get("protocol", "TCP"), set()).add(number)
    return {protocol: sorted(numbers) for protocol, numbers in found.items()}


def families_of(service: dict) -> list[int]:
    spec = service["spec"]
    if spec.get("ipFamilies"):
        return [4 if family == "IPv4" else 6 for family in spec["ipFamilies"]]
    given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    if given:
        return [6 if ":" in address else 4 for address in given]
    return [4, 6] if spec.get("ipFamilyPolicy", "SingleStack") != "SingleStack" else [4]


def is_balanced(service: dict) -> bool:
    return service["spec"].get("type") != "ExternalName" and service["spec"].get("clusterIP") != "None"


def with_balancer(service: dict, number: int) -> dict:
    """A Service of type LoadBalancer with the address that a cloud would give it."""
    if service["spec"].get("type") != "LoadBalancer" or service.get("status"):
        return service
    ingress = [{"ip": addresses.load_balancer(family, number)} for family in families_of(service)]
    return service | {"status": {"loadBalancer": {"ingress": ingress}}}


def node_object(name: str, node_addresses: dict[int, str], pod_cidrs: list[str], zone: str,
                leaving: bool = False) -> dict:
    listed = [{"type": "InternalIP", "address": node_addresses[family]} for family in addresses.FAMILIES]
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {HOSTNAME_LABEL: name, "topology.kubernetes.io/zone": zone}},
            "spec": {"podCIDR": pod_cidrs[0], "podCIDRs": pod_cidrs,
                     "taints": [{"key": AUTOSCALER_TAINT, "effect": "NoSchedule"}] if leaving else []},
            "status": {"addresses": [*listed, {"type": "Hostname", "address": name}],
                       "conditions": [{"type": "Ready", "status": "True"}]}}


def write(folder: Path, name: str, items: Iterable[dict]) -> None:
    """Replaces folder/name.yaml in one step: a reader sees the old objects or the new ones."""
    write_text(folder / f"{name}.yaml", yaml.safe_dump_all(items, sort_keys=False))


def write_text(path: Path, text: str) -> None:
    # Writes beside the folder first, so that no agent reads the unfinished file as a manifest.
    unfinished = path.parent.parent / f".{path.name}.unfinished"
    unfinished.write_text(text)
    os.replace(unfinished, path)
