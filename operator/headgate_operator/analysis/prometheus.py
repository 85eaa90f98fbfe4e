"""Metrics of a policy's own: PromQL, asked of the one Prometheus that the installation names.

Whatever goes wrong is an ``Answer`` without a value and with the reason, never an exception: analysis then has too little data,
and status says why. https://prometheus.io/docs/prometheus/latest/querying/api/ describes the interface.
"""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from headgate_api.redaction import Redactor
from headgate_api.resources.rolloutspec import Analysis
from headgate_operator.analysis.windows import Answer

DEADLINE_SECONDS: Final = 5.0
MOST_BYTES: Final = 64 * 1024
"""Of a response: one number, with the labels it may carry, is far below that."""
_LONGEST_QUOTE: Final = 300
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(policy|revision|step)\s*\}\}")
_SPECIAL: Final = re.compile(r"""["'`\\\x00-\x1f\x7f]""")
_SETTING: Final = "prometheus.address in the chart's values (HEADGATE_PROMETHEUS_ADDRESS of the operator)"


class Prometheus:
    """Asks the Prometheus at ``address`` (its base URL; None: the installation names none)."""

    def __init__(self, address: str | None, redactor: Redactor, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._address = address
        self._redactor = redactor
        self._deadline = deadline

    def unsupported(self, analysis: Analysis | None) -> tuple[str, ...]:
        """Return what a policy asks for in vain, in sentences: queries without a Prometheus to ask."""
        if self._address is not None or analysis is None:
            return ()
        return tuple(
            f"spec.analysis.metrics: {metric.name} has a query, but the installation names no Prometheus; set {_SETTING}, or "
            "remove the metric"
            for metric in analysis.metrics
            if metric.query is not None
        )

    async def answers(self, analysis: Analysis | None, policy: str, revision: str, step: int) -> Mapping[str, Answer]:
        """Return what the metrics that have a query yield now, by name; all are asked at once, within the deadline.

        ``policy`` is namespace/name. Worth calling only when a verdict is due.
        """
        queries = {m.name: m.query for m in analysis.metrics if m.query is not None} if analysis is not None else {}
        if not queries:
            return {}
        if self._address is None:
            return {name: Answer(None, f"the installation names no Prometheus; set {_SETTING}") for name in queries}
        timeout = aiohttp.ClientTimeout(total=self._deadline)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            asked = {
                name: group.create_task(self._ask(session, self._address, fill(query, policy, revision, step)))
                for name, query in queries.items()
            }
        return {name: task.result() for name, task in asked.items()}

    async def _ask(self, session: aiohttp.ClientSession, address: str, query: str) -> Answer:
        """Ask one instant query."""
        form = {"query": query, "timeout": f"{math.ceil(self._deadline)}s"}
        try:
            async with session.post(f"{address}/api/v1/query", data=form, allow_redirects=False) as response:
                status = response.status
                body = await _bounded(response)
        except TimeoutError:
            return Answer(None, f"Prometheus did not answer within {self._deadline:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(None, f"Prometheus cannot be asked: {self._quoted(str(error) or type(error).__name__)}")
        if body is None:
            return Answer(
                None, f"Prometheus answered with more than {MOST_BYTES} bytes; make the query yield one number"
            )
        answer = read(status, body)
        return answer if answer.problem is None else Answer(None, self._quoted(answer.problem))

    def _quoted(self, text: str) -> str:
        """Return a text from outside, fit for status."""
        masked = " ".join(self._redactor.redact(text).split())
        return masked if len(masked) <= _LONGEST_QUOTE else masked[: _LONGEST_QUOTE - 1] + "…"


def fill(query: str, policy: str, revision: str, step: int) -> str:
    """Put a rollout into a query template; a value can never end the quotes it stands in."""
    values = {"policy": policy, "revision": revision, "step": str(step)}
    return _PLACEHOLDER.sub(lambda match: _escaped(values[match[1]]), query)


def _escaped(value: str) -> str:
    # By number, since PromQL knows each quote's own escape only inside that sort of quotes.
    return _SPECIAL.sub(lambda match: f"\\x{ord(match[0]):02x}", value)


def read(status: int, body: bytes) -> Answer:
    """Read the response to an instant query: a scalar, or a vector of one element, that is a finite number."""
    try:
        response = json.loads(body)
        kind = response["status"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Answer(None, f"what answers with {status} at the address is no Prometheus; correct {_SETTING}")
    if kind != "success":
        return Answer(None, f"Prometheus refuses the query: {response.get('errorType')}: {response.get('error')}")
    try:
        return _single(response["data"])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return Answer(None, "Prometheus answered in a form that is not known here; make the query yield one number")


def _single(data: Mapping[str, Any]) -> Answer:
    kind, result = data["resultType"], data["result"]
    if kind == "vector":
        if not result:
            return Answer(None, "the query found nothing; is the metric scraped, and do its labels fit?")
        if len(result) > 1:
            return Answer(None, f"the query yields {len(result)} series; aggregate them to one, for example with sum()")
        if "value" not in result[0]:
            return Answer(None, "the query yields a histogram; make it a number, for example with histogram_quantile()")
        sample = result[0]["value"]
    elif kind == "scalar":
        sample = result
    else:
        return Answer(None, f"the query yields a {kind}; make it one number, without a range")
    value = float(sample[1])
    if not math.isfinite(value):
        return Answer(None, f"the query yields {sample[1]}, as a division by zero does: there is too little data yet")
    return Answer(value)


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, or None where it is too long."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
