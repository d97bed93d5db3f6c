# SPDX-License-Identifier: Apache-2.0
"""Labs for the tests: one for all tests of a file (and world), since a test leaves it as it found it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from labs import KINDS, furnish  # noqa: E402

from tests.lab import Lab, LabError, agent, registry  # noqa: E402


def pytest_sessionstart() -> None:
    """Removes the labs of a test run that was killed (by a timeout, say) and could not clean up."""
    registry.reap()


@pytest.fixture(scope="session")
def weir_binary() -> Path:
    try:
        return agent.default_binary()
    except LabError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, weir_binary: Path) -> Iterator[Lab]:
    """A furnished lab of two nodes that run weir; the parameter is its kind."""
    with Lab(binary=weir_binary, **KINDS[getattr(request, "param", "routed")]) as built:
        furnish(built)
        yield built


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Adds the logs of a lab's agents to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Lab):
                for one in value.agents:
                    if log := one.log():
                        report.sections.append((f"weir on {one.node.name}", log))
