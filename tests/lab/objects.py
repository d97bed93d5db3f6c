# SPDX-License-Identifier: Apache-2.0
"""Short ways to write the Deployments and Services of the lab's echo server that tests and benchmarks deploy."""

from __future__ import annotations

from .manifests import HOSTNAME_LABEL

CONTAINER_PORT = 8080
SERVICE_PORT = 80


def deployment(name: str, replicas: int = 1, node: str = "") -> dict:
    """Pods labelled app: NAME that answer over TCP and UDP; node pins them all to one."""
    ports = [{"name": protocol.lower(), "containerPort": CONTAINER_PORT, "protocol": protocol}
             for protocol in ("TCP", "UDP")]
    spec: dict = {"containers": [{"name": "echo", "image": "lab", "ports": ports}]}
    if node:
        spec["nodeSelector"] = {HOSTNAME_LABEL: node}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}}


def service(name: str, app: str, family: int = 4, kind: str = "ClusterIP", **spec: object) -> dict:
    """Port 80 over TCP and UDP, to the pods of a deployment; spec: further keys."""
    ports = [{"name": protocol.lower(), "port": SERVICE_PORT, "protocol": protocol, "targetPort": protocol.lower()}
             for protocol in ("TCP", "UDP")]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": kind, "ipFamilies": [f"IPv{family}"], "selector": {"app": app}, "ports": ports} | spec}


def pod(name: str, node: str) -> dict:
    """A pod that answers nothing: a client inside the cluster."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"nodeSelector": {HOSTNAME_LABEL: node}, "containers": [{"name": "idle", "image": "lab"}]}}
