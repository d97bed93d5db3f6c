# SPDX-License-Identifier: Apache-2.0
"""The nursery's own process, which forks processes into namespaces at a lab's request; see nursery.py."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

from . import server, worker  # loaded before the first fork, so that children need not
from .nursery import MESSAGE_SIZE

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Has the kernel send SIGKILL when the parent ends; ends at once if the parent is gone already."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def enter_network(path: str) -> None:
    """Moves this process into the namespace's network. It keeps the machine's mounts, so it still sees bpffs."""
    fd = os.open(path, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {path}")
    os.close(fd)


def _child(request: dict, fd: int, parent: int) -> None:
    """Does the work of a forked child; never returns."""
    die_with(parent)
    if request["cgroup"]:
        (Path(request["cgroup"]) / "cgroup.procs").write_text(str(os.getpid()))
    if request["network"]:
        enter_network(request["network"])
    if request["kind"] == "worker":
        worker.serve(socket.socket(fileno=fd))
    elif request["kind"] == "server":
        server.serve(socket.socket(fileno=fd), request["name"], request["tcp"], request["udp"])
    else:
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.execv(request["argv"][0], request["argv"])


def _spawn(request: dict, fds: list[int], control: socket.socket) -> dict:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            control.close()
            _child(request, fds[0], parent)
            status = 0
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happens
            os.write(2, f"{request['kind']}: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    return {"pid": pid}


def _poll(pid: int, ended: dict[int, int]) -> dict:
    if pid not in ended:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done == 0:
            return {"code": None}
        ended[pid] = os.waitstatus_to_exitcode(status)
    return {"code": ended[pid]}


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    die_with(int(sys.argv[2]))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ended: dict[int, int] = {}
    while True:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE_SIZE, 1)
        if not message:
            return
        request = json.loads(message)
        try:
            reply = _spawn(request, fds, control) if request["op"] == "spawn" else _poll(request["pid"], ended)
        except OSError as error:
            reply = {"error": str(error)}
        for fd in fds:
            os.close(fd)
        control.send(json.dumps(reply).encode())


if __name__ == "__main__":
    main()
