# SPDX-License-Identifier: Apache-2.0
"""A small cluster on one machine, built from network namespaces. lab.py describes its operations, topology.py and
podnet.py its layout. It needs root, iproute2, ethtool and bpftool; from Python, PyYAML and the standard library."""

from .errors import LabError
from .lab import Lab
from .namespace import Reply
from .waiting import wait_until

__all__ = ["Lab", "LabError", "Reply", "wait_until"]
