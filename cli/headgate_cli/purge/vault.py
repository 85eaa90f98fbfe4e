"""What Headgate keeps in Vault, below its mount: exactly the paths that the contract derives, and nothing else there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import hvac
import requests

from headgate_api.secret import Secret
from headgate_api.vault import (
    DEFAULT_MOUNT,
    IMPORT_HASH_KEY_PATH,
    access_path,
    api_key_path,
    federated_path,
    grant_path,
)
from headgate_cli.console import USAGE, Refusal

_TIMEOUT: Final = 15.0


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """Where Vault is and who is asking: from VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT and VAULT_NAMESPACE, as vault itself."""

    address: str
    token: Secret = field(repr=False)
    mount: str = DEFAULT_MOUNT
    ca_file: str | None = None
    namespace: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], mount: str | None) -> Self:
        """Read the environment. Raises Refusal that names what is missing."""
        missing = [name for name in ("VAULT_ADDR", "VAULT_TOKEN") if not environ.get(name)]
        if missing:
            raise Refusal(
                f"--vault needs {' and '.join(missing)} in the environment: a token that may list and delete below the mount",
                USAGE,
            )
        return cls(
            environ["VAULT_ADDR"],
            Secret(environ["VAULT_TOKEN"]),
            mount or environ.get("HEADGATE_VAULT_MOUNT") or DEFAULT_MOUNT,
            environ.get("VAULT_CACERT") or None,
            environ.get("VAULT_NAMESPACE") or None,
        )


class Records:
    """Headgate's records in one Vault. Every call raises Refusal when Vault refuses or does not answer."""

    def __init__(self, access: VaultAccess) -> None:
        self._mount = access.mount
        self._client = hvac.Client(
            access.address,
            token=access.token.reveal(),
            verify=access.ca_file or True,
            namespace=access.namespace,
            timeout=_TIMEOUT,
        )
        self._kv = self._client.secrets.kv.v2

    def paths(self) -> list[str]:
        """Return the path of every record that is Headgate's, below the mount."""
        paths: list[str] = self._asked(lambda: sorted(self._derived()))
        return paths

    def delete(self, path: str) -> None:
        """Delete all versions of a record, and that there was one."""
        self._asked(lambda: self._kv.delete_metadata_and_all_versions(path, mount_point=self._mount))

    def _derived(self) -> Iterator[str]:
        yield from self._existing(IMPORT_HASH_KEY_PATH)
        for namespace in self._list(""):
            for name in self._list(f"{namespace}/llmproviders"):
                yield from self._existing(api_key_path(namespace, name))
                for grant in self._list(federated_path(namespace, name, "").rstrip("/")):
                    yield federated_path(namespace, name, grant)
            for name in self._list(f"{namespace}/subscriptionaccounts"):
                yield from self._existing(access_path(namespace, name), grant_path(namespace, name))

    def _existing(self, *paths: str) -> list[str]:
        folder = paths[0].rpartition("/")[0]
        there = self._list(folder)
        return [path for path in paths if path.rpartition("/")[2] in there]

    def _list(self, path: str) -> list[str]:
        try:
            answer = self._kv.list_secrets(path, mount_point=self._mount)
        except hvac.exceptions.InvalidPath:
            return []
        return [key.rstrip("/") for key in answer["data"]["keys"]]

    def _asked(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (hvac.exceptions.VaultError, requests.RequestException) as error:
            said = "; ".join(getattr(error, "errors", None) or [str(error) or type(error).__name__])
            raise Refusal(f"Vault refuses below {self._mount}/: {said}") from error


def derived(providers: list[tuple[str, str]], accounts: list[tuple[str, str]]) -> list[str]:
    """Return the paths that these (namespace, name) may have records at, for those who delete them elsewhere."""
    paths = [path for p in providers for path in (api_key_path(*p), federated_path(*p, "*"))]
    for account in accounts:
        paths += [access_path(*account), grant_path(*account)]
    return [*paths, IMPORT_HASH_KEY_PATH]
