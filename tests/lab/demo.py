# SPDX-License-Identifier: Apache-2.0
"""weir with a small web application: two nodes, three pods, a Service, and real requests by every way in."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import hints, netns
from .background import hold_after
from .errors import LabError
from .lab import Lab
from .namespace import Namespace, Reply

MANIFEST = Path(__file__).with_name("manifests") / "webapp.yaml"
REQUESTS = 100
EXCERPT_LINES = 24


@dataclass(frozen=True)
class Way:
    """A way in, and the results of its requests."""

    source: str
    target: str
    address: str
    replies: list[Reply]

    @property
    def failures(self) -> Counter[str]:
        return Counter(reply.error for reply in self.replies if not reply.ok)

    @property
    def shares(self) -> Counter[str]:
        return Counter(reply.pod for reply in self.replies if reply.ok)

    @property
    def clients(self) -> list[str]:
        return sorted({reply.client_address for reply in self.replies if reply.ok})


def ways(lab: Lab) -> list[Way]:
    visitor = lab.pod("visitor")

    def send(source: Namespace, label: str, target: str, address: str, port: int) -> Way:
        replies = source.http_many(address, port, count=REQUESTS)
        shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return Way(label, target, shown, replies)

    found = []
    for service, family in (("web-service", 4), ("web-service-v6", 6)):
        address, port = lab.frontend(service, "ClusterIP", family, node=visitor.node)
        found.append(send(visitor, "pod", "ClusterIP", address, port))
        for node in lab.nodes:
            address, port = lab.frontend(service, "NodePort", family, node=node)
            found.append(send(lab.client, "outside", f"NodePort {node.name}", address, port))
    return found


def table(found: list[Way], pods: list[str]) -> list[str]:
    """One line for each way in; the numbers below a pod's name are the requests that it answered."""
    rows = [["from", "to", "address", "requests", "failed", *pods, "client seen by the pods"]]
    for way in found:
        rows.append([way.source, way.target, way.address, str(len(way.replies)), str(way.failures.total()),
                     *(str(way.shares[pod]) for pod in pods), ", ".join(way.clients)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def check(found: list[Way], pods: list[str]) -> None:
    for way in found:
        where = f"{way.source} -> {way.target} {way.address}"
        if way.failures:
            raise LabError(f"{where}: {way.failures.total()} of {len(way.replies)} requests failed: "
                           + ", ".join(f"{count} x {name}" for name, count in way.failures.items()))
        idle = [pod for pod in pods if not way.shares[pod]]
        if idle:
            raise LabError(f"{where}: no request reached {', '.join(idle)}")


def show(lab: Lab) -> None:
    print(f"\nManifests: {hints.short(MANIFEST)}\n")
    lab.deploy(MANIFEST)
    pods = [pod.name for pod in lab.pods if pod.name != "visitor"]
    for pod in lab.pods:
        print(f"  {pod.name:10} on {pod.node.name}  {pod.addresses[4]:12} {pod.addresses[6]}")
    found = ways(lab)
    print("\n" + "\n".join(table(found, pods)))
    check(found, pods)
    total = sum(len(way.replies) for way in found)
    print(f"\n{total} requests, none failed, every pod took its share.")
    print("An outside client is seen as itself by pods of the node that it came to, and as that node by others.")
    frontends = lab.agents[0].pin_path / "maps" / "frontends"
    print(f"\nWhat the kernel holds: bpftool map dump pinned {frontends}")
    dump = netns.run("bpftool", "map", "dump", "pinned", str(frontends)).splitlines()
    print("\n".join(dump[:EXCERPT_LINES] + (["..."] if len(dump) > EXCERPT_LINES else [])), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the lab up, in the background")
    keep = parser.parse_args().keep

    def work(stay: Callable[[], None]) -> int:
        try:
            with Lab(nodes=2, pods="routed") as lab:
                show(lab)
                if keep:
                    print("\n" + "\n".join(hints.lines(lab)))
                    stay()
        except LabError as error:
            print(f"demo failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
        return 0

    return hold_after(work) if keep else work(lambda: None)


if __name__ == "__main__":
    sys.exit(main())
