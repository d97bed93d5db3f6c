# SPDX-License-Identifier: Apache-2.0
"""The server of a pod. On each of its ports, over IPv4 and IPv6, it answers with its name and the client's address.

HTTP: GET / -> {"pod", "client", "server"}; GET /bytes/N -> N bytes of tests.lab.content; POST or PUT /sink -> {"bytes",
"sha256"} of the body. Connections are kept alive. UDP: {"pod", "client", "server", "data"}, data being what was sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

from . import content
from .addresses import endpoint

READ_SIZE = 256 * 1024


class HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment

    def do_GET(self) -> None:
        if self.path.startswith("/bytes/") and self.path[7:].isdigit():
            size = int(self.path[7:])
            self._head("application/octet-stream", size)
            for block in content.blocks(size):
                self.wfile.write(block)
            return
        self._answer({"pod": self.server.pod, "client": endpoint(*self.client_address[:2]),
                      "server": endpoint(*self.connection.getsockname()[:2])})

    def do_POST(self) -> None:
        left = int(self.headers.get("Content-Length", 0))
        whole = hashlib.sha256()
        received = 0
        while left > 0 and (piece := self.rfile.read1(min(left, READ_SIZE))):
            whole.update(piece)
            received += len(piece)
            left -= len(piece)
        self._answer({"bytes": received, "sha256": whole.hexdigest()})

    do_PUT = do_POST

    def _answer(self, value: dict) -> None:
        body = json.dumps(value).encode()
        self._head("application/json", len(body))
        self.wfile.write(body)

    def _head(self, kind: str, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing: the client counts its requests."""


class UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        answer = {"pod": self.server.pod, "client": endpoint(*self.client_address[:2]),
                  "server": endpoint(*sock.getsockname()[:2]), "data": data.decode("latin-1")}
        sock.sendto(json.dumps(answer).encode(), self.client_address)


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 4096

    def handle_error(self, request: object, client_address: object) -> None:
        """Reports nothing: if a client leaves in the middle, its test deals with that."""


class UdpServer(socketserver.UDPServer):
    allow_reuse_address = True
    max_packet_size = 65535


def _start(base: type, family: socket.AddressFamily, port: int, handler: type, pod: str) -> None:
    kind = type(base.__name__, (base,), {"address_family": family})
    listener = kind(("", port), handler, bind_and_activate=False)
    if family == socket.AF_INET6:
        # The IPv4 server has the same port, and it shall see clients' IPv4 addresses as such.
        listener.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.pod = pod
    listener.server_bind()
    listener.server_activate()
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()


def serve(control: socket.socket, pod: str, tcp: list[int], udp: list[int]) -> None:
    """Answers until the process ends; says `ready`, or what went wrong, on the control socket."""
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for port in tcp:
                _start(TcpServer, family, port, HttpHandler, pod)
            for port in udp:
                _start(UdpServer, family, port, UdpHandler, pod)
    except OSError as error:
        control.sendall(f"{pod}: {error}".encode())
        return
    control.sendall(b"ready")
    control.recv(1)
    os._exit(0)
