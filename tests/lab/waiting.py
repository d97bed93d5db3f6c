# SPDX-License-Identifier: Apache-2.0
"""The lab's way to wait: it checks a condition again and again, up to a deadline that only a failure reaches."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import LabError

T = TypeVar("T")

# Generous: machines that run tests are often busy.
DEADLINE = 120.0
INTERVAL = 0.02


def wait_until(condition: Callable[[], T], what: str | Callable[[], str], deadline: float = DEADLINE) -> T:
    """The first true answer of condition."""
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise LabError(f"not within {deadline:.0f} s: {what() if callable(what) else what}")
        time.sleep(INTERVAL)


def until_interrupted() -> None:
    """Sleeps until the handler of a signal raises something. signal.pause() sleeps on if the signal comes just before the
    call, or to another thread: Python only notes it then. A byte in a pipe is not missed."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    while True:
        os.read(reader, 1)
