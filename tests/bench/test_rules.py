# SPDX-License-Identifier: Apache-2.0
"""The rules that stand for kube-proxy's must equal kube-proxy's own. Every run of the benchmark shows that the kernel
takes them and that they serve."""

from __future__ import annotations

import re

import pytest

from tests.bench.lab import iptables, nftables, services
from tests.bench.lab.services import LAST, MIDDLE

PODS = ["10.244.2.2", "10.244.2.3", "10.244.2.4"]
PORTS = services.service_ports(12, PODS)


def named(name: str, protocol: str = "tcp") -> services.ServicePort:
    return next(port for port in PORTS if (port.name, port.protocol) == (name, protocol))


# --- Services


@pytest.mark.parametrize("count", [10, 1000, 44_000])
def test_so_many_services_with_addresses_of_their_own(count: int) -> None:
    ports = services.service_ports(count, PODS)
    assert len({port.name for port in ports}) == count
    assert len({(port.cluster_ip, port.protocol) for port in ports}) == len(ports)
    fillers = [endpoint for port in ports if not port.node_port for endpoint in port.endpoints]
    assert len(set(fillers)) == len(fillers)
    assert all(port.cluster_ip.startswith("10.96.") for port in ports)  # the lab's serviceCIDR


def test_measured_services_stand_in_the_middle_and_at_the_end() -> None:
    names = [port.name for port in services.service_ports(1000, PODS)]
    assert names[-2:] == [LAST, LAST]
    assert names.index(MIDDLE) == 499


def test_objects_say_the_same() -> None:
    found = {(one["kind"], one["metadata"]["name"]): one for one in services.objects(PORTS)}
    service, slice_ = found["Service", LAST], found["EndpointSlice", f"{LAST}-1"]
    assert service["spec"]["clusterIP"] == named(LAST).cluster_ip
    assert [(port["protocol"], port["nodePort"]) for port in service["spec"]["ports"]] == [("TCP", 30082), ("UDP", 30082)]
    assert slice_["metadata"]["labels"] == {"kubernetes.io/service-name": LAST}
    assert [one["addresses"] for one in slice_["endpoints"]] == [[pod] for pod in PODS]


# --- iptables


def nat_rules(chain: str) -> list[str]:
    nat = iptables.rule_set(PORTS).partition("*nat\n")[2]
    return [line.removeprefix(f"-A {chain} ") for line in nat.splitlines() if line.startswith(f"-A {chain} ")]


def target(rule: str) -> str:
    return re.search(r"-j (\S+)", rule)[1]


def test_every_jump_has_a_chain() -> None:
    for table in iptables.rule_set(PORTS).split("COMMIT\n"):
        declared = set(re.findall(r"^:(\S+)", table, re.MULTILINE))
        jumps = {name for name in re.findall(r" -j (\S+)", table) if name.startswith("KUBE-")}
        assert jumps <= declared
        assert all(len(name) < 29 for name in declared)  # XT_EXTENSION_MAXNAMELEN


def test_nodeports_come_last() -> None:
    assert target(nat_rules("KUBE-SERVICES")[-1]) == "KUBE-NODEPORTS"
    assert "--dst-type LOCAL" in nat_rules("KUBE-SERVICES")[-1]


def test_services_are_searched_in_order() -> None:
    addresses = [match[1] for rule in nat_rules("KUBE-SERVICES") if (match := re.search(r"-d (10\.96\.\S+)/32", rule))]
    assert addresses == [port.cluster_ip for port in PORTS]


def test_endpoints_share_evenly() -> None:
    """Each rule's probability applies to the connections that the rules before it left."""
    rule = next(rule for rule in nat_rules("KUBE-SERVICES")
                if f"-d {named(LAST).cluster_ip}/32" in rule and "-p tcp" in rule)
    left, shares, reached = 1.0, [], []
    for rule in nat_rules(target(rule))[1:]:
        probability = re.search(r"--probability (\S+)", rule)
        share = float(probability[1]) if probability else 1.0
        shares.append(left * share)
        left *= 1 - share
        reached.append(nat_rules(target(rule))[-1].partition("--to-destination ")[2])
    assert shares == pytest.approx([1 / 3] * 3)
    assert reached == [f"{pod}:8080" for pod in PODS]


def test_traffic_from_outside_is_masqueraded() -> None:
    by_port = next(rule for rule in nat_rules("KUBE-NODEPORTS") if "--dport 30082" in rule and "-p udp" in rule)
    marked, onward = nat_rules(target(by_port))
    assert target(marked) == "KUBE-MARK-MASQ"
    to_cluster_ip = next(rule for rule in nat_rules("KUBE-SERVICES") if f"-d {named(LAST).cluster_ip}/32" in rule
                         and "-p udp" in rule)
    assert target(onward) == target(to_cluster_ip)
    first = nat_rules(target(onward))[0]
    assert f"! -s {services.CLUSTER_CIDR}" in first and target(first) == "KUBE-MARK-MASQ"


# --- nftables


def nft_chain(name: str) -> str:
    text = "".join(nftables.rule_set(PORTS, ["192.168.1.2"]))
    return re.search(rf"^  chain {re.escape(name)} {{\n(.*?)^  }}", text, re.MULTILINE | re.DOTALL)[1]


def verdict(element: str) -> str:
    text = nftables.rule_set(PORTS, ["192.168.1.2"])[-1]
    return re.search(rf"{re.escape(element)} : goto (\S+?)[, ]", text)[1]


def test_verdict_map_leads_to_all_endpoints() -> None:
    service = nft_chain(verdict(f"{named(LAST).cluster_ip} . tcp . 80"))
    assert "numgen random mod 3" in service
    assert f"ip saddr != {services.CLUSTER_CIDR} jump mark-for-masquerade" in service
    choices = re.findall(r"\d : goto (\S+?)[, ]", service)
    assert [re.search(r"dnat to (\S+)", nft_chain(name))[1] for name in choices] == [f"{pod}:8080" for pod in PODS]


@pytest.mark.parametrize("element", ["udp . 30082", "198.51.100.102 . udp . 80"])
def test_nft_traffic_from_outside_is_masqueraded(element: str) -> None:
    external = nft_chain(verdict(element))
    assert external.split() == ["jump", "mark-for-masquerade", "goto", verdict(f"{named(LAST).cluster_ip} . udp . 80")]


def test_every_goto_has_a_chain_in_an_earlier_transaction_or_the_same() -> None:
    declared: set[str] = set()
    for transaction in nftables.rule_set(services.service_ports(2500, PODS), ["192.168.1.2"]):
        declared |= set(re.findall(r"^  chain (\S+) {", transaction, re.MULTILINE))
        assert set(re.findall(r"(?:goto|jump) ([^\s,]+)", transaction)) <= declared
    assert all(len(name) < 128 for name in declared)  # NFT_CHAIN_MAXNAMELEN


def test_large_sets_are_loaded_in_pieces() -> None:
    assert len(nftables.rule_set(services.service_ports(2500, PODS), [])) == 2 + 3
