# SPDX-License-Identifier: Apache-2.0
"""The labs on this machine, and their removal. Everything of a lab carries its id, so any process that knows the id can
remove the lab: the lab itself, or `reap` after the lab's process was killed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import netns
from .waiting import wait_until

HOME = Path("/run/weir-lab")
BPFFS = Path("/sys/fs/bpf")


def cgroup_root() -> Path | None:
    """Where cgroup v2 is mounted, if it is."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(where)
    return None


def start_time(pid: int) -> str | None:
    """Tells a process from a later one with the same number (field 22 of /proc/PID/stat). None: there is none, or it
    has ended and its parent has not fetched the exit code yet."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class Entry:
    """A lab by its id, with the places of its files and objects."""

    id: str

    @property
    def folder(self) -> Path:
        return HOME / self.id

    @property
    def prefix(self) -> str:
        """The prefix of its namespaces' names."""
        return f"weir-{self.id}"

    @property
    def pins(self) -> Path:
        return BPFFS / f"weir-lab-{self.id}"

    @property
    def cgroup(self) -> Path | None:
        root = cgroup_root()
        return root / f"weir-lab-{self.id}" if root else None

    @property
    def owner(self) -> int | None:
        """The process that holds the lab; None: it is gone."""
        try:
            owner = json.loads((self.folder / "owner").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return owner["pid"] if start_time(owner["pid"]) == owner["start"] else None

    def namespaces(self) -> list[str]:
        return [name for name in netns.existing() if name.startswith(self.prefix + "-")]

    def remove(self) -> None:
        """Removes everything of the lab that exists, in an order in which no step hangs."""
        netns.delete(self.namespaces())
        if self.pins.exists():
            shutil.rmtree(self.pins)
        if self.cgroup and self.cgroup.exists():
            _remove_cgroup(self.cgroup)
        # weir keeps its state below /run/weir, in a folder named after the pin path.
        for state in Path("/run/weir").glob(f"*weir-lab-{self.id}-*"):
            shutil.rmtree(state)
        shutil.rmtree(self.folder, ignore_errors=True)


def register(nodes: int) -> Entry:
    """A new lab's id and folders; from here on `reap` knows it."""
    entry = Entry(secrets.token_hex(3))
    owner = {"pid": os.getpid(), "start": start_time(os.getpid())}
    # It appears together with its owner: without one, `reap` would take it for dead.
    unborn = HOME / f".{entry.id}"
    (unborn / "manifests").mkdir(parents=True)
    (unborn / "owner").write_text(json.dumps(owner))
    unborn.rename(entry.folder)
    if entry.cgroup:
        for index in range(1, nodes + 1):
            (entry.cgroup / f"node{index}").mkdir(parents=True)
    return entry


def entries() -> list[Entry]:
    return [Entry(folder.name) for folder in sorted(HOME.glob("[!.]*"))]


def reap() -> list[Entry]:
    """Removes the labs whose process is gone."""
    dead = [entry for entry in entries() if entry.owner is None]
    for entry in dead:
        entry.remove()
    return dead


def _remove_cgroup(top: Path) -> None:
    """Removes the cgroup of killed processes; the kernel reports it as busy until the last one is gone."""
    def removed() -> bool:
        try:
            for folder, _, _ in os.walk(top, topdown=False):
                os.rmdir(folder)
        except OSError:
            return False
        return True
    wait_until(removed, f"{top} is empty")
