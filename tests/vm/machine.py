# SPDX-License-Identifier: Apache-2.0
"""One boot under QEMU's software emulation: what the guest wrote to its console, and how each step ended."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from kernel import Kernel

# The guest's script writes "@@ begin NAME", the step's output, "@@ end NAME CODE", and at last "@@ done".
MARK = re.compile(r"^@@ (begin|end|done) ?(\S*) ?(\d*)")


@dataclass
class Step:
    output: list[str] = field(default_factory=list)
    code: int | None = None  # none: it did not end

    @property
    def text(self) -> str:
        return "\n".join(self.output)


@dataclass
class Boot:
    console: str
    steps: dict[str, Step]
    complete: bool


def qemu() -> str | None:
    return shutil.which("qemu-system-x86_64")


def boot(kernel: Kernel, initramfs: Path, console: Path, *, seconds: float) -> Boot:
    """Runs until the guest switches itself off; kills QEMU when the time is over or the caller is interrupted. The
    guest's console goes to that file, where a person can follow it too."""
    program = qemu()
    assert program is not None
    # A killed test leaves no machine behind.
    command = ["setpriv", "--pdeathsig", "KILL", program, "-accel", "tcg,thread=multi", "-cpu", "max",
               "-smp", "2", "-m", "1536", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
               "-kernel", str(kernel.image), "-initrd", str(initramfs), "-append", "console=ttyS0 quiet panic=-1 rdinit=/init mitigations=off"]
    with console.open("wb") as output, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                                        stderr=subprocess.STDOUT) as guest:
        try:
            guest.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass  # the step that did not end is told of, and the console with it
        finally:
            guest.kill()
    return read(console.read_text(errors="replace"))


def read(console: str) -> Boot:
    steps: dict[str, Step] = {}
    current: Step | None = None
    complete = False
    for line in console.replace("\r", "").split("\n"):
        mark = MARK.match(line)
        if mark is None:
            if current is not None:
                current.output.append(line)
        elif mark[1] == "begin":
            current = steps.setdefault(mark[2], Step())
        elif mark[1] == "end":
            if mark[2] in steps:
                steps[mark[2]].code = int(mark[3])
            current = None
        else:
            complete = True
    return Boot(console, steps, complete)
