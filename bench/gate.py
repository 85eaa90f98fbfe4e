"""A proxy as in a pod whose control plane is away: everything it needs lies in its state folder, as after a restart."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from headgate_api.clock import SystemClock
from headgate_api.resources import LLMProviderSpec
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.secret import Secret
from headgate_api.snapshot import (
    CredentialPointer,
    FleetSettings,
    Head,
    ProviderEntry,
    ProviderForm,
    Snapshot,
    pack,
)
from headgate_api.vault import PROXY_ROLE, api_key_path
from headgate_proxy.config.kept import KeptSnapshot
from headgate_proxy.credentials.kept import KeptCredentials
from headgate_proxy.credentials.records import Entry
from headgate_proxy.selection.states import Held
from headgate_proxy.state import StateDir
from headgate_runtime.vault import VaultSession

MODEL: Final = "claude-bench"
NAMESPACE: Final = "team"
_ISSUER: Final = "https://kubernetes.default.svc"
_NOWHERE: Final = "http://127.0.0.1:9"
"""The discard port: nobody listens there, so that API server and Vault are away."""
PROGRAM: Final = "import sys; from headgate_proxy.main import main; sys.exit(main([]))"


def prepare(folder: Path, upstream: str) -> str:
    """Write the state a proxy restores; return a caller's token for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    state, pointer = StateDir(folder / "state"), CredentialPointer(path=api_key_path(NAMESPACE, "claude"), version=1)
    revision, chunks = pack(_snapshot(upstream, pointer, _jwks(key)))
    KeptSnapshot(state).save(Head(revision=revision, chunks=tuple(chunks)), chunks)
    credentials = KeptCredentials(state)
    held = Held(Secret("bench-upstream-key"), frozenset({upstream}), pointer.path, pointer.version)
    credentials.save((pointer.path, pointer.version), Entry(held))
    credentials.save_session(VaultSession(Secret("bench-vault-token"), SystemClock().now()))
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "away", "cluster": {"server": _NOWHERE}}],
        "users": [{"name": "proxy", "user": {"token": "bench"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "proxy"}}],
        "current-context": "away",
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    return _token(key)


def environ(folder: Path, *, port: int, admin: int, traces: str) -> Mapping[str, str]:
    """Return the environment of the proxy: its pod's, with traces sampled as by default."""
    return {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HEADGATE_VAULT_ADDR": _NOWHERE,
        "HEADGATE_VAULT_ROLE": PROXY_ROLE,
        "HEADGATE_FLEET": "bench",
        "HEADGATE_NAMESPACE": "headgate-system",
        "HEADGATE_POD_NAME": "proxy-0",
        "HEADGATE_STATE_DIR": str(folder / "state"),
        "HEADGATE_PORT_HTTP": str(port),
        "HEADGATE_PORT_ADMIN": str(admin),
        "HEADGATE_DRAIN_SECONDS": "0",
        "HEADGATE_OTLP_ENDPOINT": traces,
        "HEADGATE_SAMPLING_PERCENT": "1",
        "HEADGATE_LOG_LEVEL": "ERROR",  # the request log has no level; warnings of the missing control plane would drown the table
    }


def _snapshot(upstream: str, pointer: CredentialPointer, jwks: dict[str, Any]) -> Snapshot:
    spec = LLMProviderSpec.model_validate(
        {
            "protocol": "Anthropic",
            "endpoint": upstream,
            "models": [{"name": MODEL}],
            "auth": {"modes": ["APIKey"], "apiKey": {}},
        }
    )
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(plain_http=True, private_addresses=True),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer=_ISSUER,
        jwks=jwks,
    )
    form = ProviderForm(revision="r1", spec=spec, api_key=pointer)
    return Snapshot(
        fleet=fleet, providers=(ProviderEntry(namespace=NAMESPACE, name="claude", generation=1, stable=form),)
    )


def _jwks(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [public | {"kid": "bench", "use": "sig", "alg": "RS256"}]}


def _token(key: rsa.RSAPrivateKey) -> str:
    now = int(SystemClock().now().timestamp())
    account = {"name": "agent", "uid": "00000000-0000-0000-0000-000000000001"}
    pod = {"name": "agent-7d4b9c6f5-x2x9q", "uid": "00000000-0000-0000-0000-000000000002"}
    claims = {
        "iss": _ISSUER,
        "aud": [CallerTokens().audience],
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "sub": f"system:serviceaccount:{NAMESPACE}:agent",
        "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": account, "pod": pod},
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "bench"})
