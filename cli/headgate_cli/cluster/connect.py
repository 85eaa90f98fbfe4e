"""Which cluster a command talks to, as whom, and in which namespace: what kubectl would take, by the same files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, kube_config, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME

from headgate_cli.console import USAGE, Refusal

_NAMESPACE_FILE: Final = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")
_DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says about the cluster; None leaves it to kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None
    impersonate: str | None = None


def connect(where: Where) -> tuple[ApiClient, str]:
    """Return a client and the namespace that kubeconfig's context (or the pod) is in. Raises Refusal."""
    configuration = Configuration()
    configuration.retries = 0
    in_pod = where.kubeconfig is None and where.context is None and not _kubeconfig_exists()
    if in_pod and "KUBERNETES_SERVICE_HOST" in os.environ:
        namespace = _in_cluster(configuration)
    else:
        namespace = _from_kubeconfig(where, configuration)
    client = ApiClient(configuration)
    if where.impersonate is not None:
        client.set_default_header("Impersonate-User", _header(where.impersonate))  # type: ignore[no-untyped-call]
    return client, namespace


def _header(user: str) -> str:
    """Return a user name as a header carries it: the API server reads UTF-8, where http.client writes Latin-1."""
    if not user.isprintable() or user != user.strip():
        raise Refusal(
            f"--as {user!r} is no user name that a request can carry; write it as the API server knows it", USAGE
        )
    return user.encode().decode("latin-1")


def _kubeconfig_exists() -> bool:
    paths = kube_config.KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep)
    return any(Path(path).expanduser().exists() for path in paths if path)


def _from_kubeconfig(where: Where, configuration: Configuration) -> str:
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=where.kubeconfig,
            context=where.context,
            client_configuration=configuration,
            persist_config=False,
        )
        contexts, active = kube_config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            config_file=where.kubeconfig
        )
    except (ConfigException, OSError) as error:
        raise Refusal(
            f"no cluster to talk to: {error}; name a kubeconfig file with --kubeconfig (or KUBECONFIG) and, if it has several "
            "contexts, one with --context"
        ) from error
    chosen = next((each for each in contexts if each["name"] == where.context), active)
    return str(chosen["context"].get("namespace") or _DEFAULT_NAMESPACE)


def _in_cluster(configuration: Configuration) -> str:
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        return _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
    except (ConfigException, OSError) as error:
        raise Refusal(
            f"this pod has no token for the API server: {error}; give its ServiceAccount one, or name --kubeconfig"
        ) from error
