"""The emulator as a process: ``python -m headgate_dev.emulator``; its first line of output is JSON with its address.

It ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.oauth import Client
from headgate_dev.emulator.oauth.vendor import SHOW_CODE
from headgate_dev.emulator.plans import Plan
from headgate_dev.emulator.server import Emulator
from headgate_dev.emulator.tls import throwaway_tls
from headgate_dev.emulator.vendors import NAMES, vendor


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
    names = NAMES if "all" in options.vendor else tuple(dict.fromkeys(options.vendor))
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
        vendor=vendor(names, clients(options.oauth_client, names[0])),
        tls=throwaway_tls(tuple(options.tls_name)) if options.tls else None,
        on_change=keep,
    ) as emulator:
        keep()
        print(json.dumps({"url": emulator.url, "ca_pem": emulator.tls.ca_pem if emulator.tls else None}), flush=True)
        await ended.wait()


def clients(given: list[str], default: str) -> dict[str, list[Client]]:
    """Return the OAuth clients of each vendor from ``[VENDOR:]ID=REDIRECT_URI`` (``default``: the vendor when none is named)."""
    found: dict[str, list[Client]] = {}
    for text in given:
        name, _, redirect_uri = text.partition("=")
        named, colon, client_id = name.partition(":")
        owner, client_id = (named, client_id) if colon and named in NAMES else (default, name)
        found.setdefault(owner, []).append(Client(client_id, redirect_uris=(redirect_uri or SHOW_CODE,)))
    return found


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m headgate_dev.emulator", description="Emulate LLM vendors.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port on that address; 0 takes a free one")
    parser.add_argument(
        "--vendor",
        action="append",
        choices=(*NAMES, "all"),
        help="whom to emulate (default: anthropic); several share one address, told apart by path; may be repeated",
    )
    parser.add_argument("--state", type=Path, help="file that keeps the credentials over a restart")
    parser.add_argument("--api-key", action="append", default=[], help="an API key to accept; may be repeated")
    parser.add_argument(
        "--oauth-token", action="append", default=[], help="an OAuth access token to accept; may be repeated"
    )
    parser.add_argument(
        "--oauth-client",
        action="append",
        default=[],
        metavar="[VENDOR:]ID[=REDIRECT_URI]",
        help="sign people in for this public client; without a redirect URI it comes back to the page that shows the "
        "code to paste, /oauth/code/callback; may be repeated",
    )
    parser.add_argument("--event-delay", type=float, default=0.0, help="seconds before each event of a stream")
    parser.add_argument("--tls", action="store_true", help="speak HTTPS with a throw-away certificate authority")
    parser.add_argument(
        "--tls-name",
        action="append",
        help="a name its certificate is for (default: localhost and 127.0.0.1); repeatable",
    )
    options = parser.parse_args()
    options.vendor = options.vendor or ["anthropic"]
    options.tls_name = options.tls_name or ["localhost", "127.0.0.1"]
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
