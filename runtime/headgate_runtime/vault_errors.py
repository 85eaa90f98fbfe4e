"""What can go wrong at Vault, in words for conditions, and how hvac's and the transport's errors map onto them.

None of these ever carries content: hvac's own exceptions keep the response body, so they are translated in the thread
where they occur and not chained.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from json import JSONDecodeError

import hvac.exceptions
import requests


class VaultCause(StrEnum):
    """Why Vault cannot be used just now: a label of metrics and a word in messages."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    SEALED = "sealed"
    NOT_INITIALIZED = "uninitialized"
    OVERLOADED = "overloaded"
    ERROR = "error"
    NO_TOKEN = "no-token"  # noqa: S105 - a word, not a token


_EXPLAINED = {
    VaultCause.UNREACHABLE: "it cannot be reached; check that it runs and that its address is right",
    VaultCause.TLS: "its certificate is not trusted; mount its CA and name it in HEADGATE_VAULT_CA_FILE",
    VaultCause.TIMEOUT: "it accepts connections but does not answer in time; check its load and its storage",
    VaultCause.SEALED: "it is sealed; unseal it",
    VaultCause.NOT_INITIALIZED: "it is not initialized; initialize and unseal it",
    VaultCause.OVERLOADED: "it refuses requests because of a rate limit; raise its quota",
    VaultCause.ERROR: "it answers with an error of its own; see its log",
    VaultCause.NO_TOKEN: "this pod's projected token cannot be read; check the volume that HEADGATE_VAULT_TOKEN_FILE names",
}


class VaultError(Exception):
    """Anything that kept an operation at Vault from succeeding."""


class VaultUnavailable(VaultError):  # noqa: N818 - the name of the condition reason
    """Vault gave no usable answer; a write may or may not have happened. ``cause`` is the word for it."""

    def __init__(self, cause: VaultCause) -> None:
        self.cause = cause
        super().__init__(f"Vault is unavailable: {_EXPLAINED[cause]}")


class VaultDenied(VaultError):  # noqa: N818 - reads as what happened
    """Vault answered, and this identity may not do that."""


class CasMismatch(VaultError):  # noqa: N818 - Vault's own term
    """Another writer was first: the version given as check-and-set is not the latest. Read again and decide again."""


class NothingThere(VaultError):  # noqa: N818 - reads as what happened
    """No readable record; ``version`` is the latest version's number, 0 where there never was one."""

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__("Vault holds no readable record there")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Run a synchronous hvac call; raise a VaultError that says ``what`` was attempted and holds no content."""
    try:
        yield
    except VaultError:
        raise
    except hvac.exceptions.InvalidPath as error:
        if "no handler for route" in _text(error):
            raise VaultDenied(
                f"Vault has nothing mounted there: {what}; check the mount and the auth path (vault.mount, vault.auth.path)"
            ) from None
        raise NothingThere(_deleted_version(error)) from None
    except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
        raise VaultDenied(f"Vault denies this identity: {what}; check its role and policy") from None
    except hvac.exceptions.RateLimitExceeded:
        raise VaultUnavailable(VaultCause.OVERLOADED) from None
    except hvac.exceptions.VaultNotInitialized:
        raise VaultUnavailable(VaultCause.NOT_INITIALIZED) from None
    except hvac.exceptions.InvalidRequest as error:
        if "check-and-set" in _text(error):
            raise CasMismatch(f"Vault holds another version than expected: {what}") from None
        raise VaultDenied(
            f"Vault refuses the request (400): {what}; check the mount, the auth method and its role"
        ) from None
    except hvac.exceptions.VaultError as error:
        cause = VaultCause.SEALED if "sealed" in _text(error) else VaultCause.ERROR
        raise VaultUnavailable(cause) from None
    except requests.exceptions.SSLError:
        raise VaultUnavailable(VaultCause.TLS) from None
    except requests.exceptions.Timeout:
        raise VaultUnavailable(VaultCause.TIMEOUT) from None
    except (JSONDecodeError, requests.exceptions.InvalidJSONError, KeyError, TypeError):
        raise VaultUnavailable(VaultCause.ERROR) from None  # something that is not Vault answers there
    except requests.exceptions.RequestException:
        raise VaultUnavailable(VaultCause.UNREACHABLE) from None


def _text(error: hvac.exceptions.VaultError) -> str:
    return " ".join(str(e) for e in error.errors or ()).lower()


def _deleted_version(error: hvac.exceptions.VaultError) -> int:
    """Return the version that KV v2 names in the 404 of a deleted version, else 0."""
    body = error.json if isinstance(error.json, dict) else {}
    metadata = (body.get("data") or {}).get("metadata") or {}
    return int(metadata.get("version", 0))
