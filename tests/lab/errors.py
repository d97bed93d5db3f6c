# SPDX-License-Identifier: Apache-2.0
"""The error of a lab that cannot do as asked: a message for people, without a stack of the lab's own calls."""


class LabError(RuntimeError):
    """Something about the lab, its manifests or the program under test is not as it must be."""
