"""The smoke test's result for a terminal."""

import json
from collections.abc import Sequence

from headgate_cli.smoke.ask import Trace, Wanted
from headgate_cli.view.style import Style, plain


def text(wanted: Wanted, traces: Sequence[Trace], style: Style) -> str:
    """Return a paragraph per request, and a last line that sums up."""
    out = [f"{style.bold('smoke test')} of {wanted.url}: model {wanted.model}, track {wanted.track or 'any'}"]
    out += [line for trace in traces for line in _trace(trace, style)]
    failed = sum(bool(trace.problems) for trace in traces)
    end = (
        style.bad(f"{failed} of {len(traces)} requests failed")
        if failed
        else style.good(f"{len(traces)} requests passed")
    )
    return "\n".join([*out, "", end])


def _trace(trace: Trace, style: Style) -> list[str]:
    probe = trace.probe
    mark = style.bad("✗") if trace.problems else style.good("✓")
    first = f", first byte {trace.first_byte_ms} ms" if probe.streamed and trace.first_byte_ms is not None else ""
    status = "no answer" if trace.status is None else trace.status
    out = ["", f"{mark} {probe.name}: {probe.method} {probe.path} → {status} ({trace.total_ms} ms{first})"]
    out += [f"    {name}: {plain(value)}" for name, value in trace.headers.items()]
    if trace.events:
        out.append(f"    {' → '.join(map(plain, trace.events))}")
    if trace.payload is not None:
        out.append(f"    {plain(json.dumps(trace.payload, ensure_ascii=False))}")
    return out + [f"    {style.bad('✗ ' + plain(problem))}" for problem in trace.problems]
