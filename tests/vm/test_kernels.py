# SPDX-License-Identifier: Apache-2.0
"""weir on the kernels that Debian ships: the verifier, the datapath's tests, the packet generator."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import initramfs
import machine
import pytest
from kernel import NoKernel, fetch

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("WEIR_BUILD", HERE.parents[1] / "build"))
OBJECTS = ("xdp", "tc", "sweep", "sock")
# One boot serves all tests of a kernel; emulation on a busy machine is slow.
BOOT_SECONDS = 600

KERNELS = ["linux-image-amd64", "linux-image-6.12-amd64"]


def cases(part: int) -> list[str]:
    """Emulated, a case takes a second. So every test of the datapath runs on one of the kernels, in one of its variants
    (family, protocol, hook), each in turn; but for floods and random packets."""
    listing = subprocess.run([BUILD / "tests/bpf/bpf_tests", "--gtest_list_tests"], capture_output=True, text=True,
                             check=True).stdout
    variants: dict[str, list[str]] = {}
    suite = ""
    for line in listing.splitlines():
        if not line.startswith(" "):
            suite = line.split("#")[0].strip()
        elif suite not in ("Flood.", "Random."):
            case = suite + line.split("#")[0].strip()
            variants.setdefault(case.split("/")[0], []).append(case)
    return [names[i % len(names)] for i, names in enumerate(variants.values()) if i % len(KERNELS) == part]


@pytest.fixture(scope="session", params=KERNELS)
def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> machine.Boot:
    if machine.qemu() is None:
        pytest.skip("qemu-system-x86_64 is not installed: run scripts/setup")
    try:
        kernel = fetch(request.param)
    except NoKernel as error:
        pytest.skip(str(error))
    work = tmp_path_factory.mktemp("vm")
    (work / "filter").write_text(":".join(cases(KERNELS.index(request.param))))
    guest = HERE / "guest"
    steps = {f"/steps/{name}": guest / name for name in ("verifier", "datapath", "pktgen", "weir.yaml")}
    scripts = {f"/opt/pktgen/{path.name}": path for path in (HERE.parents[1] / "scripts/pktgen").iterdir()}
    initramfs.build(
        kernel,
        {"/opt/weir/weir": BUILD / "weir", "/opt/weir/bpf_tests": BUILD / "tests/bpf/bpf_tests"},
        {"/init": guest / "init", "/steps/filter": work / "filter", "/steps/manifests/echo.yaml": guest / "echo.yaml",
         **steps, **scripts,
         **{f"/opt/weir/{name}.bpf.o": BUILD / f"bpf/{name}.bpf.o" for name in OBJECTS}},
        work / "initramfs.gz")
    return machine.boot(kernel, work / "initramfs.gz", seconds=BOOT_SECONDS)


def step(boot: machine.Boot, name: str) -> machine.Step:
    """A step that ended well; its output is what a failure shows."""
    if name not in boot.steps:
        pytest.fail(f"the guest did not come to {name}; its console:\n{boot.console[-4000:]}")
    found = boot.steps[name]
    assert found.code == 0, f"{name} ended with {found.code}:\n{found.text[-6000:]}"
    return found


def test_verifier_takes_every_program(booted: machine.Boot) -> None:
    text = step(booted, "verifier").text
    for name in OBJECTS:
        assert f"loaded {name}:" in text


def test_datapath(booted: machine.Boot, request: pytest.FixtureRequest) -> None:
    text = step(booted, "datapath").text
    chosen = len(cases(KERNELS.index(request.node.callspec.params["booted"])))
    assert chosen > 50
    assert f"{chosen} tests from" in text
    assert "FAILED" not in text


def test_pktgen(booted: machine.Boot) -> None:
    lines = step(booted, "pktgen").output
    reports = [json.loads(line.removeprefix("report ")) for line in lines if line.startswith("report ")]
    received = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("received ")}
    assert [report["mode"] for report in reports] == ["single", "flows", "flood", "single"]
    for report in reports[:3]:
        assert report["sent"] == 5000
        assert sum(cpu["sent"] for cpu in report["cpus"]) == report["sent"]
        # The node saw every packet once, and sent on what it says.
        assert report["forwarded"] == report["sent"]
        assert report["dropped"] == 0
        assert received[report["mode"]] >= report["forwarded"]
    assert reports[3]["forwarded"] == 0
    assert reports[3]["other"] >= reports[3]["sent"]
    assert any(line.startswith("forwarded ") and line.split()[1] != "0" for line in lines)
