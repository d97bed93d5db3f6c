# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel's maps match the objects: compares a deliberately simple reading of the objects with weir's
listings. It only serves to wait; weir's own tests check the rules in full."""

from __future__ import annotations

from collections.abc import Iterable

from . import addresses, manifests
from .agent import Frontend
from .manifests import PodSpec

Backends = set[str]


def _usable(service: dict, pods: Iterable[PodSpec]) -> list[PodSpec]:
    selected = [pod for pod in pods if manifests.selects(service, pod)]
    return [pod for pod in selected if pod.ready and not pod.terminating] or \
        [pod for pod in selected if pod.ready]


def cluster_sets(services: dict[str, dict], pods: Iterable[PodSpec]) -> dict[tuple[str, int, str, int], Backends]:
    """(service, port, protocol, family) -> addresses of the backends that cluster traffic may go to."""
    pods = list(pods)
    found = {}
    for key, service in services.items():
        if not manifests.is_balanced(service):
            continue
        usable = _usable(service, pods)
        for port in service["spec"].get("ports", []):
            for family in manifests.families_of(service):
                targets = {addresses.endpoint(pod.addresses[family], number) for pod in usable
                           if (number := manifests.target_number(port, pod))}
                found[key, port["port"], port.get("protocol", "TCP"), family] = targets
    return found


def difference(services: dict[str, dict], pods: Iterable[PodSpec], listed: list[Frontend]) -> str:
    """Empty if the listing agrees; else the first difference."""
    wanted = cluster_sets(services, pods)
    for frontend in listed:
        if frontend.service not in services:
            return f"{frontend.service} is still there"
        if not _comparable(services[frontend.service]):
            continue
        choices = [targets for (key, _, protocol, family), targets in wanted.items()
                   if (key, protocol, family) == (frontend.service, frontend.protocol, frontend.family)]
        if frontend.kind == "ClusterIP":
            choices = [wanted.get((frontend.service, frontend.port, frontend.protocol, frontend.family))]
        if frontend.cluster not in choices:
            return f"{frontend.service} has {sorted(frontend.cluster)} at {frontend.address}:{frontend.port}"
    for key, port, protocol, family in wanted:
        kinds = {"ClusterIP"}
        if services[key]["spec"].get("type") in ("NodePort", "LoadBalancer"):
            kinds.add("NodePort")
        present = {frontend.kind for frontend in listed
                   if (frontend.service, frontend.protocol, frontend.family) == (key, protocol, family)
                   and (frontend.kind != "ClusterIP" or frontend.port == port)}
        if not kinds <= present:
            return f"{key} port {port}/{protocol} has no {', '.join(sorted(kinds - present))} for IPv{family}"
    return ""


def _comparable(service: dict) -> bool:
    """Whether the cluster set is simply all usable pods."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("internalTrafficPolicy", "Cluster") == "Cluster"
