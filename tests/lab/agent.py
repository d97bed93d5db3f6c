# SPDX-License-Identifier: Apache-2.0
"""Runs and queries weir. Only this file knows weir's command line and the JSON that it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import addresses, netns
from .errors import LabError
from .nursery import ROOT
from .topology import Node
from .waiting import wait_until

BPFFS = Path("/sys/fs/bpf")
WORKLOAD_PATTERN = "pod*"

# A lab has few flows; at their default sizes the maps of a few nodes would take gigabytes.
SMALL_MAPS = {"flowTable": {"assured": 16384, "assuredUdp": 16384, "unassured": 8192},
              "maps": {"frontends": 4096, "services": 4096, "backends": 4096, "slots": 262144}}


def default_binary() -> Path:
    """$WEIR_BINARY, or the release build."""
    binary = Path(os.environ.get("WEIR_BINARY") or ROOT / "build" / "weir")
    if not os.access(binary, os.X_OK):
        raise LabError(f"{binary} is not there; build it: cmake --preset release && cmake --build --preset release")
    return binary.resolve()


def ensure_bpffs() -> None:
    """Mounts a bpffs if there is none, for the pins. This is the lab's only change to the machine, and it says so."""
    mounted = any(line.split()[1:3] == [str(BPFFS), "bpf"] for line in Path("/proc/mounts").read_text().splitlines())
    if not mounted:
        netns.run("mount", "-t", "bpf", "bpf", str(BPFFS))
        print(f"lab: mounted a bpffs at {BPFFS}", flush=True)


def merged(base: dict, over: dict) -> dict:
    """Merges nested settings; the second's win."""
    both = dict(base)
    for key, value in over.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


@dataclass(frozen=True)
class Frontend:
    """A line of `weir services`."""

    service: str  # namespace/name
    kind: str
    address: str
    port: int
    protocol: str
    cluster: frozenset[str]   # backends for traffic from pods and the node
    external: frozenset[str]  # backends for traffic from outside

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4


