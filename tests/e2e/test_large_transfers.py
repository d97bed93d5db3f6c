# SPDX-License-Identifier: Apache-2.0
"""100 MB arrive intact in both directions, with the offloads of pods' interfaces as they are by default: aggregated
segments and unfinished checksums pass through every rewrite."""

from __future__ import annotations

import pytest
from labs import FAMILIES, LOCAL, REMOTE, SOURCES, way_in

from tests.lab import Lab, content

SIZE = 100_000_000

WORLDS = ["routed", "bridged", "overlay", "xdp-native", "xdp-native-overlay", "xdp-generic"]

pytestmark = pytest.mark.parametrize("lab", WORLDS, indirect=True, scope="module")


@pytest.mark.parametrize("direction", ["download", "upload"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", [LOCAL, REMOTE])
@pytest.mark.parametrize("source", SOURCES)
def test_a_large_transfer_arrives_intact(lab: Lab, source: str, place: str, family: int, direction: str) -> None:
    client, address, port = way_in(lab, source, place, family)
    transfer = client.download if direction == "download" else client.upload
    assert transfer(address, port, SIZE) == {"bytes": SIZE, "sha256": content.digest(SIZE)}
