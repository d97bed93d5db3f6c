# SPDX-License-Identifier: Apache-2.0
"""A flood from spoofed sources, sent from the network namespace that it runs in:

    flood.py KIND ADDRESS PORT COUNT

KIND: syn, ack, udp, or syn+ack: each source follows its SYN up with an ACK that guesses (twice, so that an answer
between them changes nothing). Sources are of 198.18.0.0/15 (RFC 2544), which nobody in a lab has."""

from __future__ import annotations

import random
import socket
import struct
import sys

SYN, ACK = 0x02, 0x10
FLAGS = {"syn": [SYN], "ack": [ACK, ACK], "syn+ack": [SYN, ACK, ACK]}


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(source: bytes, destination: bytes, protocol: int, segment: bytes, at: int) -> bytes:
    pseudo = source + destination + struct.pack("!BBH", 0, protocol, len(segment))
    segment = segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0, source,
                       destination) + segment


def packets(kind: str, address: str, port: int, count: int, numbers: random.Random) -> list[bytes]:
    destination = socket.inet_aton(address)
    made = []
    while len(made) < count:
        source = struct.pack("!I", 0xc6120000 | numbers.getrandbits(17))
        source_port = numbers.randrange(1024, 65536)
        if kind == "udp":
            segment = struct.pack("!HHHH", source_port, port, 12, 0) + b"weir"
            made += [packet(source, destination, socket.IPPROTO_UDP, segment, 6)] * 2
            continue
        for flags in FLAGS[kind]:
            segment = struct.pack("!HHIIBBHHH", source_port, port, 1, numbers.getrandbits(32), 0x50, flags, 64240, 0, 0)
            made.append(packet(source, destination, socket.IPPROTO_TCP, segment, 16))
    return made


def main() -> None:
    kind, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    numbers = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for one in packets(kind, address, port, count, numbers):
            sock.sendto(one, (address, 0))


if __name__ == "__main__":
    main()
