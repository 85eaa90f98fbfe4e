"""The certificate a proxy serves with: read from the mounted Secret, and again whenever that changes.

Connections that are open go on; handshakes take the newest good pair. A pair that is no good is refused, and the one before
goes on: nobody's traffic waits for a certificate to be mended.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from headgate_api.clock import Clock, rfc3339
from headgate_api.secret import Secret
from headgate_proxy.anthropic.errors import envelope
from headgate_proxy.edge.exchange import new_request_id
from headgate_proxy.refusal import ErrorType, Refusal
from headgate_runtime.certificates import CERTIFICATE_KEY, PRIVATE_KEY, BadCertificate, Pair
from headgate_runtime.serving_tls import ServingTLS, plain_http_answer

LOOK_SECONDS: Final = 1.0
_READS: Final = 3
_log = logging.getLogger(__name__)


class MountedTLS:
    """Serves with ``tls.crt`` and ``tls.key`` of ``directory``."""

    def __init__(
        self, directory: Path, clock: Clock, *, taken: Callable[[datetime], None], refused: Callable[[], None]
    ) -> None:
        """``taken`` is told when a new certificate expires; ``refused`` is called once per refused pair (metrics)."""
        self.serving = ServingTLS(clock, plain_answer=_plain_answer)
        self._directory = directory
        self._taken = taken
        self._refused = refused
        self._seen: Pair | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Return why the pair in the Secret is not in use; None when it is."""
        return self._problem

    def look(self) -> None:
        """Read the files, and serve with what they hold if it is new and good. Never raises."""
        try:
            pair = _read(self._directory)
            if pair == self._seen:
                return
            not_after = self.serving.take(pair)
        except BadCertificate as bad:
            self._refuse(bad)
        else:
            self._seen, self._problem = pair, None
            self._taken(not_after)
            _log.info("serving with a new certificate", extra={"not_after": rfc3339(not_after)})

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _refuse(self, bad: BadCertificate) -> None:
        self._seen = None  # what is no good now may be later: its time may come
        problem = f"{self._directory}: {bad}"
        if problem == self._problem:
            return
        self._problem = problem
        self._refused()
        goes_on = "the one before goes on" if self.serving.ready else "no TLS connection can be accepted"
        _log.error("a certificate is refused", extra={"problem": problem, "consequence": goes_on})


def _plain_answer() -> bytes:
    refusal = Refusal(400, ErrorType.INVALID_REQUEST, "this port speaks TLS; use https:// in the base URL")
    return plain_http_answer("application/json", envelope(refusal, new_request_id()))


def _read(directory: Path) -> Pair:
    """Read both files of one moment: a Secret's files are replaced together, but not while they are being read."""
    chain = _text(directory, CERTIFICATE_KEY)
    for _ in range(_READS):
        key, again = _text(directory, PRIVATE_KEY), _text(directory, CERTIFICATE_KEY)
        if again == chain:
            return Pair(chain, Secret(key))
        chain = again
    raise BadCertificate(CERTIFICATE_KEY, "changes while it is read", "see who rewrites it again and again")


def _text(directory: Path, key: str) -> str:
    try:
        return (directory / key).read_text(encoding="ascii")
    except OSError as error:
        raise BadCertificate(key, f"cannot be read ({error.strerror})", "mount a Secret with it") from None
    except UnicodeDecodeError:
        raise BadCertificate(key, "is not PEM text", "put PEM there") from None
