"""Setting an annotation on exactly what was read: when it changed meanwhile, look and decide again."""

from collections.abc import Callable, Mapping
from typing import Final

from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.rollout.subject import Subject
from headgate_runtime.kube_errors import Conflict
from headgate_runtime.kube_kinds import ROLLOUT_POLICY

_ATTEMPTS: Final = 6
"""Verdicts move a policy's resourceVersion every few seconds; a conflict more often than this is no coincidence."""


def annotate(
    api: Api, seen: Subject, body: Object, annotations: Mapping[str, str | None], still: Callable[[Subject], bool]
) -> None:
    """Set the annotations (None: remove) while ``still`` holds of the policy. Raises Refusal, KubeError."""
    for _ in range(_ATTEMPTS):
        try:
            api.annotate(ROLLOUT_POLICY, body, annotations)
        except Conflict:
            metadata = seen.policy.metadata
            seen, body = read.subject(api, metadata.namespace, metadata.name)
            if not still(seen):
                raise Refusal(f"{seen.label} moved on while you decided; look again with `status`") from None
        else:
            return
    raise Refusal(f"{seen.label} changes faster than it can be annotated; try again")


def outcome(
    api: Api, console: Console, namespace: str, name: str, seconds: float, judge: Callable[[Subject], str | None]
) -> str | None:
    """Look at the policy until ``judge`` has a word for what became of it, for ``seconds`` at most; None: nothing yet."""
    begun = console.clock.monotonic()
    while True:
        subject, _ = read.subject(api, namespace, name)
        word = judge(subject)
        if word is not None or console.clock.monotonic() - begun >= seconds:
            return word
        console.sleep(0.2)
