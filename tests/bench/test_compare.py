# SPDX-License-Identifier: Apache-2.0
"""The comparison of two result files: rows that match, ratios, rows that only one has, files that are no results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import compare


def row(**over: object) -> dict:
    return {"case": "established", "family": 4, "flows": 1024, "total_ns": 90.0, "ratio": 2.5,
            "rounds": {"total_ns": [89.0, 91.0]}} | over


def written(folder: Path, name: str, rows: list[dict], **over: object) -> Path:
    path = folder / name
    path.write_text(json.dumps({"bench": "packet", "kernel": "6.1", "results": rows} | over))
    return path


def lines_of(text: str, what: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(what)]


def test_ratio_of_every_metric(tmp_path: Path) -> None:
    old = written(tmp_path, "old", [row()])
    new = written(tmp_path, "new", [row(total_ns=45.0, ratio=5.0)])
    assert [line[-4:] for line in lines_of(compare.report(old, new, ""), "established")] == [
        ["total_ns", "90.00", "45.00", "0.500"], ["ratio", "2.50", "5.00", "2.000"]]


def test_rows_are_matched_by_what_is_no_metric(tmp_path: Path) -> None:
    old = written(tmp_path, "old", [row(flows=1, total_ns=10.0), row(flows=2, total_ns=20.0)])
    new = written(tmp_path, "new", [row(flows=2, total_ns=30.0), row(flows=1, total_ns=40.0)])
    text = compare.report(old, new, "total")
    assert [line[-1] for line in lines_of(text, "established")] == ["1.500", "4.000"]


def test_what_only_one_has_is_named(tmp_path: Path) -> None:
    old = written(tmp_path, "old", [row(), row(case="reply")])
    new = written(tmp_path, "new", [row(), row(case="new flow", flows=None)])
    text = compare.report(old, new, "")
    assert f"only in {old}: reply, family 4, flows 1024" in text
    assert f"only in {new}: new flow, family 4" in text


def test_a_metric_that_is_zero_or_missing_has_no_ratio(tmp_path: Path) -> None:
    old = written(tmp_path, "old", [row(total_ns=0, ratio=None)])
    new = written(tmp_path, "new", [row(p99_us=3.0)])
    text = compare.report(old, new, "")
    assert [line[-1] for line in lines_of(text, "established")] == ["-", "-"]


def test_other_kernels_are_pointed_out(tmp_path: Path) -> None:
    old = written(tmp_path, "old", [row()])
    new = written(tmp_path, "new", [row()], kernel="6.12")
    assert compare.report(old, new, "").startswith("Different kernels: 6.1, 6.12")


@pytest.mark.parametrize("content, complaint", [
    ("[]", "no results in it"), ("{", "Expecting"), ('{"bench":"lab","results":[]}', "is of packet"),
    (json.dumps({"bench": "packet", "results": [row(), row()]}), "two rows for established"),
])
def test_what_cannot_be_compared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str,
                                         complaint: str) -> None:
    old = written(tmp_path, "old", [row()])
    new = tmp_path / "new"
    new.write_text(content)
    assert compare.main([str(old), str(new)]) == 1
    assert complaint in capsys.readouterr().err
