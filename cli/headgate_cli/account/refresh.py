"""``account refresh NAME``: have the access token replaced now, and tell what came of it."""

import argparse
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import acknowledge, options, read
from headgate_cli.account.change import annotate
from headgate_cli.account.conditions import condition, in_words, said
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, Console, Refusal
from headgate_cli.view import account as view
from headgate_cli.view import account_needs
from headgate_cli.view.style import ago, sentence

REFRESHED: Final = "Refreshed"
FAILED: Final = "Failed"
PENDING: Final = "Pending"
_WAIT_SECONDS: Final = 60.0
"""A vendor may take half of it."""
_UNDER_WAY: Final = (ConditionReason.REFRESHING, ConditionReason.REFRESH_INTERRUPTED)


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account refresh", "Replace an account's access token by a newer one now. Proxies go over to it by themselves."
    )
    options.add_name(parser)
    options.add_wait(parser, _WAIT_SECONDS, "the vendor's answer")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Ask for a refresh and follow it."""
    account, _ = read.account(api, arguments.namespace, arguments.name)
    generation = _refreshable(account)
    before = said(condition(account, ConditionType.REFRESH_HEALTHY))
    asked = {names.ANNOTATION_REFRESH: str(generation)}
    annotate(api, arguments.namespace, arguments.name, asked, lambda now: now.status.generation == generation)

    def look() -> tuple[tuple[str, SubscriptionAccount] | None, str]:
        now, _ = read.account(api, arguments.namespace, arguments.name)
        if now.status.generation is not None and now.status.generation > generation:
            return (REFRESHED, now), ""
        healthy = condition(now, ConditionType.REFRESH_HEALTHY)
        over = healthy is not None and healthy.status != "True" and healthy.reason not in _UNDER_WAY
        return ((FAILED, now) if over and said(healthy) != before else None), in_words(healthy)

    found, progress = wait(console, "the vendor's answer", arguments.wait, look)
    word, account = found if found is not None else (PENDING, account)
    message = _message(word, account, progress, arguments.wait, console)
    console.say(message) if word == REFRESHED else console.warn(message)
    console.emit(
        {
            "outcome": word,
            "message": message,
            "account": view.to_json(account, console.clock.now(), command.program()),
        }
    )
    return 0 if word == REFRESHED else REFUSED


def _refreshable(account: SubscriptionAccount) -> int:
    """Return the generation to replace. Raises Refusal when nothing would be asked of the vendor."""
    label, again = read.label(account), account_needs.sign_in(account, command.program())
    healthy = condition(account, ConditionType.REFRESH_HEALTHY)
    if account.spec.suspend:
        raise Refusal(f"{label} is suspended, so it is not refreshed; `account resume {account.metadata.name}` first")
    if not acknowledge.is_acknowledged(account):
        raise Refusal(
            f"{label} is not acknowledged, so it is not refreshed; `account acknowledge {account.metadata.name}` first"
        )
    if account.spec.oauth is None:
        raise Refusal(
            f"{label} has no spec.oauth, so nothing here can refresh it; add the vendor's profile (docs/auth.md)"
        )
    if account.status.generation is None:
        raise Refusal(f"{label} has no grant that could be refreshed; get one with `{again}`")
    if healthy is not None and healthy.reason == ConditionReason.REAUTHENTICATION_REQUIRED:
        raise Refusal(
            f"{label} needs a new sign-in, no refresh helps: {sentence(healthy.message)}. Begin it with `{again}`"
        )
    return account.status.generation


def _message(word: str, account: SubscriptionAccount, progress: str, seconds: float, console: Console) -> str:
    label, expires = read.label(account), account.status.expires_at
    if word == REFRESHED:
        until = f", which expires {ago(expires, console.clock.now())}" if expires is not None else ""
        return f"{label} has a new access token, generation {account.status.generation}{until}"
    if word == FAILED:
        return f"{label} has no new access token: {sentence(progress)}"
    return (
        f"{label} has no new access token within {seconds:g} s, and may still get one: {sentence(progress)}; follow it with "
        f"`account status {account.metadata.name} -w`, and see whether the operator runs if it stays so"
    )
