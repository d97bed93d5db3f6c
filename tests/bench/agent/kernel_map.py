# SPDX-License-Identifier: Apache-2.0
"""Reads a pinned map through bpf(2) itself: a lookup takes two microseconds, so that polling tells when the agent has
written."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from pathlib import Path

BPF_MAP_LOOKUP_ELEM, BPF_OBJ_GET = 1, 7
SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280}

libc = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    """The attributes of both commands; the kernel requires zeros behind the fields that it knows."""
    _fields_ = [("words", ctypes.c_uint64 * 16)]


def _bpf(command: int, *words: int) -> int:
    attributes = Attributes((ctypes.c_uint64 * 16)(*words))
    return libc.syscall(SYSCALL[platform.machine()], command, ctypes.byref(attributes), ctypes.sizeof(attributes))


class Frontends:
    """The map `frontends` (maps/abi.h: struct frontend_key, struct frontend)."""

    VALUE_SIZE = 32

    def __init__(self, pin_path: Path) -> None:
        path = ctypes.create_string_buffer(os.fsencode(pin_path / "maps" / "frontends"))
        self._fd = _bpf(BPF_OBJ_GET, ctypes.addressof(path))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), f"{pin_path}: {os.strerror(ctypes.get_errno())}")
        self._value = ctypes.create_string_buffer(self.VALUE_SIZE)

    def close(self) -> None:
        os.close(self._fd)

    def lookup(self, address: str, port: int) -> bytes | None:
        """The value of a TCP frontend. It changes whenever the endpoints do, since they get new slots."""
        key = ctypes.create_string_buffer(struct.pack(">10xH4sHBx", 0xffff, socket.inet_aton(address), port,
                                                      socket.IPPROTO_TCP), 20)
        done = _bpf(BPF_MAP_LOOKUP_ELEM, self._fd, ctypes.addressof(key), ctypes.addressof(self._value))
        return self._value.raw if done == 0 else None
