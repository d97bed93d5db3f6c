# SPDX-License-Identifier: Apache-2.0
"""A mistake affects only the object that has it: weir goes on serving the rest, and says what is wrong and where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from labs import LOCAL, REMOTE, furnish, service_of

from tests.lab import Lab, LabError, manifests, objects, wait_until
from tests.lab.agent import run_anywhere

NOBODY = 65534


def serves(lab: Lab, service: str) -> bool:
    address, port = lab.frontend(service, "ClusterIP", 4)
    return lab.pod("visitor").http_get(address, port, timeout=1).ok


def wait_for_problem(lab: Lab, *words: str) -> str:
    """Waits for the problem that names all of these, and returns it."""
    def found() -> str:
        return next((problem for problem in lab.agents[0].problems() if all(word in problem for word in words)), "")
    return wait_until(found, lambda: f"a problem with {words} is reported; there are: {lab.agents[0].problems()}")


@pytest.fixture
def stray(lab: Lab) -> Iterator[Path]:
    """A file in the manifests folder that a test may fill."""
    path = lab.manifests / "stray.yaml"
    yield path
    path.unlink(missing_ok=True)
    wait_until(lambda: lab.agents[0].problems() == [], "no problem remains")
    lab.wait_programmed()


def test_a_malformed_file_is_named_with_its_line_and_harms_nobody(lab: Lab, stray: Path) -> None:
    manifests.write_text(stray, "kind: Service\nmetadata: {name: broken\nspec: [\n")
    problem = wait_for_problem(lab, "stray.yaml:")
    assert problem.partition("stray.yaml:")[2][0].isdigit()
    assert serves(lab, service_of(LOCAL, 4)) and serves(lab, service_of(REMOTE, 4))
    # Changes of other objects are still followed.
    lab.deploy([objects.deployment("meanwhile"), objects.service("meanwhile", "meanwhile")])
    assert serves(lab, "meanwhile")
    lab.delete("Service", "meanwhile")
    lab.delete("Deployment", "meanwhile")


@pytest.fixture
def broken_services(lab: Lab) -> Iterator[None]:
    """Breaks the file with all Services. Afterwards it parses again, and the agents notice."""
    path = lab.manifests / "services.yaml"
    good = path.read_text()
    manifests.write_text(path, good + "\n---\n]] not yaml\n")
    yield
    manifests.write_text(path, good)
    wait_until(lambda: lab.agents[0].problems() == [], "the file is right again")
    lab.wait_programmed()
    assert serves(lab, service_of(LOCAL, 4))


@pytest.mark.usefixtures("broken_services")
def test_a_file_that_breaks_keeps_its_last_good_content_in_force(lab: Lab) -> None:
    wait_for_problem(lab, "services.yaml")
    assert serves(lab, service_of(LOCAL, 4)) and serves(lab, service_of(REMOTE, 4))


@pytest.mark.usefixtures("broken_services")
def test_a_file_that_breaks_and_a_restart_keep_what_the_kernel_has(lab: Lab) -> None:
    one = lab.agents[0]
    wait_for_problem(lab, "services.yaml")
    one.kill()
    one.launch()
    wait_until(lambda: one.running and "services.yaml" in one.log(), "the new agent complains")
    assert serves(lab, service_of(LOCAL, 4)) and serves(lab, service_of(REMOTE, 4))


@pytest.mark.parametrize("spoilt", [
    {"ports": [{"port": 70000}]},
    {"ports": [{"port": "eighty"}]},
    {"clusterIP": "10.96.0.300", "ports": [{"port": 80}]},
    {"ports": "80"},
], ids=["port too large", "port no number", "address wrong", "no list"])
def test_an_impossible_object_fails_alone(lab: Lab, stray: Path, spoilt: dict) -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "broken"},
              "spec": {"selector": {"app": "x"}} | spoilt}
    good = objects.service("beside", LOCAL)
    manifests.write(stray.parent, stray.stem, [broken, good])
    wait_for_problem(lab, "broken")
    wait_until(lambda: any(one.service == "default/beside" for one in lab.agents[0].services()),
               "its neighbour is served")
    assert serves(lab, "beside") and serves(lab, service_of(LOCAL, 4))


def test_an_interface_that_is_missing_is_reported_and_attached_when_it_comes(weir_binary: Path) -> None:
    with Lab(binary=weir_binary, further_uplinks=["late0"]) as lab:
        furnish(lab)
        wait_for_problem(lab, "late0")
        assert serves(lab, service_of(LOCAL, 4))
        lab.node(1).exec("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        lab.node(1).exec("ip", "link", "set", "late0", "up")
        wait_until(lambda: lab.agents[0].interfaces().get("late0", {}).get("role") == "uplink", "late0 is attached")
        wait_until(lambda: lab.agents[0].problems() == [], "the report is withdrawn")
        lab.node(1).exec("ip", "link", "del", "late0")
        wait_until(lambda: "late0" not in lab.agents[0].interfaces(), "late0 is forgotten")
        assert serves(lab, service_of(LOCAL, 4))


@pytest.mark.parametrize("maps", [{"frontends": 6}, {"services": 6}, {"backends": 9}, {"slots": 1024}],
                         ids=lambda maps: next(iter(maps)))
def test_a_full_map_fails_the_services_that_find_no_room_and_no_other(weir_binary: Path, maps: dict) -> None:
    with Lab(binary=weir_binary, nodes=1, config={"datapath": {"maps": maps}}) as lab:
        lab.deploy([objects.pod("visitor", "node1"), objects.deployment("app", replicas=2)])
        names = [f"app-{number}" for number in range(8)]
        for name in names:
            lab.deploy(objects.service(name, "app"), wait=False)

        def told_apart() -> bool:
            served = {one.service for one in lab.agents[0].services()}
            problems = lab.agents[0].problems()
            return all((f"default/{name}" in served) != any(f"default/{name}" in problem for problem in problems)
                       for name in names)

        wait_until(told_apart, lambda: f"each is served or reported; reported: {lab.agents[0].problems()}")
        served = [name for name in names if any(one.service == f"default/{name}" for one in lab.agents[0].services())]
        assert 0 < len(served) < len(names)
        assert all(serves(lab, name) for name in served)
        # There is room again: a Service that waited takes it within a few seconds.
        lab.delete("Service", served[0], wait=False)
        waiting = set(names) - set(served)
        wait_until(lambda: waiting & {one.service.partition("/")[2] for one in lab.agents[0].services()},
                   "a service that waited is served")


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """An empty folder that every user can read."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_without_root_it_says_so(weir_binary: Path, empty_folder: Path) -> None:
    binary = Path(shutil.copy(weir_binary, empty_folder / "weir"))
    done = run_anywhere(binary, "run", "--manifests", str(empty_folder), user=NOBODY)
    assert done.returncode == 1
    assert "root" in done.stderr


