# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels: downloaded and unpacked, never installed (that would touch this machine's /boot)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


class NoKernel(Exception):
    """The package is not available here: without it there is nothing to test."""


@dataclass(frozen=True)
class Kernel:
    release: str
    image: Path
    modules: Path

    def module_files(self, names: list[str]) -> list[Path]:
        """The modules and what they need, in the order in which they are to be loaded."""
        needs: dict[str, list[str]] = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            needs[Path(path).name.removesuffix(".xz").removesuffix(".ko").replace("-", "_")] = [path, *rest.split()]
        order: list[str] = []
        for name in names:
            # modules.dep lists all that a module needs, the nearest first.
            for path in reversed(needs.get(name, [])):
                if path not in order:
                    order.append(path)
        return [self.modules / path for path in order]


def folder() -> Path:
    """The folder for downloads: they outlast a build, and only the tests use them."""
    cache = Path(os.environ.get("WEIR_VM_CACHE", "/var/cache/weir-vm"))
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def package_of(meta: str) -> str:
    """The package with the kernel that a meta package stands for."""
    output = subprocess.run(["apt-cache", "depends", meta], capture_output=True, text=True, check=False).stdout
    names = [line.split()[1] for line in output.splitlines() if line.strip().startswith("Depends: linux-image-")]
    if not names:
        raise NoKernel(f"{meta}: not in the package lists of this machine (apt-get update?)")
    return names[0]


def fetch(meta: str) -> Kernel:
    name = package_of(meta)
    root = folder() / name
    if not (root / "complete").exists():
        with tempfile.TemporaryDirectory(dir=folder()) as work:
            got = subprocess.run(["apt-get", "download", "-qq", name], cwd=work, capture_output=True, text=True,
                                 check=False)
            packages = list(Path(work).glob("*.deb"))
            if got.returncode != 0 or not packages:
                raise NoKernel(f"{name}: cannot be downloaded: {got.stderr.strip()}")
            subprocess.run(["dpkg-deb", "-x", packages[0], root], check=True)
        release = next((root / "boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-")
        subprocess.run(["depmod", "-b", root, release], check=True)
        (root / "complete").touch()
    image = next((root / "boot").glob("vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    modules = root / "lib/modules" / release
    return Kernel(release, image, modules if modules.exists() else root / "usr/lib/modules" / release)
