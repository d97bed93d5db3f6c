# SPDX-License-Identifier: Apache-2.0
"""The traffic of clients: real sockets in the namespace of the calling process; results are plain values."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import socket
import struct
import threading
import time

from . import content
from .addresses import endpoint

READ_SIZE = 256 * 1024
# linux/in.h, linux/in6.h: not in Python's socket module
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2
IP_RECVERR, IPV6_RECVERR = 11, 25


def error_name(error: Exception) -> str:
    """ECONNREFUSED, EHOSTUNREACH, ...; `timeout`; or the HTTP library's name for the error."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return "timeout"
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    return type(error).__name__


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class HttpConnection:
    """One TCP connection that carries any number of requests; it never reconnects by itself."""

    def __init__(self, address: str, port: int, source_port: int = 0, timeout: float = 10) -> None:
        self._socket = socket.socket(family_of(address), socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            if source_port:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._socket.bind(("", source_port))
            self._socket.connect((address, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = endpoint(*self._socket.getsockname()[:2])
        self.peer = endpoint(*self._socket.getpeername()[:2])
        self._http = http.client.HTTPConnection("lab")
        self._http.auto_open = 0
        self._http.sock = self._socket

    def __enter__(self) -> HttpConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()
        self._socket.close()

    def get(self, path: str = "/") -> dict:
        """The answer of a pod, and the connection's own address."""
        return json.loads(self._exchange("GET", path).read()) | {"local": self.local}

    def download(self, size: int) -> dict:
        response = self._exchange("GET", f"/bytes/{size}")
        whole = hashlib.sha256()
        received = 0
        buffer = memoryview(bytearray(READ_SIZE))
        while length := response.readinto(buffer):
            whole.update(buffer[:length])
            received += length
        return {"bytes": received, "sha256": whole.hexdigest()}

    def upload(self, size: int) -> dict:
        response = self._exchange("POST", "/sink", content.blocks(size), {"Content-Length": str(size)})
        return json.loads(response.read())

    def _exchange(self, method: str, path: str, body: object = None,
                  headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        self._http.request(method, path, body=body, headers=headers or {})
        response = self._http.getresponse()
        if response.status != 200:
            raise OSError(f"{method} {path}: HTTP status {response.status}")
        return response


def http_get(address: str, port: int, path: str, source_port: int, timeout: float) -> dict:
    """One request on a connection of its own: the pod's answer or {"error"}."""
    try:
        with HttpConnection(address, port, source_port, timeout) as connection:
            return connection.get(path)
    except (OSError, http.client.HTTPException) as error:
        return {"error": error_name(error)}


def fetch(address: str, port: int, path: str, method: str, timeout: float) -> dict:
    """Any answer of an HTTP server, also an error."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return {"status": answer.status, "headers": {name.lower(): value for name, value in answer.getheaders()},
                "body": answer.read().decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        return {"error": error_name(error)}
    finally:
        connection.close()


def udp_request(address: str, port: int, data: str, source_port: int, timeout: float) -> dict:
    """Sends a datagram and returns its answer, or {"error"}. The socket is connected, so it sees ICMP errors and does
    not accept an answer from elsewhere."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            if source_port:
                sock.bind(("", source_port))
            sock.connect((address, port))
            sock.send(data.encode("latin-1"))
            return json.loads(sock.recv(65535)) | {"local": endpoint(*sock.getsockname()[:2])}
        except OSError as error:
            return {"error": error_name(error)}


def udp_hops(address: str, port: int, hops: int, timeout: float) -> dict:
    """Sends a datagram with this hop limit and returns the error that comes back: {"error"}."""
    v6 = ":" in address
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        if v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        try:
            sock.connect((address, port))
            sock.send(b"weir")
            sock.recv(65535)
        except OSError as error:
            return {"error": error_name(error)}
    return {"error": ""}


class DatagramSocket:
    """A UDP socket that stays open, connected (port not 0) or not."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.socket(family_of(address), socket.SOCK_DGRAM)
        self.peer = ""
        if port:
            try:
                self._socket.connect((address, port))
            except OSError:
                self._socket.close()
                raise
            self.peer = endpoint(*self._socket.getpeername()[:2])

    def ask(self, address: str, port: int, timeout: float) -> dict:
        """Sends a datagram to this address (empty: to the peer) and returns the answer with its source address."""
        try:
            if address:
                self._socket.sendto(b"weir", (address, port))
            else:
                self._socket.send(b"weir")
        except OSError as error:
            return {"error": error_name(error)}
        return self.wait(timeout)

    def wait(self, timeout: float) -> dict:
        self._socket.settimeout(timeout)
        try:
            data, source = self._socket.recvfrom(65535)
            return json.loads(data) | {"source": endpoint(*source[:2])}
        except OSError as error:
            return {"error": error_name(error)}

    def close(self) -> None:
        self._socket.close()


def ping(address: str, payload: int, timeout: float) -> dict:
    """Sends one echo request that must not be fragmented on the way: {} or {"error"}."""
    v6 = ":" in address
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    identifier = int.from_bytes(os.urandom(2), "big")
    message = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, identifier, 1) + bytes(payload)
    if not v6:
        message = message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]
    wanted = struct.pack("!HH", identifier, 1)
    with socket.socket(family_of(address), socket.SOCK_RAW, protocol) as sock:
        if v6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        deadline = time.monotonic() + timeout
        try:
            sock.connect((address, 0))
            sock.send(message)
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                answer = sock.recv(65535)
                answer = answer if v6 else answer[(answer[0] & 15) * 4:]
                if answer[0] == (129 if v6 else 0) and answer[4:8] == wanted:
                    return {}
        except OSError as error:
            return {"error": error_name(error)}
    return {"error": "timeout"}


def internet_checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Transfer:
    """One connection kept busy until `stop`, for tests that a connection survives some event."""

    def __init__(self, address: str, port: int, upload: bool, piece: int, timeout: float) -> None:
        self._connection = HttpConnection(address, port, timeout=timeout)
        self._step = self._connection.upload if upload else self._connection.download
        self._piece = piece
        self._stop = threading.Event()
        self._state = {"bytes": 0, "pieces": 0, "error": None, "longest_piece_seconds": 0.0}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def progress(self) -> dict:
        return dict(self._state)

    def stop(self) -> dict:
        """Lets the piece under way finish."""
        self._stop.set()
        self._thread.join()
        self._connection.close()
        return self.progress()

    def _run(self) -> None:
        expected = {"bytes": self._piece, "sha256": content.digest(self._piece)}
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                got = self._step(self._piece)
            except (OSError, http.client.HTTPException) as error:
                self._state["error"] = error_name(error)
                return
            if got != expected:
                self._state["error"] = f"content differs: {got} instead of {expected}"
                return
            self._state["bytes"] += self._piece
            self._state["pieces"] += 1
            longest = self._state["longest_piece_seconds"]
            self._state["longest_piece_seconds"] = max(longest, time.monotonic() - begin)
