"""``release POLICY | llmprovider/NAME | proxyfleet/NAME``: let content go on that Headgate holds back."""

import argparse
import re
from typing import Final

from headgate_api import names
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import USAGE, Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate, outcome
from headgate_cli.rollout.subject import Subject
from headgate_runtime.kube_errors import Conflict
from headgate_runtime.kube_kinds import LLM_PROVIDER, PROXY_FLEET, Kind

_KINDS: Final[dict[str, Kind]] = {
    word: kind
    for kind in (LLM_PROVIDER, PROXY_FLEET)
    for word in (kind.kind.lower(), kind.plural, f"{kind.plural}.{names.GROUP}")
}
_HELD: Final = re.compile(rf"{re.escape(names.ANNOTATION_RELEASE)}\W+([0-9a-f]{{12,}})")
_REASON: Final = "CandidateHeld"
_PATIENCE: Final = 10.0
"""Seconds the operator may take to notice that a release was taken back."""


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "release",
        "Try withdrawn content of a POLICY again, or serve the held content of an object that lost its guard. "
        "Needs the verb approve.",
    )
    parser.add_argument("subject", metavar="POLICY|llmprovider/NAME|proxyfleet/NAME")
    parser.add_argument(
        "--revision", metavar="REVISION", help="the content to release; refused when it is not what is held"
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Release a policy's rejected content or an object's held one."""
    kind, slash, name = arguments.subject.partition("/")
    if not slash or kind.lower() in ("rolloutpolicy", "rolloutpolicies", "rollout"):
        released, message = _policy(arguments, api, console, name or kind)
    elif kind.lower() in _KINDS:
        released, message = _object(arguments, api, _KINDS[kind.lower()], name)
    else:
        raise Refusal(
            f"{kind!r} is nothing that Headgate guards; write llmprovider/NAME, proxyfleet/NAME, or a policy's name",
            USAGE,
        )
    console.say(message)
    console.emit({"released": released, "message": message})
    return 0


def _policy(arguments: argparse.Namespace, api: Api, console: Console, name: str) -> tuple[str, str]:
    subject, body = read.subject(api, arguments.namespace, name)
    rejected = subject.policy.status.rejected
    if rejected is None:
        raise Refusal(f"{subject.label} has withdrawn nothing that could be tried again")
    _same(subject.label, rejected, arguments.revision)
    if subject.policy.metadata.annotations.get(names.ANNOTATION_RELEASE) == rejected:
        # It was released once already, and withdrawn again: each release is used once, so it must be set anew.
        annotate(api, subject, body, {names.ANNOTATION_RELEASE: None}, lambda _: True)
        outcome(api, console, arguments.namespace, name, _PATIENCE, _forgotten)
        subject, body = read.subject(api, arguments.namespace, name)
    annotations = {names.ANNOTATION_RELEASE: rejected}
    annotate(api, subject, body, annotations, lambda now: now.policy.status.rejected == rejected)
    return rejected, f"{rejected} is tried again, from its first step"


def _forgotten(now: Subject) -> str | None:
    return "Forgotten" if now.policy.status.released is None else None


def _object(arguments: argparse.Namespace, api: Api, kind: Kind, name: str) -> tuple[str, str]:
    label = f"{kind.kind} {arguments.namespace}/{name}"
    guard = next(
        (each for each in read.subjects(api, arguments.namespace) if each.policy.spec.guards(kind.kind, name)), None
    )
    if guard is not None:
        policy = guard.policy.metadata.name
        raise Refusal(f"RolloutPolicy {policy} guards {label}: `release {policy}` tries again what it withdrew")
    for _ in range(3):
        body = api.get(kind, arguments.namespace, name)
        if body is None:
            raise Refusal(f"there is no {label}")
        held = held_content(body, label)
        _same(label, held, arguments.revision)
        try:
            api.annotate(kind, body, {names.ANNOTATION_RELEASE: held})
        except Conflict:
            continue
        return held, f"{held} of {label} is released: it serves everyone at once, since no RolloutPolicy guards it"
    raise Refusal(f"{label} changes faster than it can be annotated; try again")


def held_content(body: dict[str, object], label: str) -> str:
    """Return the content that an object without a guard holds back, as its condition says. Raises Refusal."""
    status = body.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    held = next((c for c in conditions if c.get("reason") == _REASON), None)
    if held is None:
        raise Refusal(f"{label} holds nothing back: no condition of it says {_REASON}")
    found = _HELD.search(held.get("message", ""))
    if found is None:
        raise Refusal(f"{label} does not say which content it holds; read its conditions and name it with --revision")
    return found.group(1)


def _same(label: str, held: str, named: str | None) -> None:
    if named not in (None, held):
        raise Refusal(f"{label} holds {held} back, not {named}")
