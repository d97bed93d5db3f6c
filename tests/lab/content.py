# SPDX-License-Identifier: Apache-2.0
"""The content of large transfers: bytes that both ends can compute, and in which a lost or misplaced piece shows."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator

BLOCK = 256 * 1024


@functools.cache
def _pattern() -> bytes:
    return random.Random("weir").randbytes(BLOCK)


def blocks(size: int) -> Iterator[bytes]:
    """`size` bytes in blocks; each begins with its number, so that no two are alike."""
    pattern = memoryview(_pattern())
    for number, begin in enumerate(range(0, size, BLOCK)):
        length = min(BLOCK, size - begin)
        yield (number.to_bytes(8, "big") + pattern[8:])[:length]


@functools.lru_cache(maxsize=8)
def digest(size: int) -> str:
    """SHA-256 of all blocks."""
    whole = hashlib.sha256()
    for block in blocks(size):
        whole.update(block)
    return whole.hexdigest()
