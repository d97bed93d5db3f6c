# SPDX-License-Identifier: Apache-2.0
"""Keeps the walls of the house: an #include crosses only where scripts/cmake/house.cmake draws an arrow.

The linker cannot tell. A header of a room above compiles wherever it is included, and inline code needs no library.
"""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.MULTILINE)
# The program's entrance belongs to no room and knows one.
ENTRANCES = {"loader/main.cpp": "loader/cli"}


def rooms():
    """Returns {folder: folders that it may include from}, as the build has stated them."""
    text = Path(os.environ["WEIR_BUILD"], "house.txt").read_text()
    rows = dict(line.split(":") for line in text.splitlines())
    folder_of = {folder.rsplit("/", 1)[-1]: folder for folder in rows}
    return {folder: {folder_of[room] for room in below.strip().split(";") if room} for folder, below in rows.items()}


def room_of(path, folders):
    return next((folder for folder in folders if path.startswith(folder + "/")), None)


def crossings(files, arrows):
    """Yields (file, included file) for each include that no arrow allows. files: {path: text}."""
    for path, text in files.items():
        room = room_of(path, arrows)
        for included in INCLUDE.findall(text):
            target = room_of(included, arrows)
            if path in ENTRANCES:
                if target != ENTRANCES[path]:
                    yield path, included
            elif target is not None and target != room and target not in arrows[room]:
                yield path, included


def sources():
    for folder in ("loader", "maps"):
        for path in sorted((ROOT / folder).rglob("*.?pp")):
            yield str(path.relative_to(ROOT)), path.read_text()


def test_includes_follow_arrows():
    assert list(crossings(dict(sources()), rooms())) == []


def test_every_source_has_a_room():
    arrows = rooms()
    assert [path for path, _ in sources() if path not in ENTRANCES and room_of(path, arrows) is None] == []


def test_arrows_point_down():
    arrows = rooms()
    order = list(arrows)
    assert [(room, below) for room in order for below in arrows[room] if order.index(below) > order.index(room)] == []


def test_a_crossing_is_found():
    arrows = {"maps": set(), "loader/model": set(), "loader/plan": {"loader/model"}}
    files = {
        "loader/plan/a.cpp": '#include "loader/model/b.hpp"\n#include "maps/abi.h"\n',
        "loader/model/b.hpp": '#include "loader/plan/a.hpp"\n',
        "loader/main.cpp": '#include "loader/model/b.hpp"\n',
    }
    assert list(crossings(files, arrows)) == [
        ("loader/plan/a.cpp", "maps/abi.h"),
        ("loader/model/b.hpp", "loader/plan/a.hpp"),
        ("loader/main.cpp", "loader/model/b.hpp"),
    ]
