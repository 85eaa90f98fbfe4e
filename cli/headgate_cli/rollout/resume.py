"""``resume POLICY``: end what ``pause`` began, or, when asked expressly, what failing verdicts began (onFailure: Pause)."""

import argparse

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate, outcome
from headgate_cli.rollout.subject import Subject


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser("resume", "Let a paused rollout go on.")
    parser.add_argument("policy", metavar="POLICY")
    parser.add_argument(
        "--anyway", action="store_true", help="go on in spite of the failing verdicts that paused it (onFailure: Pause)"
    )
    parser.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="for the operator (default: 10)")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Take the pause away."""
    subject, body = read.subject(api, arguments.namespace, arguments.policy)
    rollout = subject.policy.status.rollout
    if rollout is not None and rollout.held_by_failure:
        if not arguments.anyway:
            raise Refusal(
                f"{subject.label} was paused by its analysis, not by a person: see the verdicts with `status`, then `abort` it, or "
                "go on with `resume --anyway`"
            )
        _take_over(arguments, api, console, f"resumed in spite of the verdicts by {api.user()}")
        subject, body = read.subject(api, arguments.namespace, arguments.policy)
    elif not _paused(subject):
        raise Refusal(f"{subject.label} is not paused")
    annotate(api, subject, body, {names.ANNOTATION_PAUSE: None}, lambda _: True)
    message = f"{subject.label} goes on"
    console.say(message)
    console.emit({"paused": False, "message": message})
    return 0


def _take_over(arguments: argparse.Namespace, api: Api, console: Console, why: str) -> None:
    """Turn the hold by analysis into one by this person, as the operator asks for: a pause that is set anew."""
    where = (arguments.namespace, arguments.policy)
    for asked, expected in ((None, ConditionReason.PAUSED_ON_FAILURE), (why, ConditionReason.PAUSED)):
        subject, body = read.subject(api, *where)
        if asked is not None or _paused(subject):
            annotate(api, subject, body, {names.ANNOTATION_PAUSE: asked}, lambda _: True)
        shown = outcome(api, console, *where, arguments.wait, lambda now, expected=expected: _shows(now, expected))  # type: ignore[misc]
        if shown is None:
            raise Refusal(
                f"{subject.label} does not show {expected} within {arguments.wait:g} s; see whether the operator runs"
            )


def _paused(subject: Subject) -> bool:
    return names.ANNOTATION_PAUSE in subject.policy.metadata.annotations


def _shows(now: Subject, reason: str) -> str | None:
    paused = now.condition(ConditionType.PAUSED)
    return reason if paused is not None and paused.reason == reason else None
