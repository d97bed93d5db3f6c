# SPDX-License-Identifier: Apache-2.0
"""weir end to end, in the lab, beside the same lab served by the rules that kube-proxy writes: __main__.py says how to
run it, docs/performance.md has the results."""
