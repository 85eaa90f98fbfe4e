"""The redirect on this machine (RFC 8252, section 7.3): one address, the loopback interface, one request that counts.

Anything else in a browser can make it ask this address too: so only a GET of exactly the registered path, under a name of this
machine, with the state of this very sign-in, ends the wait; everything else is told no, in a page that repeats nothing of it.
"""

import contextlib
import hmac
import re
import socket
from dataclasses import dataclass
from html import escape
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from headgate_api.secret import Secret

MAX_HEAD_BYTES: Final = 16 * 1024
_READ_SECONDS: Final = 3.0
_HOSTS: Final = {
    "localhost": ("127.0.0.1", "::1"),
    "127.0.0.1": ("127.0.0.1",),
    "::1": ("::1",),
}
_REQUEST: Final = re.compile(r"(GET) (/[\x21-\x7e]*) HTTP/1\.[01]")
_HOST: Final = re.compile(r"^host:[ \t]*([\x21-\x7e]+)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loopback:
    """A redirect URI on this machine. ``authority``: host and port as the browser writes them."""

    host: str
    port: int
    path: str
    authority: str

    @classmethod
    def of(cls, redirect_uri: str | None) -> Self | None:
        """Return the address to listen at, or None for a redirect that leads elsewhere."""
        try:
            parts = urlsplit(redirect_uri or "")
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            return None
        if parts.scheme != "http" or host not in _HOSTS:
            return None
        return cls(host, port, parts.path or "/", parts.netloc.lower())


@dataclass(frozen=True, slots=True)
class Reply:
    """What a browser is told. ``brought``: the whole address it was sent to, where it is the one that was waited for."""

    status: str
    text: str
    brought: Secret | None = None

    def to_bytes(self) -> bytes:
        """Return the response; nothing in it runs, is kept, or tells another page where it came from."""
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Headgate</title>'
            f"<p>{escape(self.text)}</p></html>\n"
        ).encode()
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


def state_of(authorization_url: str | None) -> str | None:
    """Return the state that the vendor gives back, as it stands in the address a person opens."""
    try:
        return dict(parse_qsl(urlsplit(authorization_url or "").query)).get("state")
    except ValueError:
        return None


def judge(head: bytes, where: Loopback, state: str | None) -> Reply:
    """Return the reply to a request's head (as far as it came), and what it brought."""
    text = head.decode("latin-1")
    line, _, rest = text.partition("\r\n")
    request, host = _REQUEST.fullmatch(line), _HOST.search(rest.replace("\r\n", "\n"))
    if request is None or "\r\n\r\n" not in text:
        return Reply("400 Bad Request", "This is no request that was waited for.")
    path, _, query = request[2].partition("?")
    if path != where.path or host is None or host[1].lower() != where.authority:
        return Reply("404 Not Found", "There is nothing here. The sign-in goes on in its own tab.")
    given = dict(parse_qsl(query)).get("state", "")
    if state is not None and not hmac.compare_digest(given.encode(), state.encode()):
        return Reply("400 Bad Request", "This belongs to another sign-in. Use the tab that the latest one opened.")
    address = Secret(f"http://{where.authority}{request[2]}")
    return Reply(
        "200 OK", "Go back to the terminal: it shows what came of the sign-in. You can close this tab.", address
    )


class Listener:
    """Listens on the loopback interface, and nowhere else. A context manager; raises OSError where the port is taken."""

    def __init__(self, where: Loopback, state: str | None) -> None:
        self._where = where
        self._state = state
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        refused: OSError | None = None
        for address in _HOSTS[self._where.host]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            try:
                self.sockets.append(socket.create_server((address, self._where.port), family=family))
            except OSError as error:
                refused = error
        if not self.sockets and refused is not None:
            raise refused
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()

    def answer(self, listening: socket.socket) -> Secret | None:
        """Take one connection that waits at ``listening``, answer it, and return what it brought."""
        connection, _ = listening.accept()
        with contextlib.closing(connection):
            try:
                connection.settimeout(_READ_SECONDS)
                reply = judge(_head(connection), self._where, self._state)
                connection.sendall(reply.to_bytes())
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                return None
        return reply.brought


def _head(connection: socket.socket) -> bytes:
    """Read up to the end of the head: what a stranger sends slowly or without end is cut off."""
    head = b""
    with contextlib.suppress(TimeoutError):
        while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
            more = connection.recv(4096)
            if not more:
                break
            head += more
    return head
