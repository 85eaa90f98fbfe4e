"""The emulator as a process: ``python -m headgate_dev.emulator``; its first line of output is JSON with its address.

It ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth
from headgate_dev.emulator.plans import Plan
from headgate_dev.emulator.server import Emulator
from headgate_dev.emulator.tls import throwaway_tls


def load(state: Path) -> Credentials:
    """Return the credentials kept in ``state``; none when the file does not exist."""
    if not state.exists():
        return Credentials()
    kept = json.loads(state.read_text())
    tokens = {token: TokenState(value) for token, value in kept.get("oauth_tokens", {}).items()}
    plans = {token: Plan.model_validate(value) for token, value in kept.get("plans", {}).items()}
    return Credentials(set(kept.get("api_keys", ())), tokens, kept.get("revoked_status", 403), plans)


async def serve(options: argparse.Namespace) -> None:
    """Run until a signal asks to end."""
    state: Path | None = options.state
    credentials = load(state) if state else Credentials()

    def keep() -> None:
        if state:
            state.write_text(json.dumps(credentials.as_json()))

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Emulator(
        credentials=credentials,
        api_keys=options.api_key,
        oauth_tokens=options.oauth_token,
        host=options.host,
        port=options.port,
        event_delay=options.event_delay,
        vendor=WithOAuth(Anthropic(), OAuthServer(*options.oauth_client)) if options.oauth_client else None,
        tls=throwaway_tls(tuple(options.tls_name)) if options.tls else None,
        on_change=keep,
    ) as emulator:
        keep()
        print(json.dumps({"url": emulator.url, "ca_pem": emulator.tls.ca_pem if emulator.tls else None}), flush=True)
        await ended.wait()


def _client(text: str) -> Client:
    name, _, redirect_uri = text.partition("=")
    return Client(name, redirect_uris=(redirect_uri,) if redirect_uri else ())


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m headgate_dev.emulator", description="Emulate an LLM vendor.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port on that address; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="file that keeps the credentials over a restart")
    parser.add_argument("--api-key", action="append", default=[], help="an API key to accept; may be repeated")
    parser.add_argument(
        "--oauth-token", action="append", default=[], help="an OAuth access token to accept; may be repeated"
    )
    parser.add_argument(
        "--oauth-client",
        action="append",
        default=[],
        type=_client,
        metavar="ID=REDIRECT_URI",
        help="sign people in for this public client; may be repeated",
    )
    parser.add_argument("--event-delay", type=float, default=0.0, help="seconds before each event of a stream")
    parser.add_argument("--tls", action="store_true", help="speak HTTPS with a throw-away certificate authority")
    parser.add_argument(
        "--tls-name",
        action="append",
        help="a name its certificate is for (default: localhost and 127.0.0.1); repeatable",
    )
    options = parser.parse_args()
    options.tls_name = options.tls_name or ["localhost", "127.0.0.1"]
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
