"""``abort POLICY``: withdraw the change that is under way. It never asks: whoever types it is in a hurry."""

import argparse
from typing import Final

from headgate_api import names
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate, outcome
from headgate_cli.rollout.subject import Subject

PENDING: Final = "Pending"
ABORTED: Final = "Aborted"


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "abort", "Withdraw the change under way: all traffic goes back to stable. Works at every step."
    )
    parser.add_argument("policy", metavar="POLICY")
    parser.add_argument("--revision", metavar="REVISION", help="only this rollout; refused when another is under way")
    parser.add_argument(
        "--wait", type=float, default=5.0, metavar="SECONDS", help="for the operator's answer (default: 5)"
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Abort the rollout under way."""
    subject, body = read.subject(api, arguments.namespace, arguments.policy)
    rollout = subject.policy.status.rollout
    if rollout is None:
        raise Refusal(f"{subject.label} has no rollout under way: there is nothing to abort")
    revision = rollout.revision
    if arguments.revision not in (None, revision):
        raise Refusal(f"{subject.label} has {revision} under way, not {arguments.revision}")
    annotate(api, subject, body, {names.ANNOTATION_ABORT: revision}, lambda now: _runs(now, revision))
    word = outcome(
        api, console, arguments.namespace, arguments.policy, arguments.wait, lambda now: ended(now, revision)
    )
    message = _said(word, revision, arguments.wait)
    console.say(message)
    console.emit({"abort": revision, "outcome": word or PENDING, "message": message})
    return 0 if word in (ABORTED, None) else REFUSED


def _said(word: str | None, revision: str, seconds: float) -> str:
    if word is None:
        return (
            f"the abort of {revision} is set, but the operator has not taken it up within {seconds:g} s; see whether it runs. "
            "Proxies count a weight that nobody confirms for 5 minutes as 0"
        )
    if word != ABORTED:
        return f"{revision} ended before it could be aborted: {word}"
    return f"{revision} is withdrawn: stable serves everyone; the same content is tried again only after a change or `release`"


def _runs(now: Subject, revision: str) -> bool:
    return now.policy.status.rollout is not None and now.policy.status.rollout.revision == revision


def ended(now: Subject, revision: str) -> str | None:
    """Return how the rollout ended; None while it has not."""
    if _runs(now, revision):
        return None
    return next((entry.outcome for entry in now.policy.status.history if entry.revision == revision), ABORTED)
