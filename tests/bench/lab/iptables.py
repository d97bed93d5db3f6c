# SPDX-License-Identifier: Apache-2.0
"""The rules of kube-proxy's iptables mode: the same tables, chains, jumps and matches, as input of iptables-restore.

A packet that begins a connection walks KUBE-SERVICES from its top until a rule names its destination; NodePorts come at
the very end. Everything else follows conntrack.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from .services import CLUSTER_CIDR, ServicePort

MASQUERADE = "0x4000"


def _chain(kind: str, *parts: str) -> str:
    """KUBE-SVC-7ECNF7D6GS4GHP3A: kube-proxy's names have this length, the hash is one of the same kind."""
    digest = base64.b32encode(hashlib.sha256("".join(parts).encode()).digest()).decode()
    return f"KUBE-{kind}-{digest[:16]}"


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


FILTER = f"""*filter
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -m conntrack --ctstate NEW {_comment("load balancer firewall")} -j KUBE-PROXY-FIREWALL
-A INPUT {_comment("health check node ports")} -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW {_comment("externally visible services")} -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW {_comment("load balancer firewall")} -j KUBE-PROXY-FIREWALL
-A FORWARD {_comment("forwarding rules")} -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW {_comment("services")} -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW {_comment("externally visible services")} -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW {_comment("load balancer firewall")} -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW {_comment("services")} -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 {_comment("martian packets for localhost")} \
-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD {_comment("forwarding rules")} -m mark --mark {MASQUERADE}/{MASQUERADE} -j ACCEPT
-A KUBE-FORWARD {_comment("forwarding conntrack rule")} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""

NAT_CHAINS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ")

NAT_HEAD = f"""-A PREROUTING {_comment("services")} -j KUBE-SERVICES
-A OUTPUT {_comment("services")} -j KUBE-SERVICES
-A POSTROUTING {_comment("postrouting rules")} -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark {MASQUERADE}/{MASQUERADE} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark {MASQUERADE}
-A KUBE-POSTROUTING {_comment("service traffic requiring SNAT")} -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark {MASQUERADE}
"""

# NodePorts are searched when nothing else has matched.
NAT_TAIL = f'-A KUBE-SERVICES {_comment("service nodeports; must be the last rule of this chain")} ' \
           "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n"


def _endpoint_rules(port: ServicePort, service_chain: str) -> tuple[list[str], list[str]]:
    """Chains and rules of the endpoints; each rule but the last is taken with the probability that keeps shares even."""
    chains, rules = [], []
    count = len(port.endpoints)
    for index, (address, number) in enumerate(port.endpoints):
        chain = _chain("SEP", port.key, port.protocol, f"{address}:{number}")
        chains.append(chain)
        share = f" -m statistic --mode random --probability {1 / (count - index):.10f}" if index < count - 1 else ""
        rules += [f'-A {service_chain} {_comment(f"{port.key} -> {address}:{number}")}{share} -j {chain}',
                  f"-A {chain} -s {address}/32 {_comment(port.key)} -j KUBE-MARK-MASQ",
                  f"-A {chain} -p {port.protocol} {_comment(port.key)} -m {port.protocol} "
                  f"-j DNAT --to-destination {address}:{number}"]
    return chains, rules


def _service_rules(port: ServicePort) -> tuple[list[str], list[str]]:
    chain = _chain("SVC", port.key, port.protocol)
    external = _chain("EXT", port.key, port.protocol)
    dport = f"-p {port.protocol} -m {port.protocol} --dport"
    chains = [chain]
    rules = [f'-A KUBE-SERVICES -d {port.cluster_ip}/32 {dport} {port.port} {_comment(f"{port.key} cluster IP")} '
             f"-j {chain}",
             f"-A {chain} ! -s {CLUSTER_CIDR} -d {port.cluster_ip}/32 {dport} {port.port} "
             f'{_comment(f"{port.key} cluster IP")} -j KUBE-MARK-MASQ']
    if port.load_balancer or port.node_port:
        chains.append(external)
        rules += [f'-A {external} {_comment(f"masquerade traffic for {port.key} external destinations")} '
                  "-j KUBE-MARK-MASQ", f"-A {external} -j {chain}"]
    if port.load_balancer:
        rules.append(f'-A KUBE-SERVICES -d {port.load_balancer}/32 {dport} {port.port} '
                     f'{_comment(f"{port.key} loadbalancer IP")} -j {external}')
    if port.node_port:
        rules.append(f"-A KUBE-NODEPORTS {dport} {port.node_port} {_comment(port.key)} -j {external}")
    endpoint_chains, endpoint_rules = _endpoint_rules(port, chain)
    return chains + endpoint_chains, rules + endpoint_rules


def rule_set(ports: Iterable[ServicePort]) -> str:
    """The whole rule set, in the order of the ports."""
    chains, rules = list(NAT_CHAINS), []
    for port in ports:
        more_chains, more_rules = _service_rules(port)
        chains += more_chains
        rules += more_rules
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    body = "\n".join(rules)
    return f"{FILTER}*nat\n{declared}{NAT_HEAD}{body}\n{NAT_TAIL}COMMIT\n"