@pytest.mark.parametrize(("text", "says"), [
    ("datapath: {xdpp: off}\n", ":1: "),
    ("node: a\ndatapath:\n  xdp: sometimes\n", ":3: "),
    ("node: [\n", ":"),
], ids=["unknown key", "unknown value", "not YAML"])
def test_a_wrong_configuration_is_refused_with_its_line(weir_binary: Path, empty_folder: Path, text: str,
                                                        says: str) -> None:
    config = empty_folder / "weir.yaml"
    config.write_text(text)
    done = run_anywhere(weir_binary, "run", "--config", str(config), "--manifests", str(empty_folder))
    assert done.returncode == 1
    assert f"weir.yaml{says}" in done.stderr


def test_wrong_usage_is_code_2(weir_binary: Path) -> None:
    assert run_anywhere(weir_binary, "run", "--no-such-flag").returncode == 2
    assert run_anywhere(weir_binary, "no-such-command").returncode == 2


def test_xdp_that_an_interface_cannot_do_is_an_error_that_names_it(weir_binary: Path) -> None:
    """This device has no native XDP; asking for it must not affect the other interfaces."""
    with Lab(binary=weir_binary, nodes=1, further_uplinks=["plain0"], config={"datapath": {"xdp": "native"}}) as lab:
        lab.deploy([objects.pod("visitor", "node1"), objects.deployment("app"), objects.service("app", "app")])
        lab.node(1).exec("ip", "link", "add", "plain0", "type", "ifb")
        wait_for_problem(lab, "plain0", "XDP")
        assert lab.agents[0].interfaces()["plain0"]["tc"], "the rest of it works"
        assert serves(lab, "app")


def test_an_interface_that_cannot_be_an_uplink_is_named_with_the_reason(weir_binary: Path) -> None:
    with Lab(binary=weir_binary, nodes=1, further_uplinks=["bridge0"]) as lab:
        lab.node(1).exec("ip", "link", "add", "bridge0", "type", "bridge")
        wait_for_problem(lab, "bridge0", "port towards the network")


def test_the_lab_shows_what_a_refused_start_said(weir_binary: Path) -> None:
    with pytest.raises(LabError, match="xdp"):
        Lab(binary=weir_binary, nodes=1, config={"datapath": {"xdp": "sometimes"}})
