# SPDX-License-Identifier: Apache-2.0
"""Finds references that lead nowhere: to decision records, pages, anchors, files and tests.

Each check takes a Tree and returns one line for each problem: "FILE:LINE: what is wrong"."""
import fnmatch
import pathlib
import posixpath
import re
import subprocess

TEXT = {".md", ".h", ".hpp", ".c", ".cpp", ".py", ".sh", ".txt", ".yaml", ".json", ""}
RECORDS = "docs/decisions/"
INDEX = RECORDS + "README.md"
RECORD_LINK = r"\[\d{4}\]\([^)]+\)"
STATE = rf"\*\*State:\*\* (in force|partly replaced|replaced)( by {RECORD_LINK}(?:, {RECORD_LINK})*)?\."
# Holds references that lead nowhere on purpose.
OWN = "tests/docs/"


class Tree:
    """The files of a checkout: what git tracks or would track. Without git, everything but build folders."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = sorted(f for f in self._list() if (self.root / f).is_file())
        self.folders = {str(parent) for f in self.files for parent in pathlib.PurePosixPath(f).parents} - {"."}
        self._texts = {}

    def _list(self):
        command = ["git", "-C", str(self.root), "ls-files", "--cached", "--others", "--exclude-standard"]
        try:
            if (self.root / ".git").exists():
                return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
        except (OSError, subprocess.CalledProcessError):
            pass
        paths = (path.relative_to(self.root) for path in self.root.rglob("*"))
        return {str(p) for p in paths if not p.parts[0].startswith(("build", ".git")) and "__pycache__" not in p.parts}

    def text(self, file):
        if file not in self._texts:
            self._texts[file] = (self.root / file).read_text(errors="replace")
        return self._texts[file]

    def texts(self, *suffixes):
        """(file, line number, line) of every text file that may refer to something."""
        for file in self.files:
            if pathlib.PurePosixPath(file).suffix in (suffixes or TEXT) and not file.startswith(OWN):
                for number, line in enumerate(self.text(file).splitlines(), 1):
                    yield file, number, line

    def has(self, path):
        """Whether a file, a folder or something that a glob or {a,b} stands for is there."""
        path = path.rstrip("/")
        braces = re.fullmatch(r"(.*?)\{([^{}]*)\}(.*)", path)
        if braces:
            return all(self.has(braces[1] + part + braces[3]) for part in braces[2].split(","))
        if "*" in path:
            return any(fnmatch.fnmatchcase(name, path) for name in (*self.files, *self.folders))
        return path in self.folders or path in self.files


def records(tree):
    """number -> file name of each decision record."""
    names = (f.removeprefix(RECORDS) for f in tree.files if f.startswith(RECORDS))
    return {name[:4]: name for name in names if re.match(r"\d{4}-", name)}


def title_of(tree, name):
    first = tree.text(RECORDS + name).splitlines()[0]
    return re.sub(r"^# \d{4} ", "", first)


def state_of(tree, name):
    """The state of a record and the records that replace it. One without a line about that is in force."""
    line = re.search(f"^{STATE}$", tree.text(RECORDS + name), re.M)
    return (line[1], set(re.findall(r"\[(\d{4})\]", line[2] or ""))) if line else ("in force", set())


def check_index(tree):
    """The index and the folder hold the same records, with the same titles, states and successors."""
    if INDEX not in tree.files:
        return [f"{INDEX}: is missing"]
    known, problems, listed = records(tree), [], set()
    for number, line in enumerate(tree.text(INDEX).splitlines(), 1):
        row = re.match(r"\| \[(\d{4})\]\(([^)]*)\) \| (.*?) \| (.*?) \|(?: (.*?))? \|$", line)
        if not row:
            continue
        record, file, title, state, successors = row.groups()
        listed.add(record)
        where = f"{INDEX}:{number}: {record}"
        if known.get(record) != file:
            problems.append(f"{where}: no record {file}")
            continue
        if title != title_of(tree, file):
            problems.append(f"{where}: the record's title is '{title_of(tree, file)}'")
        now = state_of(tree, file)
        if (state, set(re.findall(r"\[(\d{4})\]", successors or ""))) != now:
            problems.append(f"{where}: the record says {now[0]} {sorted(now[1])}")
    for record in sorted(known.keys() - listed):
        name = known[record]
        row = f"| [{record}]({name}) | {title_of(tree, name)} | {state_of(tree, name)[0]} | |"
        problems.append(f"{INDEX}: {record} is missing; add: {row}")
    return problems


def check_states(tree):
    """A state is one of the three, on a line of its own, and names records that exist."""
    known, problems = records(tree), []
    for name in known.values():
        for line in tree.text(RECORDS + name).splitlines():
            if line.startswith("**State:**") and not re.fullmatch(STATE, line):
                problems.append(f"{RECORDS}{name}: not understood: {line}")
        for successor in sorted(state_of(tree, name)[1] - known.keys()):
            problems.append(f"{RECORDS}{name}: its state names {successor}, which does not exist")
    return problems


def check_decisions(tree):
    """Code, scripts and text name decisions that exist."""
    known, problems = records(tree), []
    for file, number, line in tree.texts():
        named = re.findall(r"decisions/(\d{4})(-[\w-]+\.md)?", line)
        for several in re.findall(r"(?:[Dd]ecision|[Rr]ecord)s?\s+\[?(\d{4}(?:(?:, | and )\d{4})*)", line):
            named += [(record, "") for record in re.findall(r"\d{4}", several)]
        if file.startswith("docs/"):
            named += [(record, "") for record in re.findall(r"\((0\d{3})\)", line)]
        for record, rest in named:
            if record not in known or (rest and known[record] != record + rest):
                problems.append(f"{file}:{number}: no decision {record}{rest}")
    return problems


def without_code(text):
    """Markdown with code fences and code spans blanked out; line breaks stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])

    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", blank, text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", blank, text)


