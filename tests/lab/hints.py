# SPDX-License-Identifier: Apache-2.0
"""Commands to try in a lab that stays up, with this lab's names filled in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .lab import Lab
from .nursery import ROOT


def _enter(namespace: str) -> str:
    return f"nsenter --net=/run/netns/{namespace}"


def short(path: Path) -> str:
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def lines(lab: Lab) -> Iterable[str]:
    yield f"Lab {lab.id} stays up. Its places (nsenter --net=/run/netns/NAME ...):"
    for place in [lab.client, lab.router, *lab.nodes, *lab.pods]:
        where = ", ".join(place.addresses.values())
        yield f"  {place.namespace:36} {where}"
    yield "Try, as root:"
    for one in lab.agents[:1]:
        weir, pins = short(one.binary), f"--pin-path {one.pin_path}"
        yield f"  {weir} services {pins}"
        yield f"  {weir} flows {pins}"
        yield f"  {weir} status {pins}"
        yield f"  bpftool map dump pinned {one.pin_path}/maps/frontends"
        yield f"  {_enter(one.node.namespace)} bpftool net"
        for port in _node_ports(lab):
            yield f"  {_enter(lab.client.namespace)} curl http://{lab.node(1).addresses[4]}:{port}/"
    yield f"  edit the objects in {lab.manifests} and look again: the agents follow"
    yield "End it:"
    yield f"  /usr/bin/python3 -m tests.lab down {lab.id}     (in {ROOT})"


def _node_ports(lab: Lab) -> list[int]:
    ports = [port.get("nodePort") for service in lab.services.values() for port in service["spec"].get("ports", [])]
    return [port for port in ports if port][:1]
