# SPDX-License-Identifier: Apache-2.0
"""Empties conntrack's table as `conntrack -F` does, which few machines have."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from tests.lab import LabError
from tests.lab.forkserver import enter_network

MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")  # of the machine: holds in each namespace

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK = 1, 4
DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE: without a tuple, all


def flush(network: Path) -> None:
    """Deletes all connections of a network namespace."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter_network(str(network))
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
            netlink.send(struct.pack("=IHHIIBBH", 20, DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0, 0, 0, 0))
            error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    finally:
        enter_network(f"/proc/self/fd/{own}")
        os.close(own)
    if error:
        raise LabError(f"{network}: emptying conntrack: {os.strerror(-error)}")
