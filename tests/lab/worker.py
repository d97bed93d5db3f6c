# SPDX-License-Identifier: Apache-2.0
"""A namespace's worker process: it carries out requests of the lab inside the namespace, each in a thread.

Requests and answers are lines of JSON: {"id", "op", "args"} -> {"id", "result"} or {"id", "error"}.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import traffic


class Operations:
    """One method for each `op`."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._connections: dict[int, traffic.HttpConnection] = {}
        self._transfers: dict[int, traffic.Transfer] = {}
        self._datagrams: dict[int, traffic.DatagramSocket] = {}

    def http(self, address: str, port: int, path: str, source_ports: list[int], timeout: float,
             parallel: int) -> list[dict]:
        """A new connection from each of the source ports (0: any)."""
        def one(source_port: int) -> dict:
            return traffic.http_get(address, port, path, source_port, timeout)
        return self._each(one, source_ports, parallel)

    def udp(self, address: str, port: int, data: str, source_ports: list[int], timeout: float,
            parallel: int) -> list[dict]:
        def one(source_port: int) -> dict:
            return traffic.udp_request(address, port, data, source_port, timeout)
        return self._each(one, source_ports, parallel)

    def udp_hops(self, **args: object) -> dict:
        return traffic.udp_hops(**args)

    def fetch(self, **args: object) -> dict:
        return traffic.fetch(**args)

    def ping(self, **args: object) -> dict:
        return traffic.ping(**args)

    def open(self, address: str, port: int, count: int, source_port: int, timeout: float) -> list[dict]:
        """Connections that stay open."""
        opened = []
        for _ in range(count):
            number = next(self._numbers)
            self._connections[number] = traffic.HttpConnection(address, port, source_port, timeout)
            opened.append({"handle": number, "local": self._connections[number].local,
                           "peer": self._connections[number].peer})
        return opened

    def ask(self, handles: list[int], path: str) -> list[dict]:
        """One request on each of these connections."""
        def one(handle: int) -> dict:
            try:
                return self._connections[handle].get(path)
            except (OSError, http.client.HTTPException) as error:
                return {"error": traffic.error_name(error)}
        return [one(handle) for handle in handles]

    def close(self, handles: list[int]) -> None:
        for handle in handles:
            self._connections.pop(handle).close()

    def udp_open(self, address: str, port: int = 0) -> dict:
        """A UDP socket that stays open; port 0: without a peer."""
        number = next(self._numbers)
        self._datagrams[number] = traffic.DatagramSocket(address, port)
        return {"handle": number, "peer": self._datagrams[number].peer}

    def udp_ask(self, handle: int, address: str, port: int, timeout: float) -> dict:
        return self._datagrams[handle].ask(address, port, timeout)

    def udp_wait(self, handle: int, timeout: float) -> dict:
        return self._datagrams[handle].wait(timeout)

    def udp_close(self, handle: int) -> None:
        self._datagrams.pop(handle).close()

    def download(self, address: str, port: int, size: int, timeout: float) -> dict:
        with traffic.HttpConnection(address, port, timeout=timeout) as connection:
            return connection.download(size)

    def upload(self, address: str, port: int, size: int, timeout: float) -> dict:
        with traffic.HttpConnection(address, port, timeout=timeout) as connection:
            return connection.upload(size)

    def transfer_start(self, **args: object) -> int:
        number = next(self._numbers)
        self._transfers[number] = traffic.Transfer(**args)
        return number

    def transfer_progress(self, handle: int) -> dict:
        return self._transfers[handle].progress()

    def transfer_stop(self, handle: int) -> dict:
        return self._transfers.pop(handle).stop()

    def execute(self, argv: list[str], stdin: str | None, timeout: float) -> dict:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout)
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

    def write(self, files: dict[str, str]) -> None:
        """Settings under /proc/sys/net belong to the namespace of the process that opens them."""
        for path, text in files.items():
            Path(path).write_text(text)

    @staticmethod
    def _each(one: object, source_ports: Iterable[int], parallel: int) -> list[dict]:
        if parallel == 1:
            return [one(port) for port in source_ports]
        with ThreadPoolExecutor(parallel) as pool:
            return list(pool.map(one, source_ports))


def serve(control: socket.socket) -> None:
    """Serves requests until the lab closes its end."""
    operations = Operations()
    lock = threading.Lock()

    def carry_out(request: dict) -> None:
        try:
            answer = {"result": getattr(operations, request["op"])(**request["args"])}
        except Exception as error:  # noqa: BLE001 - whatever happened belongs to the caller
            answer = {"error": f"{request['op']}: {traffic.error_name(error)}: {error}"}
        line = json.dumps({"id": request["id"], **answer}) + "\n"
        with lock:
            control.sendall(line.encode())

    with control.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            threading.Thread(target=carry_out, args=(json.loads(line),), daemon=True).start()
    os._exit(0)
