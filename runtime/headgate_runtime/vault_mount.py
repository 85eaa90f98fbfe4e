"""Whether the mount is the engine Headgate needs: a KV version 1 engine takes writes too, and keeps neither versions nor cas.

Asked once, before the first write, with the one question any token may ask about a mount it has rights on.
Source: https://openbao.org/api-docs/system/internal-ui-mounts/
"""

from typing import Any

import hvac
import hvac.exceptions

from headgate_runtime.vault_errors import VaultDenied


def require_kv2(client: hvac.Client, mount: str) -> None:
    """Raise VaultDenied when ``mount`` is something else than KV version 2. A token that may not ask is not stopped."""
    try:
        answer: Any = client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}")
    except (hvac.exceptions.Forbidden, hvac.exceptions.InvalidPath):
        return
    found = answer["data"]
    version = str((found.get("options") or {}).get("version", "1"))
    if found.get("type") == "kv" and version == "2":
        return
    kind = f"{found.get('type')} version {version}" if found.get("type") == "kv" else str(found.get("type"))
    raise VaultDenied(
        f"the engine mounted at {mount} in Vault is {kind}, and Headgate needs kv version 2; mount one (vault secrets enable "
        "-path=… kv-v2) and name it in vault.mount"
    )
