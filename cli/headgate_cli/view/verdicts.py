"""What analysis found: each metric with the canary's value, stable's, and the bound it is held to."""

from headgate_api.resources.rolloutspec import METRIC_UNITS, Metric
from headgate_api.resources.rolloutstatus import Verdict
from headgate_cli.rollout.subject import Subject
from headgate_cli.view.style import Style, plain, table


def lines(subject: Subject, style: Style, verdicts: tuple[Verdict, ...] | None = None) -> list[str]:
    """Return a table of verdicts (default: those of status); empty without any."""
    shown = subject.policy.status.verdicts if verdicts is None else verdicts
    if not shown:
        return []
    metrics = {each.name: each for each in (subject.spec.analysis.metrics if subject.spec.analysis else ())}
    rows = [["METRIC", "VERDICT", "CANARY", "STABLE", "BOUND", "SAMPLES", ""]]
    for verdict in shown:
        paint = {"Pass": style.good, "Fail": style.bad, "Insufficient": style.waits}[verdict.outcome]
        rows.append(
            [
                plain(verdict.metric),
                paint(verdict.outcome) + (" (dry run)" if verdict.dry_run else ""),
                value(verdict.metric, verdict.canary),
                value(verdict.metric, verdict.stable),
                bound(metrics.get(verdict.metric)),
                str(verdict.samples),
                plain(verdict.message) if verdict.outcome != "Pass" else "",
            ]
        )
    return table(rows, indent="  ")


def value(metric: str, number: float | None) -> str:
    """Return a number with the metric's unit; ``-`` for none."""
    return "-" if number is None else f"{_number(number)} {METRIC_UNITS.get(metric, '')}".rstrip()


def bound(metric: Metric | None) -> str:
    """Return what the canary must not exceed."""
    if metric is None:
        return ""
    parts = [] if metric.max is None else [f"≤ {value(metric.name, metric.max)}"]
    parts += [] if metric.max_ratio is None else [f"≤ {_number(metric.max_ratio)}x stable"]
    return ", ".join(parts)


def _number(number: float) -> str:
    return f"{number:.0f}" if number == int(number) or abs(number) >= 1000 else f"{number:.3g}"
