# SPDX-License-Identifier: Apache-2.0
"""A small cluster on one machine, out of network namespaces: lab.py says what it offers, topology.py and podnet.py what
it looks like. It needs root, iproute2, ethtool, bpftool; of Python, PyYAML beside the standard library."""

from .errors import LabError
from .lab import Lab
from .namespace import Reply
from .waiting import wait_until

__all__ = ["Lab", "LabError", "Reply", "wait_until"]
