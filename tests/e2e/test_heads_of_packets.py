# SPDX-License-Identifier: Apache-2.0
"""A packet's payload stays in the fragments that it came in: once octets of it are in the head, the receiver merges no
segments, which costs a third of the throughput with 1500-byte packets. No throughput is measured here, but the head of
each packet that a pod receives."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import FAMILIES, LOCAL, REMOTE, SOURCES, way_in

from tests.lab import Lab
from tests.lab.pod import Pod

SIZE = 4_000_000
ETHERNET, TCP_WITH_OPTIONS = 14, 60
IP = {4: 20, 6: 40}

pytestmark = pytest.mark.parametrize("lab", ["routed"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("heads") / "heads.bpf.o"
    subprocess.run(["clang", "-target", "bpf", "-O2", "-g", f"-I/usr/include/{platform.machine()}-linux-gnu", "-c",
                    Path(__file__).with_name("heads.bpf.c"), "-o", target], check=True)
    return target


class Heads:
    """The probe on the packets that a pod receives."""

    def __init__(self, pod: Pod, probe: Path) -> None:
        self.pod = pod
        pod.exec("tc", "qdisc", "add", "dev", "eth0", "clsact")
        pod.exec("tc", "filter", "add", "dev", "eth0", "ingress", "bpf", "da", "obj", str(probe), "sec", "tc")
        program = json.loads(pod.exec("tc", "-j", "filter", "show", "dev", "eth0", "ingress"))[-1]["options"]["prog"]
        self.map = json.loads(pod.exec("bpftool", "-j", "prog", "show", "id", str(program["id"])))["map_ids"][0]

    def read(self) -> list[int]:
        """Packets of 1000 octets and more, the longest head among them."""
        return [entry["formatted"]["value"]
                for entry in json.loads(self.pod.exec("bpftool", "-j", "map", "dump", "id", str(self.map)))]

    def close(self) -> None:
        self.pod.exec("tc", "qdisc", "del", "dev", "eth0", "clsact")


@pytest.fixture
def heads(lab: Lab, place: str, probe: Path) -> Iterator[Heads]:
    found = Heads(lab.pod(f"{place}-1"), probe)
    yield found
    found.close()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", SOURCES)
def test_only_headers_are_pulled_into_the_head(lab: Lab, source: str, place: str, family: int, heads: Heads) -> None:
    client, address, port = way_in(lab, source, place, family)
    client.upload(address, port, SIZE)
    packets, longest = heads.read()
    assert packets > 0
    assert ETHERNET + IP[family] + 20 <= longest <= ETHERNET + IP[family] + TCP_WITH_OPTIONS
