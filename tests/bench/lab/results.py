# SPDX-License-Identifier: Apache-2.0
"""The output of the numbers: medians over the rounds, one JSON file, and tables."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

from . import conntrack
from .stages import MAIN_METRIC

HEAD_KEYS = ("bench", "kernel", "cpus", "iptables", "nftables")


def _version(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def document(rounds: int, seconds: float, rows: list[dict]) -> dict:
    return {"bench": "lab", "kernel": platform.release(), "cpus": os.cpu_count(),
            "iptables": _version("iptables", "--version"), "nftables": _version("nft", "--version"),
            "conntrack_max": int(conntrack.MAX.read_text()) if conntrack.MAX.exists() else None,
            "rounds": rounds, "seconds": seconds, "results": rows}


def row(keys: dict, rounds: list[dict[str, float]]) -> dict:
    """Medians at the top, each round's numbers below."""
    names = rounds[0].keys()
    values = {name: [one[name] for one in rounds] for name in names}
    return keys | {name: statistics.median(values[name]) for name in names} | {"rounds": values}


def merged(documents: list[dict]) -> dict:
    """Merges the results of stages that ran one by one."""
    first = documents[0]
    for other in documents[1:]:
        different = [key for key in HEAD_KEYS if other[key] != first[key]]
        if different:
            raise ValueError(f"not of one machine and kind: {', '.join(different)} differ")
    return first | {"results": [one for document in documents for one in document["results"]]}


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def _number(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(case: str, rows: list[dict]) -> list[str]:
    metrics = [name for name in rows[0] if name in rows[0]["rounds"]]
    main = MAIN_METRIC.get(case, "")
    direct = next((one[main] for one in rows if one["proxy"] == "direct"), None)
    flooded = ["flood"] if "flood" in rows[0] else []
    cells = [["proxy", "services", "place", *flooded, *metrics, *(["x direct"] if direct else [])]]
    for one in rows:
        cells.append([one["proxy"], f"{one['services']:,}" if one["services"] else "-", one["place"] or "-",
                      *(f"{one[name]:,}" for name in flooded), *(_number(one[name]) for name in metrics),
                      *([f"{one[main] / direct:.2f}"] if direct else [])])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) if column in (0, 2) else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in cells]


def stop_rates(rows: list[dict]) -> dict[str, float | None]:
    """By proxy, the lowest rate of a flood at which fewer than half of the new connections succeed. It is the rate as
    sent, which may be lower than the one asked for."""
    stops: dict[str, float | None] = {}
    for one in sorted(rows, key=lambda row: row["sent_per_second"]):
        stops.setdefault(one["proxy"], None)
        if one["succeeded_percent"] < 50 and stops[one["proxy"]] is None:
            stops[one["proxy"]] = one["sent_per_second"]
    return stops


def _stops(rows: list[dict]) -> str:
    told = (f"{proxy} {f'at {rate:,.0f}' if rate is not None else 'at none of these'}"
            for proxy, rate in stop_rates(rows).items())
    return f"new connections stop: {', '.join(told)}"


def tables(content: dict) -> str:
    """One table for each case and way in, with a line for each contender."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for one in content["results"]:
        groups.setdefault((one["case"], one["way"]), []).append(one)
    parts = []
    for (case, way), rows in groups.items():
        flood = "flood" in rows[0]
        title = f"{case}, {way}" + ("" if flood else f" (x direct: {MAIN_METRIC[case]})")
        parts.append("\n".join([title, *_table(case, rows), *([_stops(rows)] if flood else [])]))
    return "\n\n".join(parts)
