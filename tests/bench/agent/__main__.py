# SPDX-License-Identifier: Apache-2.0
"""What the agent costs, from a folder of manifests to the kernel's maps:

    sudo /usr/bin/python3 -m tests.bench.agent --json result.json

For each size, and for the same objects in a few files and in one file per Service: a cold start until hooks and maps are
in place, memory, CPU time at rest, and how long it takes from the rename of one Service's file, with an endpoint more or
less, until the frontend in the kernel's map leads to the new endpoints. The agents of both layouts are up at once, and
change in turn. It needs root and the release build; strace, if it is there, counts the system calls of one more start. An
idle machine helps: the clock runs while one CPU polls the map, which the agents are kept off."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab import Lab, LabError
from tests.lab.agent import ensure_bpffs

from . import results
from .folder import FEW, MANY, SERVICE_PORT, Folder, Size, cluster_ip
from .kernel_map import Frontends
from .process import WatchedAgent

SIZES = ["0", "1000x2", "10000x10", "44000x2", "44000x6", "5000x50"]
# The pause between two changes varies, so that changes meet the agent's own timers (state file, sweeps) at any phase.
PAUSE = (0.005, 0.03)
DEADLINE = 10.0
# An agent gives back the memory of reading and planning only after it says that it is ready.
SETTLE = 1.0
# Its sweeper goes on until it has found nothing for some rounds of five seconds each.
REST_AFTER = 21.0


class Case:
    """One size in one layout, and the agent that reads it."""

    def __init__(self, lab: Lab, number: int, size: Size, layout: str) -> None:
        place = lab.manifests.parent / layout
        self.folder = Folder(place / "manifests", size, layout)
        self.place = place
        self.agent = WatchedAgent(lab, lab.node(number), place)
        self.row: dict = {"size": str(size), "services": size.services, "endpoints": size.services * size.endpoints,
                          "layout": layout, "files": self.folder.files}
        self.latencies: list[float] = []
        self.changed: dict[int, bool] = {}

    def measure_starts(self, rounds: int, strace: str | None) -> None:
        if strace:
            calls = self.agent.count_system_calls(strace)
            self.row |= {"system_calls_count": sum(calls.values()), "system_calls": calls}
        starts = []
        for _ in range(rounds):
            if self.agent.running:
                self.agent.stop()
            start = self.agent.start_cold()
            time.sleep(SETTLE)
            starts.append(start | self.agent.memory_mib())
        self.row |= results.starts(starts)

    def change(self, frontends: Frontends, choice: random.Random) -> None:
        number = choice.choice(self.folder.changing)
        self.changed[number] = less = not self.changed.get(number, False)
        unfinished, target = self.folder.prepare(number, less), self.folder.file_of(number)
        address = cluster_ip(number)
        before = frontends.lookup(address, SERVICE_PORT)
        begin = time.perf_counter()
        os.rename(unfinished, target)
        while frontends.lookup(address, SERVICE_PORT) == before:
            if time.perf_counter() - begin > DEADLINE:
                raise LabError(f"a change of {target.name} is not in the map after {DEADLINE:.0f} s; weir says:\n"
                               f"{self.agent.log()[-2000:]}")
        self.latencies.append(1000 * (time.perf_counter() - begin))

    def close(self) -> None:
        if self.agent.running:
            self.agent.stop()
        if self.agent.pins():
            self.agent.detach()
        shutil.rmtree(self.place)


def measure_rest(cases: list[Case], seconds: float, after: float) -> None:
    time.sleep(after)
    before = [case.agent.cpu_seconds() for case in cases]
    begin = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    for case, used in zip(cases, before):
        case.row["idle_cpu_percent"] = 100 * (case.agent.cpu_seconds() - used) / elapsed


@contextlib.contextmanager
def polling_apart(cases: list[Case]) -> Iterator[None]:
    """Keeps this thread on one CPU and the agents on the others. The kernel preempts a thread that polls without pause
    only at the next tick, and an agent that wakes up on its CPU would wait for that."""
    cpus = os.sched_getaffinity(0)
    ours = {max(cpus)}
    if len(cpus) > 1:
        for case in cases:
            case.agent.keep_to(cpus - ours)
        os.sched_setaffinity(0, ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def measure_changes(cases: list[Case], count: int) -> None:
    choice = random.Random(1)
    maps = [Frontends(case.agent.pin_path) for case in cases]
    before = [case.agent.cpu_seconds() for case in cases]
    with polling_apart(cases):
        for _ in range(count):
            for case, frontends in zip(cases, maps):
                time.sleep(choice.uniform(*PAUSE))
                case.change(frontends, choice)
    for case, frontends, used in zip(cases, maps, before):
        case.row |= results.changes(case.latencies)
        case.row["change_cpu_ms"] = 1000 * (case.agent.cpu_seconds() - used) / count
        frontends.close()


def measure(lab: Lab, size: Size, options: argparse.Namespace, strace: str | None) -> list[dict]:
    cases = []
    try:
        for number, layout in enumerate([FEW, MANY] if size.services else [FEW], 1):
            cases.append(Case(lab, number, size, layout))
            say(f"{size}, {layout} files ({cases[-1].row['files']:,}): cold starts")
            cases[-1].measure_starts(options.rounds, strace)
        say(f"{size}: at rest, and changes")
        measure_rest(cases, options.rest, 0 if options.quick else REST_AFTER)
        if size.services:
            measure_changes(cases, options.changes)
    finally:
        for case in cases:
            case.close()
    return [case.row for case in cases]


def run(options: argparse.Namespace) -> dict:
    strace = None if options.no_strace else shutil.which("strace")
    if not strace:
        say("system calls are not counted: " + ("--no-strace" if options.no_strace else "strace is not installed"))
    ensure_bpffs()
    rows = []
    with Lab(nodes=2, weir=False) as lab:
        for size in options.sizes:
            rows += measure(lab, size, options, strace)
    return results.document(rows, {"starts": options.rounds, "changes": options.changes})


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parsed_size(text: str) -> Size:
    services, _, endpoints = text.partition("x")
    size = Size(int(services), int(endpoints or 0))
    # A change takes one endpoint away, and another file's addresses begin 64 further on.
    if size.services and not 2 <= size.endpoints <= 64 or size.services > 65_000:
        raise argparse.ArgumentTypeError(f"{text}: write 1000x2; up to 65000 Services of 2 to 64 endpoints")
    return size


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.agent", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=parsed_size, nargs="+", default=[parsed_size(text) for text in SIZES],
                        metavar="SERVICESxENDPOINTS", help=f"default: {' '.join(SIZES)}")
    parser.add_argument("--rounds", type=int, default=3, help="cold starts of each")
    parser.add_argument("--changes", type=int, default=200, help="of each layout")
    parser.add_argument("--rest", type=float, default=15.0, help="seconds of watching the agents at rest")
    parser.add_argument("--no-strace", action="store_true", help="do not count system calls")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its numbers mean little")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.rounds, options.changes, options.rest = [Size(0), Size(50, 2)], 1, 10, 0.1
    try:
        content = run(options)
        if options.json:
            results.write(options.json, content)
        print(results.table(content))
    except (LabError, OSError) as error:
        say(f"tests.bench.agent: {error}")
        return 1
    except KeyboardInterrupt:
        say("tests.bench.agent: interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
