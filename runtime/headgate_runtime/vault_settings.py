"""Where Vault is and how this pod signs in there, read from the environment that both planes share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from headgate_api import origins, vault

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
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read ``HEADGATE_VAULT_*``. Raises ValueError that names the variable and the mend."""
        address = environ.get("HEADGATE_VAULT_ADDR", "")
        if not address:
            raise ValueError(
                "HEADGATE_VAULT_ADDR is not set; set it to Vault's address, such as https://vault.vault:8200"
            )
        try:
            origins.origin_of(address)
        except ValueError as error:
            raise ValueError(f"HEADGATE_VAULT_ADDR: {error}") from None
        role = environ.get("HEADGATE_VAULT_ROLE", "")
        if not role:
            raise ValueError(
                f"HEADGATE_VAULT_ROLE is not set; set it to the role of Vault's auth method, such as {vault.OPERATOR_ROLE}"
            )
        auth = environ.get("HEADGATE_VAULT_AUTH", "kubernetes")
        if auth not in ("kubernetes", "jwt"):
            raise ValueError(f"HEADGATE_VAULT_AUTH is {auth!r}; set it to kubernetes or jwt")
        ca_file = environ.get("HEADGATE_VAULT_CA_FILE")
        if ca_file and not Path(ca_file).is_file():
            raise ValueError(
                f"HEADGATE_VAULT_CA_FILE names {ca_file}, which is no file; mount the CA there or unset it"
            )
        return cls(
            address=address.rstrip("/"),
            role=role,
            mount=environ.get("HEADGATE_VAULT_MOUNT", vault.DEFAULT_MOUNT).strip("/"),
            auth="jwt" if auth == "jwt" else "kubernetes",
            auth_path=environ.get("HEADGATE_VAULT_AUTH_PATH", auth).strip("/"),
            token_file=Path(environ.get("HEADGATE_VAULT_TOKEN_FILE", DEFAULT_TOKEN_FILE)),
            ca_file=Path(ca_file) if ca_file else None,
        )
