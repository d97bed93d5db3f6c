# SPDX-License-Identifier: Apache-2.0
"""weir on the kernels that Debian ships: the verifier, the datapath's tests, the packet generator."""

from __future__ import annotations

import json
import os
import re
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
BOOT_SECONDS = 1800

KERNELS = ["linux-image-amd64", "linux-image-6.12-amd64"]


def cases(part: int) -> list[str]:
    """Emulated, a case takes a second. So every test of the datapath runs on one of the kernels, in one of its variants
    (family, protocol, hook), each in turn; but for floods, crowds and random packets."""
    listing = subprocess.run([BUILD / "tests/bpf/bpf_tests", "--gtest_list_tests"], capture_output=True, text=True,
                             check=True).stdout
    variants: dict[str, list[str]] = {}
    suite = ""
    for line in listing.splitlines():
        if not line.startswith(" "):
            suite = line.split("#")[0].strip()
        elif suite not in ("Flood.", "StreamFlood.", "PortCrowd.", "Random."):
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
    steps = {f"/steps/{name}": guest / name for name in ("verifier", "sizes", "datapath", "pktgen", "weir.yaml")}
    scripts = {f"/opt/pktgen/{path.name}": path for path in (HERE.parents[1] / "scripts/pktgen").iterdir()}
    initramfs.build(
        kernel,
        {"/opt/weir/weir": BUILD / "weir", "/opt/weir/bpf_tests": BUILD / "tests/bpf/bpf_tests",
         "/opt/weir/weir-bench-generate": BUILD / "tests/bench/weir-bench-generate"},
        {"/init": guest / "init", "/steps/filter": work / "filter", "/steps/manifests/echo.yaml": guest / "echo.yaml",
         **steps, **scripts,
         **{f"/opt/weir/{name}.bpf.o": BUILD / f"bpf/{name}.bpf.o" for name in OBJECTS}},
        work / "initramfs.gz")
    return machine.boot(kernel, work / "initramfs.gz", work / "console", seconds=BOOT_SECONDS)


def step(boot: machine.Boot, name: str) -> machine.Step:
    """Returns a step, which must have ended well; a failure shows its output."""
    if name not in boot.steps:
        pytest.fail(f"the guest did not come to {name}; its console:\n{boot.console[-4000:]}")
    found = boot.steps[name]
    assert found.code == 0, f"{name} ended with {found.code}:\n{found.text[-6000:]}"
    return found


def test_verifier_takes_every_program(booted: machine.Boot) -> None:
    text = step(booted, "verifier").text
    for name in OBJECTS:
        assert f"loaded {name}:" in text


def test_other_sizes_and_the_memory_that_the_kernel_tells(booted: machine.Boot) -> None:
    lines = [line.partition(" ") for line in step(booted, "sizes").output]
    said = [json.loads(text) for kind, _, text in lines if kind == "status"]
    backends = [json.loads(text) for kind, _, text in lines if kind == "backends"]
    assert [[status["maps"][name]["size"] for name in ("frontends", "services", "backends")] for status in said] == [
        [1024, 1024, 1024], [4096, 512, 512]]
    assert backends[0] == backends[1] != []
    ranges = [json.loads(text) for kind, _, text in lines if kind == "ranges"]
    assert ranges[0] == ranges[1] != []
    assert all(status["maps"]["frontends"]["used"] == said[0]["maps"]["frontends"]["used"] > 0 for status in said)
    # docs/reference/cli.md: before Linux 6.4 a map that is not preallocated seems to be full. 20 + 32 octets of
    # key and value, rounded up.
    release = step(booted, "verifier").output[0]
    for status in said:
        frontends = status["maps"]["frontends"]
        assert (frontends["memory"] == frontends["size"] * 56) == release.startswith("6.1.")


def test_datapath(booted: machine.Boot, request: pytest.FixtureRequest) -> None:
    text = step(booted, "datapath").text
    chosen = len(cases(KERNELS.index(request.node.callspec.params["booted"])))
    assert chosen > 50
    assert sum(int(count) for count in re.findall(r"(\d+) tests? from \d+ test suites? ran", text)) == chosen
    assert "FAILED" not in text


def test_pktgen(booted: machine.Boot) -> None:
    lines = [line.split(" ", 2) for line in step(booted, "pktgen").output]
    reports = {line[1]: json.loads(line[2]) for line in lines if line[0] == "report"}
    received = {line[1]: int(line[2]) for line in lines if line[0] == "received"}
    connections = {line[1]: int(line[2]) for line in lines if line[0] == "connections"}
    assert list(reports) == ["single", "flows", "flood", "flows6", "syn", "closed", "unserved"]
    for name, report in reports.items():
        assert report["sent"] == {"syn": 2000, "closed": 1000, "unserved": 1000}.get(name, 5000)
        assert sum(cpu["sent"] for cpu in report["cpus"]) == report["sent"]
        assert report["interface_sent"] >= report["sent"]
        # The node saw every packet once, and counted one verdict for it.
        assert report["forwarded"] == (0 if name in ("closed", "unserved") else report["sent"])
        assert report["dropped"] == (report["sent"] if name == "closed" else 0)
        assert received[name] >= report["forwarded"]
    assert reports["unserved"]["other"] >= reports["unserved"]["sent"]
    # A mode is what it says: one flow, those that were asked for (one of them was there already), nearly all new.
    assert connections["single"] == 1
    assert 250 < connections["flows"] <= 300
    assert 250 < connections["flows6"] <= 300
    assert connections["flood"] > 4900
    assert connections["syn"] > 1900
    assert any(line[0] == "forwarded" and line[-1].strip() != "0" for line in lines)
