"""Where Vault is and how this pod signs in there, read from the environment that both planes share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from headgate_api import vault
from headgate_runtime.settings import Environment, SettingsError

DEFAULT_TOKEN_FILE: Final = "/var/run/secrets/headgate/vault/token"  # noqa: S105 - a path, not a token
DEFAULT_DEADLINE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """How to reach one KV v2 mount of Vault (or OpenBao) with a projected ServiceAccount token.

    ``auth`` is the kind of auth method (``kubernetes`` asks the API server, ``jwt`` verifies offline), ``auth_path`` its
    mount, ``deadline_seconds`` the longest any single operation may take, sign-in included.
    """

    address: str
    role: str
    mount: str = vault.DEFAULT_MOUNT
    auth: Literal["kubernetes", "jwt"] = "kubernetes"
    auth_path: str = "kubernetes"
    token_file: Path = Path(DEFAULT_TOKEN_FILE)
    ca_file: Path | None = None
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``HEADGATE_VAULT_*``. Raises SettingsError, which names the variable and the mend."""
        environment = Environment(environ)
        auth = environment.choice("HEADGATE_VAULT_AUTH", ("kubernetes", "jwt"), "kubernetes")
        ca_file = environment.optional("HEADGATE_VAULT_CA_FILE")
        if ca_file is not None and not Path(ca_file).is_file():
            raise SettingsError(
                "HEADGATE_VAULT_CA_FILE", f"names {ca_file}, which is no file", "mount the CA there or unset it"
            )
        return cls(
            address=environment.url("HEADGATE_VAULT_ADDR"),
            role=environment.text("HEADGATE_VAULT_ROLE", meaning="the role at Vault, such as headgate-operator"),
            mount=environment.text("HEADGATE_VAULT_MOUNT", vault.DEFAULT_MOUNT).strip("/"),
            auth="jwt" if auth == "jwt" else "kubernetes",
            auth_path=environment.text("HEADGATE_VAULT_AUTH_PATH", auth).strip("/"),
            token_file=environment.path("HEADGATE_VAULT_TOKEN_FILE", DEFAULT_TOKEN_FILE),
            ca_file=Path(ca_file) if ca_file else None,
        )
