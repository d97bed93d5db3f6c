# SPDX-License-Identifier: Apache-2.0
"""A small root file system: busybox, weir, its tests, their libraries, a few modules."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from kernel import Kernel

# All modules that the datapath, its tests and the generator need; those built in or missing are left out.
MODULES = ["veth", "sch_ingress", "cls_bpf", "act_bpf", "pktgen", "ipv6"]
# Not busybox's: busybox's shell always runs busybox's own `ip`, so the shell is another one too.
TOOLS = ["sh", "ip", "tc", "bpftool", "awk", "ethtool"]


class Root:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.libraries: set[Path] = set()

    def add(self, source: Path, target: str) -> None:
        place = self.path / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)

    def add_program(self, source: Path, target: str) -> None:
        self.add(source, target)
        if (self.path / target.lstrip("/")).stat().st_size > 4 << 20:
            subprocess.run(["strip", "--strip-debug", self.path / target.lstrip("/")], check=True)
        listing = subprocess.run(["ldd", source], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+\.so\S*)", listing):
            if Path(library) not in self.libraries:
                self.libraries.add(Path(library))
                self.add(Path(library), library)


def build(kernel: Kernel, programs: dict[str, Path], files: dict[str, Path], target: Path) -> None:
    """Writes a compressed cpio archive. programs and files: place in the archive -> where it is now."""
    with tempfile.TemporaryDirectory() as work:
        root = Root(Path(work))
        for folder in ("proc", "sys", "dev", "tmp", "run", "etc", "var/run"):
            (root.path / folder).mkdir(parents=True)
        root.add(Path("/bin/busybox"), "/bin/busybox")
        for name in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name not in TOOLS and name != "busybox":
                (root.path / "bin" / name).symlink_to("busybox")
        for tool in TOOLS:
            found = shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin")
            if found is None:
                raise FileNotFoundError(f"{tool} is missing: run scripts/setup")
            root.add_program(Path(found).resolve(), f"/bin/{tool}")
        for place, source in programs.items():
            root.add_program(source, place)
        for place, source in files.items():
            root.add(source, place)
        order = []
        for module in kernel.module_files(MODULES):
            name = module.name.removesuffix(".xz")
            content = module.read_bytes()
            place = root.path / "modules" / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(lzma.decompress(content) if module.suffix == ".xz" else content)
            order.append(name)
        (root.path / "modules/order").write_text("".join(f"{name}\n" for name in order))
        names = subprocess.run(["find", "."], cwd=work, capture_output=True, check=True).stdout
        archive = subprocess.run(["/bin/busybox", "cpio", "-o", "-H", "newc"], cwd=work, input=names,
                                 capture_output=True, check=True).stdout
        target.write_bytes(subprocess.run(["gzip", "-1"], input=archive, capture_output=True, check=True).stdout)
