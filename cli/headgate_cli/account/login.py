"""``account login NAME``: sign in at the vendor by way of the broker, and stay with it until the account has its grant."""

import argparse
import os
import secrets
import sys
import webbrowser
from typing import Final
from urllib.parse import urlsplit

from headgate_api import names
from headgate_api.reasons import ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_api.secret import Secret
from headgate_api.signin import Method, SignInState, key_hash
from headgate_cli import command
from headgate_cli.account import acknowledge, making, options, reach, read
from headgate_cli.account.broker import Broker, Refused
from headgate_cli.account.change import annotate
from headgate_cli.account.code import codes
from headgate_cli.account.conditions import condition, in_words
from headgate_cli.account.ending import tell
from headgate_cli.account.loopback import Loopback
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api
from headgate_cli.console import USAGE, Console, Refusal
from headgate_cli.view import account_signin as view
from headgate_cli.view.style import sentence
from headgate_runtime.kube_kinds import SUBSCRIPTION_ACCOUNT

_METHODS: Final[dict[str, Method]] = {"browser": "Browser", "paste": "Paste", "device": "DeviceCode"}
_WAIT_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 2.0
_SHOWN_SECONDS: Final = 20.0
"""How long the account's status may take to show a grant that is in Vault."""
_KEY_BYTES: Final = 32


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account login",
        "Sign an account in at its vendor, as its spec.oauth says. Needs the verb signin on the account.",
    )
    options.add_name(parser)
    parser.add_argument(
        "--method",
        choices=sorted(_METHODS),
        help="browser: the vendor sends it back by itself; paste: you bring the code; device: you type a code at the vendor "
        "(default: what spec.oauth offers)",
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address, for a browser elsewhere")
    reach.add_options(parser)
    options.add_description(parser)
    options.add_acknowledgement(parser)
    options.add_wait(parser, _WAIT_SECONDS, "the person who signs in")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Sign the account in."""
    acknowledge.check(arguments, console)
    account = _account(arguments, api)
    method = chosen(arguments.method, account)
    route = reach.route(arguments, api)  # before anything is changed: where there is no way to a broker, say so
    namespace, name, me = arguments.namespace, arguments.name, api.user()
    key = Secret(secrets.token_urlsafe(_KEY_BYTES))
    annotate(api, namespace, name, {names.ANNOTATION_SIGN_IN: key_hash(key), names.ANNOTATION_SIGN_IN_BY: me})
    ways = [route]
    broker = Broker(lambda: ways.pop() if ways else reach.route(arguments, api), namespace, name, key, console)
    try:
        state = _through(broker, broker.begin(method), arguments, console)
    except BaseException:
        broker.give_up()
        raise
    if state.state != "Completed":
        raise Refusal(f"{read.label(account)} is not signed in: {sentence(state.message) or state.state}")
    account = _shown(api, console, account, state)
    console.say(f"{read.label(account)}: {sentence(state.message) or 'signed in'}")
    account = acknowledge.if_asked(arguments, api, console, account)
    tell(arguments, api, console, account, {"grantId": state.grant_id, "method": state.method})
    return 0


def chosen(method: str | None, account: SubscriptionAccount) -> Method | None:
    """Return the method to ask the broker for (None: its choice). Raises Refusal that names what spec.oauth lacks."""
    profile, label = account.spec.oauth, read.label(account)
    if profile is None:
        raise Refusal(
            f"SubscriptionAccount {label} has no spec.oauth, which says where and as which client to sign in; add the vendor's "
            f"profile (docs/auth.md), or `account import {account.metadata.name} FILE`"
        )
    code, device = profile.authorization_endpoint is not None, profile.device_authorization_endpoint is not None
    if not (code or device):
        raise Refusal(
            f"SubscriptionAccount {label}: spec.oauth describes no sign-in; add authorizationEndpoint and redirectURI, or "
            "deviceAuthorizationEndpoint"
        )
    if method == "device" and not device:
        raise Refusal(
            f"SubscriptionAccount {label}: spec.oauth has no deviceAuthorizationEndpoint; sign in without --method"
        )
    if method in ("browser", "paste") and not code:
        raise Refusal(
            f"SubscriptionAccount {label}: spec.oauth has no authorizationEndpoint; sign in with --method device"
        )
    if method == "browser" and Loopback.of(profile.redirect_uri) is not None:
        return "Paste"  # the redirect ends at this command, which brings the code to the broker
    return _METHODS[method] if method is not None else None


def _account(arguments: argparse.Namespace, api: Api) -> SubscriptionAccount:
    found = read.find(api, arguments.namespace, arguments.name)
    if found is not None:
        making.agrees(arguments, found[0])
        return found[0]
    described = making.described(arguments)
    if arguments.oauth_file is None:
        raise Refusal(
            f"SubscriptionAccount {arguments.namespace}/{arguments.name} does not exist yet, so it is made now: where and as which "
            "client does it sign in? Name a file with its spec.oauth by --oauth-file (docs/auth.md)",
            USAGE,
        )
    read.provider(api, arguments.namespace, arguments.provider)
    return read.of_body(api.create(SUBSCRIPTION_ACCOUNT, described))


def _through(broker: Broker, state: SignInState, arguments: argparse.Namespace, console: Console) -> SignInState:
    """Go on with the sign-in until it is over, or the time is up. Raises Refusal."""
    begun = console.clock.monotonic()
    url = _address(state)
    for line in view.instructions(state, console.clock.now(), console.style):
        console.warn(line)
    if url is not None and not arguments.no_browser and console.ask is not None and _beside():
        webbrowser.open(url)
    if state.method == "Paste" and state.state == "Pending":
        state = _pasted(broker, state, console)
    while state.state == "Pending":
        if console.clock.monotonic() - begun >= arguments.wait:
            raise Refusal(f"nobody signed in within {arguments.wait:g} s; begin again")
        console.sleep(_POLL_SECONDS)
        state = broker.look()
    return state


def _pasted(broker: Broker, state: SignInState, console: Console) -> SignInState:
    """Bring codes until the broker takes one: a person pastes the wrong thing easily, and may paste again."""
    with codes(console, state) as found:
        while True:
            code = found.next()
            try:
                return broker.bring(code.reveal())
            except Refused as refused:
                now = broker.look()
                if now.state != "Pending" or console.ask is None:
                    raise
                console.warn(f"{refused}\npaste again:")


def _address(state: SignInState) -> str | None:
    """Return what a browser may open. Raises Refusal for an address that no sign-in is at."""
    for url in (state.authorization_url, state.verification_uri, state.verification_uri_complete):
        if url is not None and not safe(url):
            raise Refusal(
                "the broker names an address to sign in at that is no https:// address; is it the right broker?"
            )
    return state.authorization_url or state.verification_uri_complete


def _beside() -> bool:
    """Tell whether a browser can open beside this terminal: a text browser in its place is none."""
    graphical = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in ("win32", "darwin") or bool(graphical)


def safe(url: str) -> bool:
    """Tell whether an address may be opened: a web page, with nothing in it that is no part of an address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and url.isascii() and url.isprintable() and " " not in url


def _shown(api: Api, console: Console, account: SubscriptionAccount, state: SignInState) -> SubscriptionAccount:
    """Wait until the account's status shows the grant; where that takes long, the last look will do."""

    def look() -> tuple[SubscriptionAccount | None, str]:
        now, _ = read.account(api, *account.key)
        known, valid = now.status.credential, condition(now, ConditionType.CREDENTIAL_VALID)
        there = known is not None and known.grant_id == state.grant_id and valid is not None
        return now if there else None, in_words(valid)

    shown, _ = wait(console, "the account's status to show the grant", _SHOWN_SECONDS, look)
    return shown or read.account(api, *account.key)[0]
