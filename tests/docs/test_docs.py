# SPDX-License-Identifier: Apache-2.0
"""Everything that documentation, comments and scripts name exists: decision records, pages, anchors, paths, tests."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import references as refs  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
CHECKS = [refs.check_index, refs.check_states, refs.check_decisions, refs.check_links, refs.check_pages,
          refs.check_paths, refs.check_abi, refs.check_house, refs.check_house_files, refs.check_tests]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_nothing_that_is_named_is_missing(check):
    problems = check(refs.Tree(ROOT))
    assert not problems, "\n" + "\n".join(problems)


# A tree in which every reference is right.
GOOD = {
    "README.md": "[pages](docs/page.md#a-heading-of-it), `bpf/core.h`, `loader/{plan,model}`\n",
    "docs/page.md": "# Page\n\n## A heading, of `it`\n\n"
                    "[here](#page), [0001](decisions/0001-first.md), see decision 0002.\n"
                    "`unit/x_test.cpp: Some.Thing`, `Some.Thing`, `e2e/test_y.py::test_a`, `::test_b`, tests/unit\n",
    "docs/reference/semantics.md": "| rule | `case.yaml` |\n",
    "docs/decisions/README.md": "| [0001](0001-first.md) | First | partly replaced | [0002](0002-second.md) |\n"
                                "| [0002](0002-second.md) | Second | in force | |\n",
    "docs/decisions/0001-first.md": "# 0001 First\n\n**State:** partly replaced by [0002](0002-second.md).\nMore.\n",
    "docs/decisions/0002-second.md": "# 0002 Second\n",
    "bpf/core.h": "/* docs/decisions/0001, docs/page.md, tests/e2e/test_y.py */\n",
    "loader/plan/a.cpp": "\n",
    "loader/model/a.cpp": "\n",
    "CMakeLists.txt": "weir_room(maps FOLDER maps)\nweir_room(model LINKS x)\n"
                      "weir_room(plan ROOMS model maps LINKS y)\n"
                      "weir_room(cli ROOMS plan model\n    maps)\n",
    "docs/house.md": "```mermaid\n    cli --> plan\n    plan --> model\n    plan --> maps\n```\n"
                     "`core.h`, `later.h` (to come)\n",
    "maps/abi.h": "enum { WEIR_ABI_VERSION = 7 };\n",
    "docs/reference/maps.md": "ABI version 7\n",
    "docs/reference/cli.md": '{"abi": 7}\n',
    "tests/unit/x_test.cpp": "TEST(Some, Thing) {}\n",
    "tests/e2e/test_y.py": "def test_a():\n    pass\ndef test_b():\n    pass\n",
    "tests/conformance/cases/case.yaml": "\n",
}


def tree_of(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return refs.Tree(folder)


def test_a_good_tree_has_no_problems(tmp_path):
    tree = tree_of(tmp_path, GOOD)
    assert [problem for check in CHECKS for problem in check(tree)] == []


@pytest.mark.parametrize("check, file, right, wrong", [
    (refs.check_index, "docs/decisions/README.md", "| [0002](0002-second.md) | Second | in force | |\n", ""),
    (refs.check_index, "docs/decisions/README.md", "Second |", "Another |"),
    (refs.check_index, "docs/decisions/README.md", "partly replaced", "in force"),
    (refs.check_index, "docs/decisions/README.md", "[0002](0002-second.md) |\n", " |\n"),
    (refs.check_index, "docs/decisions/README.md", "0002-second.md) | Second", "0003-third.md) | Third"),
    (refs.check_states, "docs/decisions/0001-first.md", "replaced by [0002]", "replaced by [0009]"),
    (refs.check_states, "docs/decisions/0001-first.md", "partly replaced", "gone"),
    (refs.check_decisions, "docs/page.md", "decision 0002", "decision 0009"),
    (refs.check_decisions, "docs/page.md", "decision 0002", "decisions 0002 and 0009"),
    (refs.check_decisions, "docs/page.md", "decision 0002", "that (0009)"),
    (refs.check_decisions, "docs/page.md", "decisions/0001-first.md", "decisions/0001-last.md"),
    (refs.check_decisions, "bpf/core.h", "docs/decisions/0001", "docs/decisions/0009"),
    (refs.check_links, "README.md", "docs/page.md", "docs/pages.md"),
    (refs.check_links, "README.md", "#a-heading-of-it", "#a-heading"),
    (refs.check_links, "docs/page.md", "#page", "#paper"),
    (refs.check_pages, "bpf/core.h", "docs/page.md", "docs/pages.md"),
    (refs.check_paths, "README.md", "bpf/core.h", "bpf/cores.h"),
    (refs.check_paths, "README.md", "{plan,model}", "{plan,models}"),
    (refs.check_abi, "docs/reference/maps.md", "7", "6"),
    (refs.check_abi, "docs/reference/cli.md", "7", "6"),
    (refs.check_house, "docs/house.md", "plan --> maps", "model --> maps"),
    (refs.check_house, "docs/house.md", "    plan --> maps\n", ""),
    (refs.check_house_files, "docs/house.md", "core.h", "cores.h"),
    (refs.check_house_files, "docs/house.md", "later.h", "core.h"),
    (refs.check_house, "CMakeLists.txt", "ROOMS plan model\n    maps", "ROOMS model"),
    (refs.check_tests, "docs/page.md", ": Some.Thing", ": Some.Think"),
    (refs.check_tests, "docs/page.md", ": Some.Thing", ": Same"),
    (refs.check_tests, "docs/page.md", "`Some.Thing`", "`Some.Think`"),
    (refs.check_tests, "docs/page.md", "unit/x_test.cpp", "unit/z_test.cpp"),
    (refs.check_tests, "docs/page.md", "::test_a", "::test_c"),
    (refs.check_tests, "docs/page.md", "`::test_b", "`::test_c"),
    (refs.check_tests, "docs/page.md", "tests/unit", "tests/units"),
    (refs.check_tests, "docs/page.md", "tests/unit", "python3 -m tests.unite"),
    (refs.check_tests, "docs/page.md", "tests/unit", "--gtest_filter='Same.*'"),
    (refs.check_tests, "docs/reference/semantics.md", "case.yaml", "cases.yaml"),
    (refs.check_tests, "bpf/core.h", "tests/e2e/test_y.py", "tests/e2e/test_z.py"),
    (refs.check_tests, "bpf/core.h", "tests/e2e/test_y.py", "x_tests.cpp, z_test.cpp"),
])
def test_a_wrong_reference_is_found(tmp_path, check, file, right, wrong):
    assert right in GOOD[file]
    problems = check(tree_of(tmp_path, {**GOOD, file: GOOD[file].replace(right, wrong, 1)}))
    assert problems
