# SPDX-License-Identifier: Apache-2.0
"""The far end of a wire for XDP: a veth takes what its peer's XDP program sends back (XDP_TX) only while a program of
its own is attached (Linux, drivers/net/veth.c, veth_xdp_flush); a network card takes anything."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

from .errors import LabError
from .namespace import Namespace

_SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_PROG_LOAD = 5
_PROG_TYPE_XDP = 6
# r0 = XDP_PASS; exit
_PASS = bytes.fromhex("b700000002000000" "9500000000000000")


class _LoadAttributes(ctypes.Structure):
    """The beginning of the kernel's union bpf_attr for BPF_PROG_LOAD."""

    _fields_ = [("prog_type", ctypes.c_uint32), ("insn_cnt", ctypes.c_uint32), ("insns", ctypes.c_uint64),
                ("license", ctypes.c_uint64), ("rest", ctypes.c_uint8 * 120)]


def _load() -> int:
    """A program that passes every packet; its file descriptor."""
    code, licence = ctypes.create_string_buffer(_PASS), ctypes.create_string_buffer(b"GPL")
    attributes = _LoadAttributes(_PROG_TYPE_XDP, len(_PASS) // 8, ctypes.addressof(code), ctypes.addressof(licence))
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(_SYS_BPF, _PROG_LOAD, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        raise LabError(f"loading an XDP program: {os.strerror(ctypes.get_errno())}")
    return fd


def receive_frames(place: Namespace, interfaces: list[str]) -> None:
    """Makes these veths of a namespace take frames from the XDP programs of their peers."""
    fd = _load()
    try:
        number = re.search(r"^prog_id:\s*(\d+)$", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.MULTILINE)
        for interface in interfaces:
            place.exec("bpftool", "net", "attach", "xdpdrv", "id", number[1], "dev", interface)
    finally:
        os.close(fd)
