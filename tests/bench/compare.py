#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the changes between two results of a benchmark. Matches rows by everything that is no measurement.

    tests/bench/compare.py old.json new.json

A result file is {"bench", "kernel", ..., "results": [row, ...]}. In a row, a number whose name ends in a unit (or is
`ratio`) is a measurement; any other text or number says what was measured; lists and objects are details."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

UNITS = ("_ns", "_us", "_ms", "_seconds", "_per_second", "_per_mib", "_bytes", "_kib", "_mib", "_count", "_percent")


def is_metric(name: str, value: object) -> bool:
    return (name.endswith(UNITS) or name == "ratio") and (value is None or isinstance(value, (int, float)))


def key_of(row: dict) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((name, value) for name, value in row.items()
                        if not is_metric(name, value) and not isinstance(value, (list, dict))))


def by_key(document: dict, path: str) -> dict[tuple, dict]:
    found: dict[tuple, dict] = {}
    for row in document["results"]:
        if key_of(row) in found:
            raise ValueError(f"{path}: two rows for {describe(row)}")
        found[key_of(row)] = row
    return found


def describe(row: dict) -> str:
    """Values in the order of the file; a number needs its name."""
    keys = dict(key_of(row))
    return ", ".join(f"{name} {value}" if isinstance(value, (int, float)) else str(value)
                     for name, value in row.items() if name in keys and value not in ("", None))


def changes(old: dict[tuple, dict], new: dict[tuple, dict], only: str) -> list[list[str]]:
    lines = []
    for key, after in new.items():
        before = old.get(key)
        if before is None:
            continue
        for name, value in after.items():
            if only not in name or not is_metric(name, value) or name not in before:
                continue
            known = value is not None and before[name] not in (0, None)
            lines.append([describe(after), name, _number(before[name]), _number(value),
                          f"{value / before[name]:.3f}" if known else "-"])
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def load(path: Path) -> dict:
    document = json.loads(path.read_text())
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise ValueError(f"{path}: no results in it; is it a benchmark's --json file?")
    return document


def report(old_path: Path, new_path: Path, only: str) -> str:
    documents = [load(path) for path in (old_path, new_path)]
    old, new = (by_key(document, str(path)) for document, path in zip(documents, (old_path, new_path)))
    names = [document.get("bench") for document in documents]
    if names[0] != names[1]:
        raise ValueError(f"{old_path} is of {names[0]}, {new_path} of {names[1]}")
    cells = [["what", "metric", "old", "new", "new / old"], *changes(old, new, only)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(line, widths))) for line in cells]
    kernels = [document.get("kernel", "?") for document in documents]
    if kernels[0] != kernels[1]:
        lines.insert(0, f"Different kernels: {kernels[0]}, {kernels[1]}")
    lines += [f"only in {old_path}: {describe(row)}" for key, row in old.items() if key not in new]
    lines += [f"only in {new_path}: {describe(row)}" for key, row in new.items() if key not in old]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--metric", default="", help="only metrics whose name contains this")
    options = parser.parse_args(arguments)
    try:
        print(report(options.old, options.new, options.metric))
    except (OSError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
