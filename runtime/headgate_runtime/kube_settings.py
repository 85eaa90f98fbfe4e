"""How this process reaches the API server: a kubeconfig for people and tests, else a projected token as in a pod."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from headgate_runtime.kube_errors import KubeUnavailable
from headgate_runtime.settings import Environment, SettingsError

DEFAULT_TOKEN_FILE: Final = "/var/run/secrets/headgate/kube/token"  # noqa: S105 - a path
DEFAULT_CA_FILE: Final = "/var/run/secrets/headgate/kube/ca.crt"


@dataclass(frozen=True, slots=True)
class KubeSettings:
    """Either ``kubeconfig`` alone, or ``url`` with the files that hold the token and the CA certificate."""

    kubeconfig: Path | None = None
    url: str = ""
    token_file: Path = Path(DEFAULT_TOKEN_FILE)
    ca_file: Path = Path(DEFAULT_CA_FILE)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read KUBECONFIG, else HEADGATE_KUBE_URL, _TOKEN_FILE and _CA_FILE. Raises SettingsError naming the variable."""
        env = Environment(environ)
        if kubeconfig := env.optional("KUBECONFIG"):
            path = Path(kubeconfig)
            if not path.is_file():
                raise SettingsError("KUBECONFIG", f"names {path}, which is no file", "correct or unset it")
            return cls(kubeconfig=path)
        return cls(
            url=env.optional_url("HEADGATE_KUBE_URL") or _in_cluster_url(env),
            token_file=env.path("HEADGATE_KUBE_TOKEN_FILE", DEFAULT_TOKEN_FILE),
            ca_file=env.path("HEADGATE_KUBE_CA_FILE", DEFAULT_CA_FILE),
        )

    async def configuration(self) -> Configuration:
        """Return the client library's configuration; a projected token is read again at each use, since it rotates.

        Raises KubeUnavailable when the CA file cannot be read.
        """
        configuration = Configuration()
        configuration.retries = None
        if self.kubeconfig is not None:
            await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(self.kubeconfig), client_configuration=configuration, persist_config=False
            )
            return configuration
        if not self.ca_file.is_file():
            raise KubeUnavailable(f"HEADGATE_KUBE_CA_FILE names {self.ca_file}, which is no file")
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.ca_file)
        configuration.api_key["BearerToken"] = ""  # the hook below is only asked for a key that exists
        configuration.refresh_api_key_hook = self._refresh  # type: ignore[assignment]
        return configuration

    def _refresh(self, configuration: Any) -> None:
        try:
            token = self.token_file.read_text().strip()
        except OSError as error:
            raise KubeUnavailable(f"the token file {self.token_file} cannot be read: {error.strerror}") from error
        configuration.api_key["BearerToken"] = f"Bearer {token}"


def _in_cluster_url(env: Environment) -> str:
    host, port = env.optional("KUBERNETES_SERVICE_HOST"), env.optional("KUBERNETES_SERVICE_PORT")
    if host is None or port is None:
        raise SettingsError(
            "HEADGATE_KUBE_URL",
            "is not set, and neither are KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which a pod has",
            "set it to the API server's URL, or set KUBECONFIG",
        )
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
