"""The operator's settings, all from the environment; a bad one is an error that names the variable and the mend."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import ValidationError

from headgate_api import vault
from headgate_api.resources import ProxyFleetSpec
from headgate_operator.fleet.manifests import ProxySettings
from headgate_runtime.kube_settings import KubeSettings
from headgate_runtime.settings import Environment, SettingsError
from headgate_runtime.vault_settings import VaultSettings

DEFAULT_ADMIN_PORT: Final = 9090
DEFAULT_BROKER_PORT: Final = 8090
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Everything ``headgate operator`` is told. ``default_fleet`` is the spec (JSON) of the ProxyFleet ``default``."""

    namespace: str
    pod_name: str
    pod_ip: str
    admin_port: int
    broker_port: int
    broker_url: str | None
    log_level: str
    kube: KubeSettings
    vault: VaultSettings
    proxy: ProxySettings
    default_fleet: dict[str, Any] | None
    authors_stamped: bool
    """Whether the API server stamps who changed a guarded object (a MutatingAdmissionPolicy of the chart)."""
    prometheus_address: str | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read ``HEADGATE_*``. Raises ValueError (SettingsError) that names the variable and the mend."""
        env = Environment(environ)
        vault_settings = VaultSettings.from_env(environ)
        level = env.choice("HEADGATE_LOG_LEVEL", _LEVELS, "INFO")
        broker_url = env.optional_url("HEADGATE_BROKER_URL")
        if broker_url is not None and not broker_url.startswith("https://"):
            raise SettingsError(
                "HEADGATE_BROKER_URL", f"is {broker_url!r}", "use https://: the broker speaks TLS alone"
            )
        return cls(
            namespace=env.text("HEADGATE_NAMESPACE", meaning="the namespace the operator runs in"),
            pod_name=env.text("HEADGATE_POD_NAME", meaning="the name of this pod"),
            pod_ip=env.text(
                "HEADGATE_POD_IP",
                default="" if broker_url else None,
                meaning="the address of this pod, or set HEADGATE_BROKER_URL",
            ),
            admin_port=env.port("HEADGATE_PORT_ADMIN", DEFAULT_ADMIN_PORT),
            broker_port=env.port("HEADGATE_PORT_BROKER", DEFAULT_BROKER_PORT),
            broker_url=broker_url,
            log_level=level,
            kube=KubeSettings.from_env(environ),
            vault=vault_settings,
            proxy=ProxySettings(
                vault_address=env.optional_url("HEADGATE_PROXY_VAULT_ADDR") or vault_settings.address,
                vault_mount=vault_settings.mount,
                vault_auth=vault_settings.auth,
                vault_auth_path=vault_settings.auth_path,
                vault_role=env.text("HEADGATE_PROXY_VAULT_ROLE", vault.PROXY_ROLE),
                vault_canary_role=env.text("HEADGATE_PROXY_VAULT_CANARY_ROLE", vault.CANARY_ROLE),
                vault_ca_config_map=env.optional("HEADGATE_PROXY_VAULT_CA_CONFIGMAP"),
                log_level=level,
            ),
            default_fleet=_default_fleet(env),
            authors_stamped=env.choice("HEADGATE_AUTHORS_STAMPED", ("true", "false"), "false") == "true",
            prometheus_address=env.optional_url("HEADGATE_PROMETHEUS_ADDRESS"),
        )

    def broker_address(self, port: int) -> str:
        """Return what proxies are told to report to, when the broker listens on ``port``."""
        if self.broker_url is not None:
            return self.broker_url
        host = f"[{self.pod_ip}]" if ":" in self.pod_ip else self.pod_ip
        return f"https://{host}:{port}"


def _default_fleet(env: Environment) -> dict[str, Any] | None:
    text = env.optional("HEADGATE_DEFAULT_FLEET")
    if text is None:
        return None
    try:
        spec = json.loads(text)
        ProxyFleetSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            "HEADGATE_DEFAULT_FLEET",
            f"has a bad {field}: {first['msg']}",
            "correct defaultFleet.spec in the chart's values",
        ) from None
    except ValueError:
        raise SettingsError(
            "HEADGATE_DEFAULT_FLEET", "is not JSON", "set it to a ProxyFleet's spec as JSON, or unset it"
        ) from None
    return dict(spec)
