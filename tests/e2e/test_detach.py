# SPDX-License-Identifier: Apache-2.0
"""`weir detach` takes everything away, nothing before it does, and weir can come back."""

from __future__ import annotations

import pytest
from labs import LOCAL, service_of

from tests.lab import Lab, LabError, objects, wait_until
from tests.lab.agent import exists_in_kernel

pytestmark = pytest.mark.parametrize("lab", ["routed", "xdp-native", "clsact"], indirect=True, scope="module")


def bpf_on_interfaces(lab: Lab) -> str:
    """XDP programs and tc filters of node1, as iproute2 lists them."""
    node = lab.node(1)
    links = [line.split()[1].partition("@")[0].rstrip(":") for line in node.exec("ip", "-oneline", "link").splitlines()]
    filters = [node.exec("tc", "filter", "show", "dev", link, direction, check=False)
               for link in links for direction in ("ingress", "egress")]
    xdp = [line for line in node.exec("ip", "-details", "link").splitlines() if "prog/xdp" in line]
    return "".join(line for line in filters if "bpf" in line) + "".join(xdp)


def test_detach_is_refused_while_the_agent_runs(lab: Lab) -> None:
    one = lab.agents[0]
    with pytest.raises(LabError, match="agent"):
        one.detach()
    address, port = lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)
    assert lab.pod("visitor").http_get(address, port).ok


def test_detach_removes_everything_and_a_new_start_brings_it_back(lab: Lab) -> None:
    one = lab.agents[0]
    visitor = lab.pod("visitor")
    address, port = lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)
    node_port = lab.frontend(service_of(LOCAL, 4), "NodePort", 4)

    assert one.stop() == 0
    assert visitor.http_get(address, port).ok
    in_kernel = one.kernel_objects()
    assert any(kind == "map" for kind, _ in in_kernel)

    one.detach()
    assert one.pins() == []
    assert bpf_on_interfaces(lab) == ""
    wait_until(lambda: not any(exists_in_kernel(*item) for item in in_kernel), "programs and maps leave the kernel")
    assert not visitor.http_get(address, port, timeout=0.5).ok
    assert not lab.client.http_get(*node_port, timeout=0.5).ok
    assert visitor.http_get(lab.pod("local-1").addresses[4], objects.CONTAINER_PORT).ok

    one.detach()  # nothing left to remove is no mistake
    one.start()
    lab.wait_programmed()
    assert lab.pod("visitor").http_get(*lab.frontend(service_of(LOCAL, 4), "ClusterIP", 4)).ok
    assert lab.client.http_get(*lab.frontend(service_of(LOCAL, 4), "NodePort", 4)).ok


def test_other_programs_on_the_interface_stay(lab: Lab) -> None:
    """Another program's clsact filter is still there after detach."""
    node, one = lab.node(2), lab.agents[1]
    node.exec("tc", "qdisc", "add", "dev", "eth0", "clsact", check=False)  # weir may have made it
    everything = ["protocol", "all", "u32", "match", "u32", "0", "0", "flowid", "1:1"]
    node.exec("tc", "filter", "add", "dev", "eth0", "ingress", "pref", "77", *everything)
    one.stop()
    one.detach()
    assert "pref 77" in node.exec("tc", "filter", "show", "dev", "eth0", "ingress")
    one.start()
    assert "pref 77" in node.exec("tc", "filter", "show", "dev", "eth0", "ingress")
    node.exec("tc", "filter", "del", "dev", "eth0", "ingress", "pref", "77")
