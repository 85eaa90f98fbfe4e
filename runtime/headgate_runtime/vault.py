"""One asynchronous door to Vault for both planes: hvac is synchronous, and a Vault that hangs must hang nobody else.

Calls run on a small executor of their own under one deadline each; a breaker answers at once while Vault is known to be
away. The Vault token is renewed without asking the API server and kept by proxies across restarts (``session``,
``restore``), so that the edge outlives both.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Self, TypeVar

import hvac

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_runtime.vault_breaker import Breaker
from headgate_runtime.vault_errors import (
    CasMismatch,
    NothingThere,
    VaultCause,
    VaultDenied,
    VaultError,
    VaultUnavailable,
    translated,
)
from headgate_runtime.vault_mount import require_kv2
from headgate_runtime.vault_session import VaultHealth, VaultRecord, VaultSession
from headgate_runtime.vault_settings import VaultSettings

_T = TypeVar("_T")

THREADS: Final = 4
_CONNECT_SECONDS: Final = 2.0
_RETRY_RENEWAL_SECONDS: Final = 10.0


class Vault:
    """KV v2 of one mount. Every method takes ``settings.deadline_seconds`` at most and raises only VaultError."""

    def __init__(self, settings: VaultSettings, clock: Clock, redactor: Redactor) -> None:
        self._settings = settings
        self._clock = clock
        self._redactor = redactor
        self._session: VaultSession | None = None
        self._signing_in = asyncio.Lock()
        self._breaker = Breaker(clock)
        self._mount_checked = False
        self._last_cause = VaultCause.UNREACHABLE
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="vault")
        self._client = hvac.Client(
            url=settings.address,
            verify=str(settings.ca_file) if settings.ca_file else True,
            timeout=(_CONNECT_SECONDS, settings.deadline_seconds),
            allow_redirects=False,  # requests would carry X-Vault-Token along to another host
        )
        self._client.adapter.session.trust_env = False  # no proxy, no .netrc, no REQUESTS_CA_BUNDLE of the image

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release connections and threads; calls under way end by their own deadline."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._client.adapter.close()

    @property
    def session(self) -> VaultSession | None:
        """The present Vault token, for the last-known-good state of a proxy; None before the first sign-in."""
        return self._session

    def restore(self, session: VaultSession) -> None:
        """Go on with a token kept from before a restart; when Vault no longer takes it, sign in anew."""
        self._redactor.remember(session.token)
        self._client.token = session.token.reveal()
        self._session = session

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        """Return a version of a record (the latest by default), or None where there is none that can be read."""
        try:
            return await self._operation(f"read {path}", lambda: self._read(path, version))
        except NothingThere:
            return None

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        """Return the latest record and the version to give as ``cas``.

        The two differ where someone deleted the latest version in Vault: then it is (None, that version).
        """
        try:
            record = await self._operation(f"read {path}", lambda: self._read(path, None))
        except NothingThere as nothing:
            return None, nothing.version
        return record, record.version

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        """Write a record if its latest version is still ``cas`` (0: there is none); return the new version.

        Raises CasMismatch when another writer was first. After VaultUnavailable it may have been written: read to know.
        """

        def call() -> int:
            if not self._mount_checked:
                require_kv2(self._client, self._settings.mount)
                self._mount_checked = True
            answer = self._client.secrets.kv.v2.create_or_update_secret(
                path, secret=dict(data), cas=cas, mount_point=self._settings.mount
            )
            return int(answer["data"]["version"])

        return await self._operation(f"write {path}", call)

    async def delete(self, path: str) -> None:
        """Delete all versions of a record and its metadata; deleting what is not there succeeds."""
        await self._operation(
            f"delete {path}",
            lambda: self._client.secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=self._settings.mount),
        )

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        """Return the numbers of those versions of a record that can still be read, oldest first."""

        def call() -> tuple[int, ...]:
            answer = self._client.secrets.kv.v2.read_secret_metadata(path, mount_point=self._settings.mount)
            kept = answer["data"]["versions"].items()
            return tuple(sorted(int(n) for n, v in kept if not v["destroyed"] and not v["deletion_time"]))

        try:
            return await self._operation(f"read metadata of {path}", call)
        except NothingThere:
            return ()

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        """Destroy the content of some versions for good; numbers are not used again, so the next version is a new one."""
        numbers = sorted(versions)
        await self._operation(
            f"destroy versions of {path}",
            lambda: self._client.secrets.kv.v2.destroy_secret_versions(
                path, versions=numbers, mount_point=self._settings.mount
            ),
        )

    async def list(self, path: str) -> tuple[str, ...]:
        """Return the names of the records right below a path, in Vault's order; folders end with a slash."""

        def call() -> tuple[str, ...]:
            answer = self._client.secrets.kv.v2.list_secrets(path, mount_point=self._settings.mount)
            return tuple(answer["data"]["keys"])

        try:
            return await self._operation(f"list {path}", call)
        except NothingThere:
            return ()

    async def health(self) -> VaultHealth:
        """Ask Vault how it is, past the breaker and without a token. Raises VaultUnavailable when it does not answer."""

        def call() -> VaultHealth:
            answer = self._client.adapter.get("/v1/sys/health", raise_exception=False)
            body = answer if isinstance(answer, dict) else answer.json()
            return VaultHealth(body["initialized"], body["sealed"], body["standby"], str(body["version"]))

        async with self._deadline():
            return await self._in_thread("ask for its health", call)

    async def keep_session(self) -> None:
        """Sign in and renew for ever, so that the token does not end while nobody asks for anything: run it in a TaskGroup."""
        while True:
            try:
                async with self._guarded():
                    await self._ensure_session()
            except VaultError:
                await asyncio.sleep(_RETRY_RENEWAL_SECONDS)
                continue
            due = self._session.renew_at() if self._session else None
            wait = 3600.0 if due is None else (due - self._clock.now()).total_seconds()
            await asyncio.sleep(max(wait, _RETRY_RENEWAL_SECONDS))

    # -- one operation: breaker, deadline, session, thread ---------------------------------------------------------------

    async def _operation(self, what: str, call: Callable[[], _T]) -> _T:
        async with self._guarded():
            await self._ensure_session()
            used = self._session
            try:
                return await self._in_thread(what, call)
            except VaultDenied:
                if await self._is_alive():
                    raise  # the token is good; it is the policy that says no
                await self._sign_in(instead_of=used)
                return await self._in_thread(what, call)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Apply breaker and deadline around a whole operation, and tell the breaker how it went."""
        if not self._breaker.admit():
            raise VaultUnavailable(self._last_cause)
        try:
            async with self._deadline():
                yield
        except VaultUnavailable as error:
            self._last_cause = error.cause
            self._breaker.failed()
            raise
        except VaultError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                yield
        except TimeoutError:
            raise VaultUnavailable(VaultCause.TIMEOUT) from None

    async def _in_thread(self, what: str, call: Callable[[], _T]) -> _T:
        def guarded() -> _T:
            with translated(what):
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._executor, guarded)

    def _read(self, path: str, version: int | None) -> VaultRecord:
        answer = self._client.secrets.kv.v2.read_secret_version(
            path, version=version, mount_point=self._settings.mount, raise_on_deleted_version=True
        )
        return VaultRecord(answer["data"]["data"], int(answer["data"]["metadata"]["version"]))

    # -- the session -------------------------------------------------------------------------------------------------------

    async def _ensure_session(self) -> None:
        session = self._session
        if session is None:
            return await self._sign_in(instead_of=None)
        due = session.renew_at()
        if due is None or self._clock.now() < due:
            return None
        return await self._renew(session)

    async def _renew(self, session: VaultSession) -> None:
        """Renew by Vault alone; sign in anew where that no longer helps; go on with a token that still lives."""
        async with self._signing_in:
            if self._session is not session:
                return
            try:
                if not session.renewable:
                    raise VaultDenied("the token is not renewable")
                answer = await self._in_thread("renew its token", self._client.auth.token.renew_self)
                renewed = self._session_of(answer["auth"])
                if session.expires_at and renewed.expires_at and renewed.expires_at <= session.expires_at:
                    raise VaultDenied("the token has reached its longest life")
                self.restore(renewed)
            except VaultError:
                try:
                    await self._log_in()
                except VaultError:
                    if session.expires_at is None or session.expires_at <= self._clock.now():
                        raise

    async def _sign_in(self, *, instead_of: VaultSession | None) -> None:
        async with self._signing_in:
            if self._session is instead_of:
                await self._log_in()

    async def _log_in(self) -> None:
        settings = self._settings

        def login() -> Any:
            try:
                jwt = settings.token_file.read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                raise VaultUnavailable(VaultCause.NO_TOKEN) from None
            path = f"/v1/auth/{settings.auth_path}/login"
            return self._client.adapter.post(path, json={"role": settings.role, "jwt": jwt})

        what = f"sign in with role {settings.role} at auth/{settings.auth_path}"
        try:
            answer = await self._in_thread(what, login)
        except NothingThere:
            raise VaultDenied(f"Vault has nothing mounted there: {what}; check HEADGATE_VAULT_AUTH_PATH") from None
        self.restore(self._session_of(answer["auth"]))

    async def _is_alive(self) -> bool:
        try:
            await self._in_thread("look up its own token", self._client.auth.token.lookup_self)
        except VaultDenied:
            return False
        return True

    def _session_of(self, auth: Mapping[str, Any]) -> VaultSession:
        now = self._clock.now()
        lease = int(auth.get("lease_duration") or 0)
        return VaultSession(
            token=Secret(auth["client_token"]),
            obtained_at=now,
            expires_at=now + timedelta(seconds=lease) if lease else None,
            renewable=bool(auth.get("renewable")),
        )


__all__ = [
    "CasMismatch",
    "Vault",
    "VaultCause",
    "VaultDenied",
    "VaultError",
    "VaultHealth",
    "VaultRecord",
    "VaultSession",
    "VaultSettings",
    "VaultUnavailable",
]