class Agent:
    """weir on one node. Its datapath outlives the agent, as weir promises; the lab removes both in the end."""

    def __init__(self, node: Node, binary: Path, folder: Path, pin_path: Path, uplinks: list[str],
                 config: dict) -> None:
        self.node = node
        self.pin_path = pin_path
        self.binary = binary
        self._manifests = folder / "manifests"
        self._log = folder / f"{node.name}.log"
        self._uplinks = uplinks
        self.config_file = folder / f"{node.name}.yaml"
        cidrs = ",".join(addresses.SERVICE_CIDRS[family] for family in addresses.FAMILIES)
        self._config = merged({"serviceCIDR": cidrs, "datapath": SMALL_MAPS}, config)
        self.configure({})
        self._pid: int | None = None
        self._log_begin = 0

    def configure(self, over: dict) -> None:
        """Writes the configuration for the next start: the settings that it was made with, and these."""
        self.config_file.write_text(yaml.safe_dump(merged(self._config, over)))

    # --- its life

    def command(self) -> list[str]:
        uplinks = [part for uplink in self._uplinks for part in ("--uplink", uplink)]
        cgroup = ["--cgroup", str(self.node.cgroup)] if self.node.cgroup else []
        return [str(self.binary), "run", "--config", str(self.config_file), "--manifests", str(self._manifests),
                "--node", self.node.name, *uplinks, "--workload", WORKLOAD_PATTERN, *cgroup,
                "--pin-path", str(self.pin_path)]

    def launch(self) -> None:
        """Starts it without waiting for anything."""
        with self._log.open("ab") as log:
            self._log_begin = log.tell()
            self._pid = self.node.nursery.spawn("program", self.node.network, log.fileno(), self.node.cgroup,
                                                argv=self.command())

    def start(self) -> None:
        """Starts it; returns when maps and hooks are in place."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        def ready() -> bool:
            code = self.node.nursery.exit_code(self._pid)
            if code is not None:
                raise LabError(f"weir on {self.node.name} ended with {code}:\n{self.log()}")
            return bool(re.search(r"\bready\b", self.log()))
        wait_until(ready, lambda: f"weir on {self.node.name} is ready; it says:\n{self.log()}")

    @property
    def running(self) -> bool:
        return self._pid is not None and self.node.nursery.exit_code(self._pid) is None

    def kill(self) -> None:
        """Sends SIGKILL, so that the agent cannot clean up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        return self._end(signal.SIGTERM)

    def wait_exit(self) -> int:
        """Waits until the agent has ended and returns its exit code."""
        return wait_until(lambda: (code,) if (code := self.node.nursery.exit_code(self._pid)) is not None else None,
                          f"weir on {self.node.name} ends")[0]

    def log(self) -> str:
        """Returns its log since the last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_begin)
            return log.read().decode(errors="replace")

    def _end(self, number: signal.Signals) -> int:
        if self.running:
            os.kill(self._pid, number)
        return self.wait_exit()

    # --- its answers

    def cli(self, *arguments: str) -> str:
        """Runs another command of weir for this node."""
        return self.node.exec(str(self.binary), *arguments, "--pin-path", str(self.pin_path))

    def planned(self, *arguments: str) -> str:
        """Runs a command that needs only this node's manifests."""
        return self.node.exec(str(self.binary), *arguments, "--config", str(self.config_file), "--manifests",
                              str(self._manifests), "--node", self.node.name)

    def json(self, *arguments: str) -> dict | list:
        return json.loads(self.cli(*arguments, "-o", "json"))

    def services(self) -> list[Frontend]:
        def backends(scope: dict) -> frozenset[str]:
            return frozenset(scope["backends"])
        return [Frontend(service=one["service"].partition(":")[0], kind=one["kind"], address=one["address"],
                         port=one["port"], protocol=one["protocol"], cluster=backends(one["cluster"]),
                         external=backends(one["external"])) for one in self.json("services")["frontends"]]

    def flows(self) -> list[dict]:
        """Connections: protocol, client, frontend, backend, snat, state, packets, service."""
        return self.json("flows", "--all")

    def problems(self) -> list[str]:
        return [problem["message"] for problem in self.json("status")["agent"].get("problems", [])]

    def verdicts(self) -> dict[str, int]:
        """Packets by verdict, over all hooks."""
        return {name: count["packets"] for name, count in self.json("status")["verdicts"].items()}

    def verdicts_by_hook(self) -> dict[str, dict[str, int]]:
        """By hook (xdp, tc_ingress_uplink, tc_ingress_workload, tc_egress, socket): packets by verdict."""
        return {hook: {name: count["packets"] for name, count in verdicts.items()}
                for hook, verdicts in self.json("status")["verdictsByHook"].items()}

    def interfaces(self) -> dict[str, dict[str, str]]:
        """By name: role (uplink, workload), tc, xdp."""
        return {one["name"]: one for one in self.json("status")["agent"]["interfaces"]}

    def socket_hooks(self) -> dict[str, int]:
        """Links of the socket hooks: by pin, the link's id in the kernel."""
        return {pin.name: _described("link", pin)["id"] for pin in self.pins() if pin.name.startswith("cgroup-")}

    def map_sizes(self) -> dict[str, int]:
        """The number of entries with which the kernel made each map."""
        return {pin.name: _described("map", pin)["max_entries"] for pin in self.pins() if pin.parent.name == "maps"}

    def kernel_entries(self, name: str) -> list[list[str]]:
        """Keys of a map, as bpftool prints them."""
        dump = json.loads(netns.run("bpftool", "-j", "map", "dump", "pinned", str(self.pin_path / "maps" / name)))
        return sorted(entry["key"] for entry in dump)

    def detach(self) -> str:
        return self.cli("detach")

    def pins(self) -> list[Path]:
        return sorted(path for path in self.pin_path.rglob("*") if path.is_file()) if self.pin_path.exists() else []

    def kernel_objects(self) -> list[tuple[str, int]]:
        """The pinned objects as (prog or map, id). By these ids a test can tell later whether the kernel freed them."""
        found = []
        for pin in self.pins():
            if pin.parent.name == "links":
                found.append(("prog", _described("link", pin)["prog_id"]))
            elif pin.parent.name == "maps":
                found.append(("map", _described("map", pin)["id"]))
        return found


def _described(kind: str, pin: Path) -> dict:
    return json.loads(netns.run("bpftool", "-j", kind, "show", "pinned", str(pin)))


def exists_in_kernel(kind: str, number: int) -> bool:
    """Whether a program (prog) or map of this id is loaded."""
    return subprocess.run(["bpftool", kind, "show", "id", str(number)], capture_output=True).returncode == 0


def run_anywhere(binary: Path, *arguments: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """Runs weir outside any lab, perhaps as another user, to test how it behaves before it uses the kernel."""
    return subprocess.run([str(binary), *arguments], capture_output=True, text=True, user=user, timeout=60)
