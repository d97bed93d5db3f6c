# SPDX-License-Identifier: Apache-2.0
"""Makes, wires and removes network namespaces with iproute2, many commands per call: a lab has hundreds."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .errors import LabError

RUN_NETNS = Path("/run/netns")


def run(*command: str, stdin: str | None = None) -> str:
    """Runs a command on the machine itself and returns its output."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(command)}: {said or f'exit code {done.returncode}'}" +
                       (f"\nin:\n{stdin}" if stdin else ""))
    return done.stdout


def batch(namespace: str | None, lines: Iterable[str], tool: str = "ip") -> None:
    """Runs ip (or bridge) commands, all in one namespace; stops at the first that fails."""
    text = "\n".join(lines)
    if text:
        run(tool, *(("-n", namespace) if namespace else ()), "-batch", "-", stdin=text + "\n")


def create(names: Iterable[str]) -> None:
    batch(None, [f"netns add {name}" for name in names])


def existing() -> list[str]:
    return sorted(entry.name for entry in RUN_NETNS.iterdir()) if RUN_NETNS.is_dir() else []


def kill_processes(name: str) -> None:
    """Ends all processes that still run in a namespace."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    for pid in listed.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass


def delete(names: Iterable[str]) -> None:
    """Ends the processes first: a namespace lives as long as one of them."""
    present = [name for name in names if (RUN_NETNS / name).exists()]
    for name in present:
        kill_processes(name)
    batch(None, [f"netns del {name}" for name in present])
