# SPDX-License-Identifier: Apache-2.0
"""A place in the lab from which a test acts, through the place's worker process. It starts when first needed."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from . import netns
from .errors import LabError
from .nursery import Nursery

DEFAULT_TIMEOUT = 5.0
# Longer than any one operation: only a worker that hangs reaches it.
WORKER_TIMEOUT = 300.0


@dataclass(frozen=True)
class Reply:
    """The result of one request."""

    pod: str = ""
    client: str = ""  # address:port that the pod saw
    server: str = ""  # address:port that the pod was reached at
    local: str = ""   # the client's own address:port
    data: str = ""    # UDP: what the pod received
    source: str = ""  # of a DatagramSocket: where the answer came from, as the client was told
    error: str = ""   # ECONNREFUSED, timeout, ...; empty: none

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def client_address(self) -> str:
        return self.client.rpartition(":")[0].strip("[]")


class Worker:
    """Requests to a worker process; several may be under way."""

    def __init__(self, nursery: Nursery, network: Path, cgroup: Path | None) -> None:
        self._socket, theirs = socket.socketpair()
        self.pid = nursery.spawn("worker", network, theirs.fileno(), cgroup)
        theirs.close()
        self._numbers = itertools.count(1)
        self._pending: dict[int, Future] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, op: str, **args: object) -> Future:
        future: Future = Future()
        with self._lock:
            number = next(self._numbers)
            self._pending[number] = future
            self._socket.sendall((json.dumps({"id": number, "op": op, "args": args}) + "\n").encode())
        return future

    def call(self, op: str, **args: object) -> object:
        return self.start(op, **args).result(WORKER_TIMEOUT)

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it went first
        self._socket.close()

    def _read(self) -> None:
        try:
            with self._socket.makefile("r", encoding="utf-8") as lines:
                for line in lines:
                    answer = json.loads(line)
                    future = self._pending.pop(answer["id"])
                    if "error" in answer:
                        future.set_exception(LabError(answer["error"]))
                    else:
                        future.set_result(answer["result"])
        except (OSError, ValueError):
            pass  # closed from this side
        for future in list(self._pending.values()):
            if not future.done():
                future.set_exception(LabError("the worker process is gone"))


@dataclass(frozen=True)
class Fetched:
    """An HTTP answer of a server that is no pod."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: str = ""
    error: str = ""  # ECONNREFUSED, timeout, ...; empty: none

    def json(self) -> dict:
        return json.loads(self.body)


@dataclass(frozen=True)
class Connection:
    """An open TCP connection to a pod, or to several."""

    worker: Worker
    handles: list[int]
    local: list[str]
    peer: list[str]  # whom the client was told to be connected to

    def ask_all(self, path: str = "/") -> list[Reply]:
        return [Reply(**answer) for answer in self.worker.call("ask", handles=self.handles, path=path)]

    def ask(self) -> Reply:
        return self.ask_all()[0]

    def close(self) -> None:
        self.worker.call("close", handles=self.handles)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class DatagramSocket:
    """A UDP socket that stays open."""

    worker: Worker
    handle: int
    peer: str  # the peer that the kernel names to the client; empty: not connected

    def ask(self, address: str = "", port: int = 0, timeout: float = DEFAULT_TIMEOUT) -> Reply:
        """Sends a datagram to the address (none: to the peer) and returns the answer."""
        return Reply(**self.worker.call("udp_ask", handle=self.handle, address=address, port=port, timeout=timeout))

    def wait(self, timeout: float = DEFAULT_TIMEOUT) -> Reply:
        """Sends nothing and waits for a datagram."""
        return Reply(**self.worker.call("udp_wait", handle=self.handle, timeout=timeout))

    def close(self) -> None:
        self.worker.call("udp_close", handle=self.handle)

    def __enter__(self) -> DatagramSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Transfer:
    """A connection kept busy with verified content until it is stopped."""

    worker: Worker
    handle: int

    def progress(self) -> dict:
        return self.worker.call("transfer_progress", handle=self.handle)

    def stop(self) -> dict:
        return self.worker.call("transfer_stop", handle=self.handle)


