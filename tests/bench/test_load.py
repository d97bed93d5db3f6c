# SPDX-License-Identifier: Apache-2.0
"""The client of floods keeps its pace and reports missing answers. Runs in a namespace that has only a loopback."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import netns

TOOLS = Path(os.environ.get("WEIR_BENCH_TOOLS", Path(__file__).resolve().parents[2] / "build/tests/bench"))


@pytest.fixture
def place() -> Iterator[str]:
    name = f"weir-load-{secrets.token_hex(3)}"
    netns.create([name])
    try:
        netns.batch(name, ["link set lo up"])
        yield name
    finally:
        netns.delete([name])


@pytest.fixture
def server(place: str) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(["ip", "netns", "exec", place, TOOLS / "weir-bench-serve", "--port", "8080"],
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def load(place: str, *options: str) -> dict:
    return json.loads(netns.run("ip", "netns", "exec", place, str(TOOLS / "weir-bench-load"), "127.0.0.1:8080",
                                "--seconds", "0.5", "--warm-up", "0", "--connections", "100", "--rate", "200", *options))


@pytest.mark.parametrize("mode", ["connect", "keepalive"])
@pytest.mark.usefixtures("server")
def test_a_pace_is_kept(place: str, mode: str) -> None:
    told = load(place, "--mode", mode)
    # After a delay on a busy machine the client catches up or leaves requests out; it never sends more.
    assert 0 < told["requests"] <= 101
    assert told["failed"] == 0


@pytest.mark.parametrize("mode", ["connect", "keepalive"])
def test_what_is_not_answered_has_failed(place: str, server: subprocess.Popen, mode: str) -> None:
    server.send_signal(signal.SIGSTOP)  # its kernel goes on and accepts connections
    told = load(place, "--mode", mode, "--patience", "0.1")
    assert told["requests"] == 0
    assert "no answer" in told["errors"]
    assert 0 < told["failed"] <= 101
