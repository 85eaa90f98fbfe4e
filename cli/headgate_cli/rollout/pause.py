"""``pause POLICY``: a rollout goes no further, and its weight stays, until ``resume``."""

import argparse

from headgate_api import names
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser("pause", "Keep a rollout where it is. Analysis goes on, and harm still ends it.")
    parser.add_argument("policy", metavar="POLICY")
    parser.add_argument("--reason", help="kept in the annotation, and shown to whoever asks (default: your user name)")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Pause the policy, whether or not a rollout is under way."""
    subject, body = read.subject(api, arguments.namespace, arguments.policy)
    why = arguments.reason or f"paused by {api.user()}"
    annotate(api, subject, body, {names.ANNOTATION_PAUSE: why}, lambda _: True)
    rollout = subject.policy.status.rollout
    message = (
        f"{subject.label} is paused: {rollout.revision} stays at {subject.policy.status.weight} %, at most until its deadline"
        if rollout is not None
        else f"{subject.label} is paused: no rollout is under way, and the next goes no further than its beginning"
    )
    console.say(message)
    console.emit({"paused": True, "reason": why, "message": message})
    return 0
