"""Kubeconfig files: how the admin, real users and ServiceAccounts reach the cluster with their own identity."""

import base64
import json
from pathlib import Path
from typing import Any


def token_user(token: str) -> dict[str, Any]:
    """Return the kubeconfig user that presents a bearer token."""
    return {"token": token}


def certificate_user(certificate: bytes, key: bytes) -> dict[str, Any]:
    """Return the kubeconfig user that presents a client certificate (PEM)."""
    return {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }


def write_kubeconfig(path: Path, server: str, ca_file: Path, user: dict[str, Any]) -> Path:
    """Write a kubeconfig (JSON, which is YAML) of mode 0600 with that one user, and return its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "headgate-dev",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_file.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [
            {"name": "headgate-dev", "context": {"cluster": "headgate-dev", "user": "user", "namespace": "default"}}
        ],
        "current-context": "headgate-dev",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path
