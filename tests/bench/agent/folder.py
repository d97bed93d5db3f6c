# SPDX-License-Identifier: Apache-2.0
"""The manifests that an agent reads: Services with EndpointSlices, as an API server writes them in JSON, laid out as a
few large files or as one file per Service."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FEW, MANY = "few", "many"
LARGE_FILES = 4
# In the layout with few files, the Services that change have their own files: the agent would read a rewritten large
# file again as a whole.
CHANGING = 100

SERVICE_PORT, BACKEND_PORT = 80, 8080
FIRST_CLUSTER_IP = int(ipaddress.IPv4Address("10.96.1.0"))  # the lab's serviceCIDR
FIRST_ENDPOINT = int(ipaddress.IPv4Address("10.128.0.0"))   # nothing of the lab's


@dataclass(frozen=True)
class Size:
    services: int
    endpoints: int = 0  # of each Service, at most 64: one EndpointSlice

    def __str__(self) -> str:
        return f"{self.services:,} x {self.endpoints}" if self.services else "0"


def cluster_ip(number: int) -> str:
    return str(ipaddress.IPv4Address(FIRST_CLUSTER_IP + number))


def _metadata(name: str, number: int, labels: dict[str, str]) -> dict:
    return {"name": name, "namespace": "apps", "uid": f"5f0c6a4e-0000-4000-8000-{number:012}",
            "resourceVersion": str(100_000 + number), "creationTimestamp": "2026-01-01T00:00:00Z", "labels": labels}


def _objects(number: int, endpoints: int) -> list[dict]:
    name = f"service-{number}"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(name, number, {"app": name}),
               "spec": {"type": "ClusterIP", "clusterIP": cluster_ip(number), "selector": {"app": name},
                        "ports": [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": BACKEND_PORT}]}}
    first = FIRST_ENDPOINT + number * 64
    slice_ = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
              "metadata": _metadata(f"{name}-1", number, {"kubernetes.io/service-name": name}),
              "ports": [{"name": "http", "port": BACKEND_PORT, "protocol": "TCP"}],
              "endpoints": [{"addresses": [str(ipaddress.IPv4Address(first + i))], "nodeName": f"node-{i % 100}",
                             "conditions": {"ready": True, "serving": True, "terminating": False}}
                            for i in range(endpoints)]}
    return [service, slice_]


class Folder:
    """A folder on disk, with the Services that the benchmark changes."""

    def __init__(self, path: Path, size: Size, layout: str) -> None:
        self.path = path
        self.size = size
        self.changing = list(range(0, size.services, max(1, size.services // CHANGING)))[:CHANGING]
        path.mkdir(parents=True)
        for name, numbers in self._files(layout):
            self._write(path / name, numbers, size.endpoints)

    @property
    def files(self) -> int:
        return sum(1 for _ in self.path.iterdir())

    def prepare(self, number: int, less: bool) -> Path:
        """Writes a Service with or without its last endpoint to a file aside; a rename to `file_of` makes it count."""
        unfinished = self.path / ".unfinished"
        self._write(unfinished, [number], self.size.endpoints - less)
        return unfinished

    def file_of(self, number: int) -> Path:
        return self.path / f"service-{number}.json"

    def _files(self, layout: str) -> Iterator[tuple[str, Iterable[int]]]:
        if not self.size.services:
            return
        if layout == FEW:
            alone = set(self.changing)
            others = [number for number in range(self.size.services) if number not in alone]
            for part in range(LARGE_FILES):
                yield f"part-{part}.json", others[part::LARGE_FILES]
        for number in self.changing if layout == FEW else range(self.size.services):
            yield self.file_of(number).name, [number]

    @staticmethod
    def _write(path: Path, numbers: Iterable[int], endpoints: int) -> None:
        items = [one for number in numbers for one in _objects(number, endpoints)]
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, separators=(",", ":")))
