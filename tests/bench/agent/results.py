# SPDX-License-Identifier: Apache-2.0
"""The output of the numbers: medians over the cold starts, one JSON file, and a table."""

from __future__ import annotations

import json
import os
import platform
import statistics
from pathlib import Path

# In the table's order; a missing number is shown as a dash.
METRICS = ("ready_ms", "ready_cpu_ms", "rss_mib", "peak_rss_mib", "system_calls_count", "idle_cpu_percent",
           "change_p50_ms", "change_p99_ms", "change_max_ms", "change_cpu_ms")


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies, as in tests/bench/quantile.hpp."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def starts(rounds: list[dict[str, float]]) -> dict:
    values = {name: [one[name] for one in rounds] for name in rounds[0]}
    return {name: statistics.median(values[name]) for name in values} | {"rounds": values}


def changes(latencies_ms: list[float]) -> dict:
    return {"change_p50_ms": quantile(latencies_ms, 0.5), "change_p99_ms": quantile(latencies_ms, 0.99),
            "change_max_ms": max(latencies_ms)}


def document(rows: list[dict], options: dict) -> dict:
    return {"bench": "agent", "kernel": platform.release(), "cpus": os.cpu_count()} | options | {"results": rows}


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(content: dict) -> str:
    shown = [name for name in METRICS if any(name in row for row in content["results"])]
    cells = [["size", "layout", "files", *shown]]
    for row in content["results"]:
        cells.append([row["size"], row["layout"], f"{row['files']:,}", *(_cell(row.get(name)) for name in shown)])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))) for line in cells)
