"""``resume POLICY``: end what ``pause`` began."""

import argparse

from headgate_api import names
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser("resume", "Let a paused rollout go on.")
    parser.add_argument("policy", metavar="POLICY")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Take the pause away."""
    subject, body = read.subject(api, arguments.namespace, arguments.policy)
    status = subject.policy.status
    if names.ANNOTATION_PAUSE not in subject.policy.metadata.annotations:
        if status.rollout is not None and status.rollout.held_by_failure and status.step is not None:
            raise Refusal(f"{subject.label} was not paused by a person but by its analysis. {status.step.next_action}")
        raise Refusal(f"{subject.label} is not paused")
    annotate(api, subject, body, {names.ANNOTATION_PAUSE: None}, lambda _: True)
    message = f"{subject.label} goes on"
    console.say(message)
    console.emit({"paused": False, "message": message})
    return 0
