# SPDX-License-Identifier: Apache-2.0
"""A flood from spoofed sources, sent from the network namespace that it runs in:

    flood.py KIND ADDRESS PORT FLOWS

For each line that it reads it sends a burst of FLOWS new flows, and answers with a line when they are on their way.
KIND: syn, ack, udp, or syn+ack: each source follows its SYN up with an ACK that guesses (twice, so that an answer
between them changes nothing). Sources are of 198.18.0.0/15 (RFC 2544), which no host in a lab has."""

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


def flow(kind: str, destination: bytes, port: int, numbers: random.Random) -> list[bytes]:
    source = struct.pack("!I", 0xc6120000 | numbers.getrandbits(17))
    source_port = numbers.randrange(1024, 65536)
    if kind == "udp":
        segment = struct.pack("!HHHH", source_port, port, 12, 0) + b"weir"
        return [packet(source, destination, socket.IPPROTO_UDP, segment, 6)] * 2
    segments = [struct.pack("!HHIIBBHHH", source_port, port, 1, numbers.getrandbits(32), 0x50, flags, 64240, 0, 0)
                for flags in FLAGS[kind]]
    return [packet(source, destination, socket.IPPROTO_TCP, segment, 16) for segment in segments]


def main() -> None:
    kind, address, port, flows = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    destination, numbers = socket.inet_aton(address), random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        while True:
            burst = [one for _ in range(flows) for one in flow(kind, destination, port, numbers)]
            if not sys.stdin.readline():
                return
            for one in burst:
                sock.sendto(one, (address, 0))
            print("sent", flush=True)


if __name__ == "__main__":
    main()
