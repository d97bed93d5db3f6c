# SPDX-License-Identifier: Apache-2.0
"""The summary of a flood's rows."""

from __future__ import annotations

from tests.bench.lab import results


def row(proxy: str, flood: int, succeeded: float) -> dict:
    values = {"sent_per_second": flood - 1.0, "succeeded_percent": succeeded}
    return {"case": "flood of SYNs", "way": "outside", "proxy": proxy, "services": 10, "place": "last", "flood": flood,
            **values, "rounds": {name: [value] for name, value in values.items()}}


ROWS = [row("a", 200_000, 30), row("a", 100_000, 49), row("a", 50_000, 99), row("b", 50_000, 100), row("b", 200_000, 50)]


def test_the_lowest_flood_that_stops_half_of_the_connections() -> None:
    assert results.stop_rates(ROWS) == {"a": 99_999.0, "b": None}


def test_a_table_for_each_flood_and_where_connections_stop() -> None:
    lines = results.tables({"results": ROWS}).splitlines()
    assert lines[0] == "flood of SYNs, outside"
    assert lines[2].split() == ["a", "10", "last", "200,000", "199,999", "30.0"]
    assert lines[-1] == "new connections stop: a at 99,999, b at none of these"