def anchors(tree, file):
    """As GitHub makes them of headings; the second of a name gets -1."""
    found = {}
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", tree.text(file), flags=re.M | re.S)
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", text, re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {f"{anchor}-{n}" if n else anchor for anchor, count in found.items() for n in range(count + 1)}


def check_links(tree):
    """Relative links of Markdown lead to a file, and to a heading of it."""
    problems = []
    for file in (f for f in tree.files if f.endswith(".md")):
        for number, line in enumerate(without_code(tree.text(file)).splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                page = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
                if not tree.has(page):
                    problems.append(f"{file}:{number}: no page {target}")
                elif anchor and (page not in tree.files or anchor not in anchors(tree, page)):
                    problems.append(f"{file}:{number}: no anchor {target}")
    return problems


def check_pages(tree):
    """Code, scripts and text name pages of docs/ that exist."""
    problems = []
    for file, number, line in tree.texts():
        for page in re.findall(r"(?<![\w/.])docs/[\w./-]*\w", line):
            if not re.match(RECORDS + r"\d{4}", page) and not tree.has(page):
                problems.append(f"{file}:{number}: no page {page}")
    return problems


def check_paths(tree):
    """Paths of sources that the documentation names. Decision records speak of the tree of their day."""
    problems = []
    for file, number, line in tree.texts(".md"):
        if file.startswith(RECORDS):
            continue
        named = re.findall(r"(?<![\w/.-])(?:bpf|loader|scripts)/[\w./*{},-]*[\w*}]", line)
        named += re.findall(r"(?<![\w/.-])maps/[\w./*{},-]*\.(?:hpp|cpp|h)\b", line)
        # bpf/..._test.cpp is short for tests/bpf/..._test.cpp: check_tests.
        problems += [f"{file}:{number}: no path {p}" for p in named if not tree.has(p) and not p.endswith("_test.cpp")]
    return problems


def check_abi(tree):
    """The documentation says the ABI version that the header has."""
    header = re.search(r"WEIR_ABI_VERSION = (\d+)", tree.text("maps/abi.h"))
    problems = []
    for file, pattern in (("docs/reference/maps.md", r"ABI version (\d+)"), ("docs/reference/cli.md", r'"abi": (\d+)')):
        for version in re.findall(pattern, tree.text(file)):
            if version != header[1]:
                problems.append(f"{file}: ABI version {version}, maps/abi.h has {header[1]}")
    return problems


def check_house_files(tree):
    """docs/house.md names files that exist, and marks those that do not with (to come)."""
    names = {pathlib.PurePosixPath(f).name for f in tree.files if not f.startswith("tests/")}
    problems = []
    for number, line in enumerate(tree.text("docs/house.md").splitlines(), 1):
        for name, mark in re.findall(r"`([\w.]+\.(?:h|hpp|c|cpp))`( \(to come\))?", line):
            if mark and name in names:
                problems.append(f"docs/house.md:{number}: {name} is there: take (to come) away")
            elif not mark and name not in names:
                problems.append(f"docs/house.md:{number}: no file {name}")
    return problems


def reachable(arrows):
    """room -> every room that its arrows lead to, by others too."""
    found = {}
    for room in arrows:
        found[room], ahead = set(), list(arrows[room])
        while ahead:
            below = ahead.pop()
            if below not in found[room]:
                found[room].add(below)
                ahead += arrows.get(below, ())
    return found


def check_house(tree):
    """docs/house.md draws the arrows that CMakeLists.txt states (weir_room)."""
    stated, drawn = {}, {}
    for words in re.findall(r"^weir_room\(([^)]*)\)", tree.text("CMakeLists.txt"), re.M):
        name, *rest = words.split()
        rooms = rest[rest.index("ROOMS") + 1:] if "ROOMS" in rest else []
        stated[name] = rooms[:rooms.index("LINKS")] if "LINKS" in rooms else rooms
    for room, below in re.findall(r"^ +(\w+) --> (\w+)$", tree.text("docs/house.md"), re.M):
        drawn.setdefault(room, []).append(below)
    stated, drawn = reachable(stated), reachable(drawn)
    problems = []
    for room in stated:
        there = drawn.get(room, set()) & stated.keys()
        problems += [f"docs/house.md: no arrow {room} --> {below}" for below in sorted(stated[room] - there)]
        problems += [f"docs/house.md: arrow {room} --> {below} is not stated" for below in sorted(there - stated[room])]
    return problems


def suites(tree):
    """file -> {suite: {test, ...}} of GoogleTest."""
    found = {}
    for file in tree.files:
        if file.startswith("tests/") and file.endswith(".cpp"):
            for suite, name in re.findall(r"^(?:TYPED_)?TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", tree.text(file), re.M):
                found.setdefault(file, {}).setdefault(suite, set()).add(name)
    return found


def lacks_test(by_suite, name):
    suite, _, test = name.partition(".")
    return suite not in by_suite or (test and test not in by_suite[suite])


def check_tests(tree):
    """Tests that code and documentation name: files, folders, modules, suites, functions, conformance cases."""
    by_file, problems = suites(tree), []
    everywhere = {}
    for by_suite in by_file.values():
        for suite, names in by_suite.items():
            everywhere.setdefault(suite, set()).update(names)
    base_names = {pathlib.PurePosixPath(f).name for f in tree.files if f.startswith("tests/")}
    lists = (f for f in tree.files if f.endswith("CMakeLists.txt"))
    programs = {name for f in lists for name in re.findall(r"add_executable\(([\w-]+)", tree.text(f))}
    for file, number, line in tree.texts():
        missing = [p for p in re.findall(r"(?<![\w/.-])tests/[\w./*{},-]*[\w*}]", line)
                   if not tree.has(p) and p.rpartition("/")[2] not in programs]
        missing += [m for m in re.findall(r"-m (tests[\w.]*\w)", line)
                    if not tree.has(m.replace(".", "/")) and not tree.has(m.replace(".", "/") + ".py")]
        missing += [n for n in re.findall(r"(?<![\w*])(?:\w+_test\.cpp|test_\w+\.py)\b", line) if n not in base_names]
        for pattern in re.findall(r"--gtest_filter=['\"]?([\w.*/:]+)", line):
            names = {f"{suite}.{test}" for suite, tests in everywhere.items() for test in tests}
            missing += [part for part in pattern.split(":") if not fnmatch.filter(names, part)]
        if file.endswith(".md"):
            missing += missing_in_spans(tree, file, line, by_file, everywhere)
        problems += [f"{file}:{number}: no test {name}" for name in missing]
    return problems


def missing_in_spans(tree, file, line, by_file, everywhere):
    """`FILE: SUITE.TEST`, `FILE::function`, `::function` of the file before, `case.yaml` and `Suite.Test`."""
    missing, last_python = [], ""
    for span in re.findall(r"`([^`]+)`", line):
        gtest = re.fullmatch(r"(?:tests/)?((?:unit|bpf)/\w+\.cpp)(?:: ([\w.]+))?", span)
        python = re.fullmatch(r"((?:tests/)?(?:[\w/]+/)?test_\w+\.py)?(?:::(\w+))?", span)
        if gtest:
            path = f"tests/{gtest[1]}"
            if path not in tree.files or (gtest[2] and lacks_test(by_file.get(path, {}), gtest[2])):
                missing.append(span)
        elif python:
            last_python = python[1] or last_python
            path = last_python if last_python.startswith("tests/") else f"tests/{last_python}"
            if path not in tree.files or (python[2] and not re.search(rf"^def {python[2]}\(", tree.text(path), re.M)):
                missing.append(span)
        elif re.fullmatch(r"[\w-]+\.yaml", span) and file == "docs/reference/semantics.md":
            if f"tests/conformance/cases/{span}" not in tree.files:
                missing.append(span)
        elif re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", span) and lacks_test(everywhere, span):
            missing.append(span)
    return missing
