"""What keeps a session on its track: the key that is hashed, from the first source that a request has.

What clients send was looked at, not guessed. Claude Code (2.1) sends its session id as ``x-claude-code-session-id`` and, in
``metadata.user_id`` of the body, as JSON with ``session_id``; earlier versions wrote ``user_…_account_…_session_<uuid>``
there. Codex (0.169) sends the header ``session-id``, earlier ``session_id``, and as ``prompt_cache_key`` in the body, which
is a field of OpenAI's APIs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from headgate_api.resources.rolloutspec import StickySource
from headgate_proxy.callers.caller import Caller
from headgate_proxy.protocols.decoding import decoded

Source = Literal["Header", "ClientSession", "Pod", "Consumer"]

_SESSION_HEADERS: Final = ("x-claude-code-session-id", "session-id", "session_id")
_MARK: Final = "_session_"


@dataclass(frozen=True, slots=True)
class Sticky:
    """A sticky key and where it comes from."""

    source: Source
    value: str


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Body(msgspec.Struct):
    metadata: _Metadata | None = None
    prompt_cache_key: str | None = None


class _UserId(msgspec.Struct):
    session_id: str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_user_id = msgspec.json.Decoder(_UserId).decode


def sticky_key(sources: Sequence[StickySource], headers: Mapping[str, str], caller: Caller, body: bytes) -> Sticky:
    """Return the key of a request; where none of the sources has one, the consumer's, which every caller has."""
    for source in sources:
        value: str | None
        match source.source:
            case "Header":
                value = headers.get(source.header) if source.header is not None else None
            case "ClientSession":
                value = client_session(headers, body)
            case "Pod":
                value = caller.pod_uid
            case "Consumer":
                value = caller.uid
        if value:
            return Sticky(source.source, value)
    return Sticky("Consumer", caller.uid)


def client_session(headers: Mapping[str, str], body: bytes) -> str | None:
    """Return the id of the client's own session, from its header or from the body of a request."""
    for name in _SESSION_HEADERS:
        if value := headers.get(name):
            return value
    read = decoded(_decode_body, body)
    if read is None:
        return None
    if read.prompt_cache_key:
        return read.prompt_cache_key
    user_id = read.metadata.user_id if read.metadata is not None else None
    if not user_id:
        return None
    if user_id.startswith("{"):
        try:
            return _decode_user_id(user_id).session_id
        except (msgspec.DecodeError, RecursionError):
            return None
    _, mark, session = user_id.rpartition(_MARK)
    return session if mark and session else None