@dataclass
class Namespace:
    """A network namespace of a lab: router, node, pod or client."""

    name: str        # short: node1, client, webapp-1
    namespace: str   # as `ip netns` knows it
    nursery: Nursery
    addresses: dict[int, str] = field(default_factory=dict)  # by family, 4 and 6
    cgroup: Path | None = None

    def __post_init__(self) -> None:
        self._worker: Worker | None = None

    @property
    def network(self) -> Path:
        return netns.RUN_NETNS / self.namespace

    @property
    def worker(self) -> Worker:
        if self._worker is None:
            self._worker = Worker(self.nursery, self.network, self.cgroup)
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def exec(self, *command: str, stdin: str | None = None, check: bool = True, timeout: float = 60) -> str:
        """Runs a command here and returns its output (both streams, if it may fail)."""
        done = self.worker.call("execute", argv=list(command), stdin=stdin, timeout=timeout)
        if check and done["code"] != 0:
            raise LabError(f"{self.name}: {' '.join(command)}: exit code {done['code']}\n{done['out']}{done['err']}")
        return done["out"] if check else done["out"] + done["err"]

    def sysctl(self, settings: dict[str, object]) -> None:
        """Keys as paths below /proc/sys/net."""
        self.worker.call("write", files={f"/proc/sys/net/{key}": str(value) for key, value in settings.items()})

    def http_get(self, address: str, port: int, path: str = "/", source_port: int = 0,
                 timeout: float = DEFAULT_TIMEOUT) -> Reply:
        return self.http_many(address, port, source_ports=[source_port], path=path, timeout=timeout)[0]

    def http_many(self, address: str, port: int, count: int = 1, source_ports: Iterable[int] | None = None,
                  path: str = "/", timeout: float = DEFAULT_TIMEOUT, parallel: int = 1) -> list[Reply]:
        """Each request is a connection of its own."""
        return self._many("http", count, source_ports, address=address, port=port, path=path, timeout=timeout,
                          parallel=parallel)

    def fetch(self, address: str, port: int, path: str = "/", method: str = "GET",
              timeout: float = DEFAULT_TIMEOUT) -> Fetched:
        """From any HTTP server."""
        return Fetched(**self.worker.call("fetch", address=address, port=port, path=path, method=method,
                                          timeout=timeout))

    def udp_request(self, address: str, port: int, data: str = "weir", source_port: int = 0,
                    timeout: float = DEFAULT_TIMEOUT) -> Reply:
        return self.udp_many(address, port, source_ports=[source_port], data=data, timeout=timeout)[0]

    def udp_many(self, address: str, port: int, count: int = 1, source_ports: Iterable[int] | None = None,
                 data: str = "weir", timeout: float = DEFAULT_TIMEOUT, parallel: int = 1) -> list[Reply]:
        return self._many("udp", count, source_ports, address=address, port=port, data=data, timeout=timeout,
                          parallel=parallel)

    def request(self, protocol: str, address: str, port: int, **args: object) -> Reply:
        """By TCP or UDP."""
        return (self.http_get if protocol == "TCP" else self.udp_request)(address, port, **args)

    def ping(self, address: str, payload: int = 56, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Empty, or why no answer came."""
        return self.worker.call("ping", address=address, payload=payload, timeout=timeout).get("error", "")

    def connect(self, address: str, port: int, count: int = 1, source_port: int = 0,
                timeout: float = DEFAULT_TIMEOUT) -> Connection:
        opened = self.worker.call("open", address=address, port=port, count=count, source_port=source_port,
                                  timeout=timeout)
        return Connection(self.worker, *([one[key] for one in opened] for key in ("handle", "local", "peer")))

    def udp_socket(self, family: int = 4) -> DatagramSocket:
        """A UDP socket without a peer."""
        return DatagramSocket(self.worker, **self.worker.call("udp_open", address="::" if family == 6 else "0.0.0.0"))

    def udp_connect(self, address: str, port: int) -> DatagramSocket:
        return DatagramSocket(self.worker, **self.worker.call("udp_open", address=address, port=port))

    def download(self, address: str, port: int, size: int, timeout: float = 60) -> dict:
        return self.worker.call("download", address=address, port=port, size=size, timeout=timeout)

    def upload(self, address: str, port: int, size: int, timeout: float = 60) -> dict:
        return self.worker.call("upload", address=address, port=port, size=size, timeout=timeout)

    def start_transfer(self, address: str, port: int, upload: bool = False, piece: int = 4 << 20,
                       timeout: float = 20) -> Transfer:
        handle = self.worker.call("transfer_start", address=address, port=port, upload=upload, piece=piece,
                                  timeout=timeout)
        return Transfer(self.worker, handle)

    def _many(self, op: str, count: int, source_ports: Iterable[int] | None, **args: object) -> list[Reply]:
        ports = [0] * count if source_ports is None else list(source_ports)
        return [Reply(**answer) for answer in self.worker.call(op, source_ports=ports, **args)]
