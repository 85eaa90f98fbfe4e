"""What one proxy is told by its environment: who it is, where its surroundings are, and the little it may tune."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from headgate_api.resources.proxyfleet import Ports, ProxyFleetSpec, Telemetry
from headgate_runtime.kube_settings import KubeSettings
from headgate_runtime.logs import LEVELS
from headgate_runtime.settings import Environment, SettingsError
from headgate_runtime.vault_settings import VaultSettings

DEFAULT_STATE_DIR: Final = "/var/run/headgate/state"
DEFAULT_BROKER_TOKEN_FILE: Final = "/var/run/secrets/headgate/broker/token"  # noqa: S105 - a path
DEFAULT_RELAY_TOKEN_FILE: Final = "/var/run/secrets/headgate/relay/token"  # noqa: S105 - a path

_PORTS: Final = Ports()
_DRAIN_SECONDS: Final = int(ProxyFleetSpec.model_fields["drain_seconds"].default)
_SAMPLING_PERCENT: Final = int(Telemetry.model_fields["sampling_percent"].default)


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The whole configuration of a proxy process that is not in the snapshot."""

    fleet: str
    namespace: str
    pod: str
    track: Literal["stable", "canary"]
    kube: KubeSettings
    vault: VaultSettings
    broker_token_file: Path
    relay_token_file: Path
    state_dir: Path
    port_http: int
    port_https: int
    tls_dir: Path | None
    plain_http: bool
    port_admin: int
    drain_seconds: int
    otlp_endpoint: str | None
    sampling_percent: int
    log_level: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read ``HEADGATE_*``. Raises ValueError that names the variable and the mend."""
        env = Environment(environ)
        tls_dir = env.path("HEADGATE_TLS_DIR") if env.optional("HEADGATE_TLS_DIR") is not None else None
        plain_http = env.choice("HEADGATE_PLAIN_HTTP", ("true", "false"), "true") == "true"
        if tls_dir is None and not plain_http:
            raise SettingsError(
                "HEADGATE_PLAIN_HTTP",
                "is 'false' and HEADGATE_TLS_DIR is not set: nobody could connect",
                "set one of them",
            )
        return cls(
            fleet=env.text("HEADGATE_FLEET", meaning="the name of this proxy's ProxyFleet"),
            namespace=env.text("HEADGATE_NAMESPACE", meaning="the namespace of this pod (fieldRef metadata.namespace)"),
            pod=env.text("HEADGATE_POD_NAME", meaning="the name of this pod (fieldRef metadata.name)"),
            track="canary" if env.choice("HEADGATE_TRACK", ("stable", "canary"), "stable") == "canary" else "stable",
            kube=KubeSettings.from_env(environ),
            vault=VaultSettings.from_env(environ),
            broker_token_file=env.path("HEADGATE_BROKER_TOKEN_FILE", DEFAULT_BROKER_TOKEN_FILE),
            relay_token_file=env.path("HEADGATE_RELAY_TOKEN_FILE", DEFAULT_RELAY_TOKEN_FILE),
            state_dir=env.path("HEADGATE_STATE_DIR", DEFAULT_STATE_DIR),
            port_http=env.port("HEADGATE_PORT_HTTP", _PORTS.http),
            port_https=env.port("HEADGATE_PORT_HTTPS", _PORTS.https),
            tls_dir=tls_dir,
            plain_http=plain_http,
            port_admin=env.port("HEADGATE_PORT_ADMIN", _PORTS.admin),
            drain_seconds=env.integer("HEADGATE_DRAIN_SECONDS", _DRAIN_SECONDS, maximum=3600),
            otlp_endpoint=env.optional_url("HEADGATE_OTLP_ENDPOINT"),
            sampling_percent=env.integer("HEADGATE_SAMPLING_PERCENT", _SAMPLING_PERCENT, maximum=100),
            log_level=env.choice("HEADGATE_LOG_LEVEL", LEVELS, "INFO"),
        )
