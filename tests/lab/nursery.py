# SPDX-License-Identifier: Apache-2.0
"""The source of a lab's processes: one small process without threads (forkserver.py) forks them all.

A lab itself may run threads, and a thread must neither fork nor be the parent of a process that is to die with its
parent (the kernel ties that signal to the thread). Forked children share the interpreter's pages: a pod costs a few
MiB.
Everything born here dies with the nursery, and the nursery with the lab.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from .errors import LabError

ROOT = Path(__file__).resolve().parents[2]
MESSAGE_SIZE = 1 << 16


class Nursery:
    """The lab's side: spawn, poll and end processes."""

    def __init__(self, log: Path) -> None:
        self._lock = threading.Lock()
        self._log = log
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Not the terminal or pipe of the lab's command: a lab that stays up must not keep that open.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.forkserver", str(theirs.fileno()), str(os.getpid())],
                cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)
        theirs.close()

    def spawn(self, kind: str, network: Path | None, fd: int, cgroup: Path | None = None, **arguments: object) -> int:
        """kind `worker`, `server` (fd: their end of a socket) or `program` (fd: where its output goes)."""
        return self._request({"op": "spawn", "kind": kind, "network": str(network) if network else None,
                              "cgroup": str(cgroup) if cgroup else None, **arguments}, [fd])["pid"]

    def exit_code(self, pid: int) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self._request({"op": "poll", "pid": pid})["code"]

    def log(self) -> str:
        """Returns the errors that its processes have printed."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _request(self, request: dict, fds: list[int] | None = None) -> dict:
        with self._lock:
            try:
                socket.send_fds(self._socket, [json.dumps(request).encode()], fds or [])
                answer = self._socket.recv(MESSAGE_SIZE)
            except OSError as error:
                raise LabError(f"the lab's nursery process is gone: {error}\n{self.log()}") from error
        if not answer:
            raise LabError(f"the lab's nursery process is gone\n{self.log()}")
        reply = json.loads(answer)
        if "error" in reply:
            raise LabError(reply["error"])
        return reply
