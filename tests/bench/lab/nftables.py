# SPDX-License-Identifier: Apache-2.0
"""The rules of kube-proxy's nftables mode: the same table, base chains, maps and per-service chains, as inputs of
`nft -f`, one after the other.

A packet that begins a connection is looked up once in a verdict map, whatever the number of Services. Everything else
follows conntrack.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from .services import CLUSTER_CIDR, ServicePort

TABLE = "kube-proxy"

# The time of a transaction grows with the square of the verdict maps in it (Linux, __nft_set_trans_bind).
SERVICES_PER_TRANSACTION = 1000

# The chains that the chains of Services jump to.
HEAD = """
  set cluster-ips {{ type ipv4_addr; {cluster_ips} }}
  set nodeport-ips {{ type ipv4_addr; elements = {{ {node_ips} }} }}
  map firewall-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map no-endpoint-services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map no-endpoint-nodeports {{ type inet_proto . inet_service : verdict; }}
  chain mark-for-masquerade {{
    meta mark set meta mark or 0x4000
  }}
  chain masquerading {{
    meta mark & 0x4000 == 0 return
    meta mark set meta mark ^ 0x4000
    masquerade fully-random
  }}
  chain firewall-check {{
    ip daddr . meta l4proto . th dport vmap @firewall-ips
  }}
  chain service-endpoints-check {{
    ip daddr . meta l4proto . th dport vmap @no-endpoint-services
  }}
  chain nodeport-endpoints-check {{
    ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
  }}
  chain cluster-ips-check {{
    ip daddr @cluster-ips reject
  }}
"""

# The maps, and the base chains. Priorities: dstnat is -100, srcnat 100.
TAIL = """
  map service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; {service_ips} }}
  map service-nodeports {{ type inet_proto . inet_service : verdict; {service_nodeports} }}
  chain services {{
    ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }}
  chain filter-prerouting {{
    type filter hook prerouting priority -110; policy accept;
    ct state new jump firewall-check
  }}
  chain filter-input {{
    type filter hook input priority -110; policy accept;
    ct state new jump nodeport-endpoints-check
    ct state new jump service-endpoints-check
  }}
  chain filter-forward {{
    type filter hook forward priority -110; policy accept;
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }}
  chain filter-output {{
    type filter hook output priority -110; policy accept;
    ct state new jump service-endpoints-check
    ct state new jump firewall-check
  }}
  chain filter-output-post-dnat {{
    type filter hook output priority -90; policy accept;
    ct state new jump cluster-ips-check
  }}
  chain nat-prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }}
  chain nat-output {{
    type nat hook output priority -100; policy accept;
    jump services
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    jump masquerading
  }}
"""


def _name(kind: str, port: ServicePort, endpoint: str = "") -> str:
    """service-ULMVA6XW-ns/name/tcp/p80: a short hash, then a name for people."""
    plain = f"{port.namespace}/{port.name}/{port.protocol}/{port.protocol}"
    digest = base64.b32encode(hashlib.sha256(f"{plain} {endpoint}".encode()).digest()).decode()[:8]
    return f"{kind}-{digest}-{plain}" + (f"__{endpoint}" if endpoint else "")


def _chain(name: str, *rules: str) -> str:
    body = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n{body}  }}"


def _elements(pairs: list[str]) -> str:
    return f"elements = {{ {', '.join(pairs)} }}" if pairs else ""


def _service_chains(port: ServicePort) -> list[str]:
    chains, endpoints = [], []
    for address, number in port.endpoints:
        name = _name("endpoint", port, f"{address}/{number}")
        chains.append(_chain(name, f"ip saddr {address} jump mark-for-masquerade",
                             f"meta l4proto {port.protocol} dnat to {address}:{number}"))
        endpoints.append(name)
    choices = ", ".join(f"{index} : goto {name}" for index, name in enumerate(endpoints))
    service = _name("service", port)
    chains.append(_chain(
        service,
        f"ip daddr {port.cluster_ip} {port.protocol} dport {port.port} ip saddr != {CLUSTER_CIDR} "
        "jump mark-for-masquerade",
        f"numgen random mod {len(endpoints)} vmap {{ {choices} }}"))
    if port.load_balancer or port.node_port:
        chains.append(_chain(_name("external", port), "jump mark-for-masquerade", f"goto {service}"))
    return chains


def rule_set(ports: Iterable[ServicePort], node_ips: Iterable[str]) -> list[str]:
    """The whole rule set, as a list of transactions."""
    ports = list(ports)
    by_address, by_node_port = [], []
    for port in ports:
        by_address.append(f"{port.cluster_ip} . {port.protocol} . {port.port} : goto {_name('service', port)}")
        if port.load_balancer:
            by_address.append(f"{port.load_balancer} . {port.protocol} . {port.port} : goto {_name('external', port)}")
        if port.node_port:
            by_node_port.append(f"{port.protocol} . {port.node_port} : goto {_name('external', port)}")
    cluster_ips = list(dict.fromkeys(port.cluster_ip for port in ports))
    parts = [HEAD.format(cluster_ips=_elements(cluster_ips), node_ips=", ".join(node_ips))]
    for begin in range(0, len(ports), SERVICES_PER_TRANSACTION):
        chains = [chain for port in ports[begin:begin + SERVICES_PER_TRANSACTION] for chain in _service_chains(port)]
        parts.append("\n" + "\n".join(chains) + "\n")
    parts.append(TAIL.format(service_ips=_elements(by_address), service_nodeports=_elements(by_node_port)))
    return [f"table ip {TABLE} {{{part}}}\n" for part in parts]
