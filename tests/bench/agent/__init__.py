# SPDX-License-Identifier: Apache-2.0
"""The whole agent, from folders of manifests to the kernel's maps: __main__.py says how to run it, docs/performance.md
has the results."""
