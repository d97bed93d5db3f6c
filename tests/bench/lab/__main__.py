# SPDX-License-Identifier: Apache-2.0
"""weir beside kube-proxy's iptables and nftables rules, and beside no proxy, in one run:

    sudo /usr/bin/python3 -m tests.bench.lab --json result.json

The contenders take turns in every round; medians are reported. An idle machine helps. It needs root, the release build,
iptables and nft."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tests.lab import LabError

from . import results
from .flood import KINDS
from .stages import STAGES, Case, Scale
from .world import Contender, World, default_tools

SIZES = [10, 1000, 10_000]
WEIR_SIZES = [*SIZES, 44_000]
FLOODS = [0, 50_000, 100_000, 200_000, 400_000]


class Worlds:
    """Built when first needed, and kept for later stages."""

    def __init__(self, tools: Path) -> None:
        self._tools = tools
        self._built: dict[Contender, World] = {}

    def of(self, contender: Contender) -> World:
        if contender not in self._built:
            start = time.monotonic()
            self._built[contender] = World(contender, self._tools)
            say(f"{contender}: up in {time.monotonic() - start:.1f} s")
        return self._built[contender]

    def __enter__(self) -> Worlds:
        return self

    def __exit__(self, *_: object) -> None:
        for world in self._built.values():
            world.close()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(worlds: Worlds, stage: str, cases: list[Case], rounds: int, seconds: float) -> list[dict]:
    for case in cases:
        worlds.of(case.contender)
    found: dict[int, list[dict[str, float]]] = {number: [] for number in range(len(cases))}
    for turn in range(rounds):
        say(f"{stage}: round {turn + 1} of {rounds}")
        # Alternates the direction, so that no contender always runs after the same other.
        order = range(len(cases)) if turn % 2 == 0 else reversed(range(len(cases)))
        for number in order:
            found[number].append(cases[number].run(worlds.of(cases[number].contender), seconds))
    for contender in {case.contender for case in cases}:
        worlds.of(contender).check_tracking()
    return [results.row(case.keys(), found[number]) for number, case in enumerate(cases)]


def run(options: argparse.Namespace) -> dict:
    rows = []
    scale = Scale(options.services, options.weir_services, options.floods, options.kinds)
    with Worlds(options.tools or default_tools()) as worlds:
        for stage in options.only or STAGES:
            cases = STAGES[stage](scale)
            rows += measure(worlds, stage, cases, options.rounds, options.seconds)
    return results.document(options.rounds, options.seconds, rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.lab", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(STAGES), help="these stages; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="of each measurement")
    parser.add_argument("--services", type=int, nargs="+", default=SIZES, help="how many Services kube-proxy's rules have")
    parser.add_argument("--weir-services", type=int, nargs="+", default=WEIR_SIZES)
    parser.add_argument("--floods", type=int, nargs="+", default=FLOODS, help="packets a second, of stage flood")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="of floods")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE", help="measure nothing: put results of stages together")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its numbers mean little")
    parser.add_argument("--tools", type=Path, help="folder of the benchmark's programs")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.services, options.weir_services = 1, 0.1, [10], [10, 100]
        options.floods = [20_000]
    try:
        if options.merge:
            content = results.merged([json.loads(path.read_text()) for path in options.merge])
        else:
            content = run(options)
        if options.json:
            results.write(options.json, content)
        print(results.tables(content))
    except (LabError, OSError, ValueError) as error:
        say(f"tests.bench.lab: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
