# SPDX-License-Identifier: Apache-2.0
"""The generator's frames, checked one by one at the other end of a veth: checksums, ranges, number of flows."""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.lab import netns
from tests.lab.forkserver import enter_network

TOOL = Path(os.environ.get("WEIR_BENCH_TOOLS", Path(__file__).resolve().parents[2] / "build/tests/bench")) / \
    "weir-bench-generate"
MAC = "02:00:00:00:00:02"
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33


@pytest.fixture
def wire() -> Iterator[tuple[str, socket.socket]]:
    """A namespace with an interface `near`, and a socket that sees what arrives at its peer."""
    near, far = (f"weir-generate-{secrets.token_hex(3)}" for _ in range(2))
    netns.create([near, far])
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        netns.batch(near, [f"link add near type veth peer name far netns {far}", "link set near up"])
        netns.batch(far, [f"link set far address {MAC} up"])
        netns.run("ip", "netns", "exec", far, "ethtool", "-K", "far", "gro", "on")
        enter_network(f"/run/netns/{far}")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as seen:
            enter_network(f"/proc/self/fd/{own}")
            seen.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
            seen.bind(("far", 0))
            seen.setblocking(False)
            yield near, seen
    finally:
        enter_network(f"/proc/self/fd/{own}")
        os.close(own)
        netns.delete([near, far])


def total(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    value = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value


def read(frame: bytes) -> tuple[str, int, str, int, int] | None:
    """(source, port, destination, port, protocol) of a frame whose checksums are right; None: not the generator's."""
    if frame[:6] != bytes.fromhex(MAC.replace(":", "")):
        return None
    if frame[12:14] == b"\x08\x00":
        header, protocol, size = frame[14:34], frame[23], struct.unpack("!H", frame[16:18])[0]
        assert total(header) == 0xffff
        addresses, l4 = header[12:20], frame[34:14 + size]
        assert len(frame) == 14 + size
    else:
        protocol, addresses, l4 = frame[20], frame[22:54], frame[54:]
        assert len(l4) == struct.unpack("!H", frame[18:20])[0]
    assert total(addresses + struct.pack("!IHH", len(l4), 0, protocol) + l4) == 0xffff
    half = len(addresses) // 2
    source, destination = (str(ip_address(part)) for part in (addresses[:half], addresses[half:]))
    return source, *struct.unpack("!H", l4[:2]), destination, *struct.unpack("!H", l4[2:4]), protocol


def sent(wire: tuple[str, socket.socket], *options: str) -> list[tuple[str, int, str, int, int]]:
    near, seen = wire
    told = json.loads(netns.run("ip", "netns", "exec", near, str(TOOL), "--interface", "near", "--destination-mac", MAC,
                                *options))
    found = []
    while True:
        try:
            frame = seen.recv(2048)
        except BlockingIOError:
            break
        if flow := read(frame):
            found.append(flow)
    assert len(found) == told["sent"]
    return found


@pytest.mark.parametrize("options, sources, destination, protocol", [
    (("-d", "192.0.2.1"), "198.18.0.0/15", "192.0.2.1/32", 17),
    (("-d", "192.0.2.0/24", "--protocol", "tcp", "--size", "101"), "198.18.0.0/15", "192.0.2.0/24", 6),
    (("-d", "2001:db8::1", "-s", "2001:db8:1::/96"), "2001:db8:1::/96", "2001:db8::1/128", 17),
    (("-d", "2001:db8::/112", "-s", "2001:db8:1::7", "--protocol", "tcp"), "2001:db8:1::7/128", "2001:db8::/112", 6),
])
def test_frames_are_right_and_every_one_is_a_flow_of_its_own(wire: tuple[str, socket.socket], options: tuple[str, ...],
                                                              sources: str, destination: str, protocol: int) -> None:
    found = sent(wire, *options, "--count", "500")
    assert len(found) == 500
    assert {flow[4] for flow in found} == {protocol}
    assert all(ip_address(flow[0]) in ip_network(sources) for flow in found)
    assert all(ip_address(flow[2]) in ip_network(destination) for flow in found)
    if "/128" not in sources:
        assert len(set(found)) == 500


def test_flows_and_ports_are_as_many_as_asked_for(wire: tuple[str, socket.socket]) -> None:
    found = sent(wire, "-d", "192.0.2.1", "--count", "2000", "--flows", "100", "--source-ports", "7000-7009",
                 "--destination-ports", "80-81")
    assert len(set(found)) == 100
    assert {flow[1] for flow in found} == set(range(7000, 7010))
    assert {flow[3] for flow in found} == {80, 81}
    assert len({flow[0] for flow in found}) == 10


@pytest.mark.parametrize("options, complaint", [
    (("-d", "nowhere"), "neither an address nor a prefix"), (("-d", "2001:db8::1"), "different families"),
    (("-d", "192.0.2.1", "--source-ports", "9-8"), "no range of ports"),
    (("-d", "192.0.2.1", "--destination-mac", "02"), "no MAC address"),
    (("-d", "192.0.2.1", "--protocol", "tcp", "--flags", "sin"), "no TCP flag"),
])
def test_wrong_options_are_explained(options: tuple[str, ...], complaint: str) -> None:
    mac = () if "--destination-mac" in options else ("--destination-mac", MAC)
    done = subprocess.run([TOOL, "--interface", "lo", *mac, *options, "--count", "1"], capture_output=True, text=True)
    assert done.returncode != 0
    assert complaint in done.stderr
