# SPDX-License-Identifier: Apache-2.0
"""A lab from the command line: /usr/bin/python3 -m tests.lab up webapp.yaml --keep"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from . import hints, registry
from .background import hold_after
from .errors import LabError
from .lab import Lab
from .waiting import until_interrupted, wait_until


def up(options: argparse.Namespace) -> int:
    def work(stay: Callable[[], None]) -> int:
        try:
            config = {"datapath": {"xdp": options.xdp}} if options.xdp else {}
            with Lab(nodes=options.nodes, pods=options.pods, overlay=options.overlay, weir=not options.without_weir,
                     config=config) as lab:
                for manifest in options.manifest:
                    lab.deploy(manifest)
                print("\n".join(hints.lines(lab)), flush=True)
                stay()
        except LabError as error:
            print(f"lab: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            pass
        return 0

    return hold_after(work) if options.keep else work(until_interrupted)


def listing(_: argparse.Namespace) -> int:
    for entry in registry.entries():
        owner = entry.owner
        print(f"{entry.id}  {f'held by process {owner}' if owner else 'dead: `reap` removes it'}")
    return 0


def down(options: argparse.Namespace) -> int:
    entry = registry.Entry(options.id)
    if not entry.folder.exists():
        print(f"lab: there is no lab {options.id}; `list` shows those that there are", file=sys.stderr)
        return 1
    if owner := entry.owner:
        os.kill(owner, signal.SIGTERM)
        wait_until(lambda: entry.owner is None, f"the process of lab {entry.id} ends")
    entry.remove()
    return 0


def reap(_: argparse.Namespace) -> int:
    for entry in registry.reap():
        print(f"removed lab {entry.id}")
    return 0


def shell(options: argparse.Namespace) -> int:
    namespace = f"{registry.Entry(options.id).prefix}-{options.place}"
    command = options.command or [os.environ.get("SHELL", "/bin/sh")]
    os.execvp("nsenter", ["nsenter", f"--net=/run/netns/{namespace}", *command])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("up", help="build a lab, deploy manifests, say what to try; until interrupted")
    command.add_argument("manifest", nargs="*", type=Path)
    command.add_argument("--keep", action="store_true", help="in the background")
    command.add_argument("--nodes", type=int, default=2)
    command.add_argument("--pods", choices=["routed", "bridged"], default="routed")
    command.add_argument("--overlay", action="store_true", help="vxlan between the nodes")
    command.add_argument("--xdp", choices=["auto", "native", "generic", "off"])
    command.add_argument("--without-weir", action="store_true")
    command.set_defaults(run=up)

    commands.add_parser("list", help="labs that there are").set_defaults(run=listing)
    commands.add_parser("reap", help="remove what labs left whose process was killed").set_defaults(run=reap)

    command = commands.add_parser("down", help="end a lab")
    command.add_argument("id")
    command.set_defaults(run=down)

    command = commands.add_parser("shell", help="a shell, or a command, in the network of a place (node1, client, ...)")
    command.add_argument("id")
    command.add_argument("place")
    command.add_argument("command", nargs=argparse.REMAINDER)
    command.set_defaults(run=shell)

    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
