# SPDX-License-Identifier: Apache-2.0
"""Keeps a lab after its command has returned: a forked process in a session of its own does the work, and goes on
holding the lab when the command ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from .waiting import until_interrupted


def hold_after(work: Callable[[Callable[[], None]], int]) -> int:
    """Runs work(stay) in the background process and passes its output through. The command returns when work does, or
    when work calls stay(): then the process sleeps on, until SIGTERM, with whatever `with` blocks it is in."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()

        def stay() -> None:
            sys.stdout.flush()
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.write(writer, b"s")
            until_interrupted()

        sys.exit(work(stay))
    os.close(writer)
    try:
        staying = os.read(reader, 1)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        staying = b""
    return 0 if staying else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
