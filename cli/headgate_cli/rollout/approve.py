"""``approve POLICY``: show what is agreed to, ask, say so to the API server in one's own name, and tell what came of it."""

import argparse
from typing import Any, Final

from headgate_api import names
from headgate_cli import command
from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import REFUSED, Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.annotate import annotate, outcome
from headgate_cli.rollout.subject import Subject
from headgate_cli.view import changes, verdicts
from headgate_cli.view.style import plain

COUNTED: Final = "Counted"
ONE_MORE: Final = "AnotherApproverNeeded"
IGNORED: Final = "Ignored"
MOVED_ON: Final = "MovedOn"
PENDING: Final = "Pending"


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "approve", "Agree to the step that a rollout waits at. Needs the verb approve on the policy."
    )
    parser.add_argument("policy", metavar="POLICY")
    consent = parser.add_mutually_exclusive_group()
    consent.add_argument(
        "--revision", metavar="REVISION/STEP", help="exactly what you agree to; refused when something else is awaited"
    )
    consent.add_argument(
        "-y", "--yes", action="store_true", help="agree to whatever is awaited now, without being asked"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for the operator's answer (default: 5)",
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Approve what is awaited."""
    subject, body = read.subject(api, arguments.namespace, arguments.policy)
    awaited = _awaited(subject, arguments.revision)
    me = api.user()
    if me in [record.by for record in subject.approved]:
        raise Refusal(f"you ({me}) have approved {awaited} already; somebody else must agree too")
    console.say(shown(subject, _changes(api, subject), console))
    _consent(arguments, console, awaited)
    annotations = {names.ANNOTATION_APPROVE: awaited, names.ANNOTATION_APPROVED_BY: me}
    if annotations.items() <= subject.policy.metadata.annotations.items():
        subject, body = _taken_back(arguments, api, console, subject, body)
    annotate(api, subject, body, annotations, lambda now: now.awaited == awaited)
    for warning in api.warnings:
        console.warn(f"warning: {warning}")
    where = (arguments.namespace, arguments.policy)
    word = outcome(api, console, *where, arguments.wait, lambda now: judge(now, awaited, me)) or PENDING
    subject, _ = read.subject(api, *where)
    message = said(word, subject, awaited, arguments.wait)
    console.say(message)
    console.emit({"approve": awaited, "by": me, "outcome": word, "message": message})
    return REFUSED if word in (IGNORED, MOVED_ON) else 0


def _awaited(subject: Subject, named: str | None) -> str:
    """Return what is to be approved. Raises Refusal when nothing is awaited, or not what was named."""
    status = subject.policy.status
    if status.rollout is None or status.step is None:
        stable = status.stable_revision or "nothing yet"
        withdrawn = f"; {status.rejected} was withdrawn, `release` tries it again" if status.rejected else ""
        raise Refusal(f"{subject.label} awaits no approval: no rollout is under way, stable is {stable}{withdrawn}")
    if subject.awaited is None:
        step = status.step
        raise Refusal(
            f"{subject.label} awaits no approval: {status.rollout.revision} is at step {step.index} ({step.kind}), {step.reason}. "
            f"{step.next_action}"
        )
    if named is not None and named != subject.awaited:
        raise Refusal(
            f"{subject.label} awaits {subject.awaited}, not {named}; look with `status` at what is under way now"
        )
    return subject.awaited


def _changes(api: Api, subject: Subject) -> dict[str, Any]:
    """Return {kind/name: (stable data, candidate data)} of the rollout's targets; None where it cannot be read."""
    rollout, namespace = subject.policy.status.rollout, subject.policy.metadata.namespace
    found: dict[str, Any] = {}
    for target in rollout.targets if rollout else ():
        stable, candidate = (
            read.revision_data(api, namespace, target.kind, target.name, revision)
            for revision in (target.stable, target.candidate)
        )
        found[f"{target.kind}/{target.name}"] = (stable, candidate)
    return found


def shown(subject: Subject, data: dict[str, tuple[Object | None, Object | None]], console: Console) -> str:
    """Return what is approved: targets with their changes, authors, what to look at, verdicts so far."""
    status, rollout, style = subject.policy.status, subject.policy.status.rollout, console.style
    authors = ", ".join(map(plain, rollout.authors if rollout else ())) or "nobody known"
    out = [f"{style.bold(subject.awaited or '')} of {subject.label}: a change by {authors}"]
    if subject.step is not None and subject.step.approval is not None and subject.step.approval.description:
        out.append(f"  look at: {plain(subject.step.approval.description)}")
    for target in rollout.targets if rollout else ():
        label = f"{target.kind}/{target.name}"
        stable, candidate = data.get(label, (None, None))
        out.append(f"  {label}: {target.stable or 'nothing yet'} → {target.candidate}")
        if candidate is None or (stable is None and target.stable is not None):
            out.append("    its revisions cannot be read (you may lack get on controllerrevisions.apps)")
        else:
            out += changes.lines(changes.changes(stable, candidate), style)
    out += _coming(subject)
    if found := verdicts.lines(subject, style):
        out += ["  verdicts so far", *found]
    given = [record.by for record in subject.approved]
    if subject.approvals_needed > 1:
        out.append(f"  two people must agree; so far: {plain(', '.join(given)) or 'nobody'}")
    if names.ANNOTATION_PAUSE in subject.policy.metadata.annotations:
        out.append(f"  {style.waits('paused')}: an approval opens the step only after `resume`")
    out.append(f"  now {status.weight} % of the requests")
    return "\n".join(out)


def _coming(subject: Subject) -> list[str]:
    """Return what the approval opens: the steps up to the next approval."""
    at = subject.policy.status.step
    coming = []
    for step in subject.spec.steps[at.index + 1 if at else 0 :]:
        if step.kind == "Approval":
            break
        coming.append(f"{step.weight} %" if step.kind == "Weight" else "audience")
    return [f"  opens: {' → '.join(coming)}"] if coming else []


def _consent(arguments: argparse.Namespace, console: Console, awaited: str) -> None:
    if arguments.yes or arguments.revision is not None:
        return
    if console.ask is None:
        raise Refusal(
            f"nobody can be asked here; agree with --revision {awaited}, or with --yes to whatever is awaited then", 2
        )
    if not console.confirmed(f"Approve {awaited}?"):
        raise Refusal("nothing was approved")


def _taken_back(
    arguments: argparse.Namespace, api: Api, console: Console, subject: Subject, body: Object
) -> tuple[Subject, Object]:
    """Remove an approval that stands already and was ignored: it is judged again only when it is set anew."""
    removed = dict.fromkeys((names.ANNOTATION_APPROVE, names.ANNOTATION_APPROVED_BY))
    annotate(api, subject, body, removed, lambda _: True)
    where = (arguments.namespace, arguments.policy)
    outcome(api, console, *where, arguments.wait, lambda now: None if now.policy.status.ignored_approval else PENDING)
    return read.subject(api, *where)


def judge(now: Subject, awaited: str, me: str) -> str | None:
    """Return what became of the approval; None while nothing has."""
    revision, _, step = awaited.rpartition("/")
    status = now.policy.status
    ended = next((entry for entry in status.history if entry.revision == revision), None)
    records = status.rollout.approvals if status.rollout and status.rollout.revision == revision else ()
    records = ended.approvals if ended is not None else records
    if any((record.revision, str(record.step), record.by) == (revision, step, me) for record in records):
        return ONE_MORE if now.awaited == awaited and len(now.approved) < now.approvals_needed else COUNTED
    ignored = status.ignored_approval
    if ignored is not None and ignored.approve == awaited and ignored.by in (me, None):
        return IGNORED
    return None if now.awaited == awaited else MOVED_ON


def said(word: str, now: Subject, awaited: str, seconds: float) -> str:
    """Return the outcome as a sentence."""
    status = now.policy.status
    if word == COUNTED:
        then = f"; it is at step {status.step.index} now: {status.step.reason}" if status.step else ""
        return f"approved {awaited}{then}"
    if word == ONE_MORE:
        return f"your approval of {awaited} counts; one more person must approve it"
    if word == IGNORED and status.ignored_approval is not None:
        return f"your approval of {awaited} does not count: {status.ignored_approval.reason}, {status.ignored_approval.message}"
    if word == MOVED_ON:
        return f"{awaited} is not awaited any more, and your approval is not on record; look with `status`"
    return (
        f"the approval of {awaited} is set, but the operator has not taken it up within {seconds:g} s; follow it with "
        "`status -w`, and see whether the operator runs if it stays so"
    )
