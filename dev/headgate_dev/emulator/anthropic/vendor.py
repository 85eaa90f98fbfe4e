"""Anthropic's API, as one object the server asks: routes, checks, answers."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime

from headgate_dev.emulator.anthropic import auth, limits, message, models, refusals, request
from headgate_dev.emulator.anthropic.errors import RefusedError, error_event, json_answer, refusal_answer
from headgate_dev.emulator.anthropic.reply import compose
from headgate_dev.emulator.anthropic.usage import InputUsage, input_usage
from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.plans import PlanReading
from headgate_dev.emulator.script import JsonObject
from headgate_dev.emulator.sse import frame
from headgate_dev.emulator.vendor import Answer, Call, Headers

_Route = Callable[[Call, PlanReading | None], Answer]


class Anthropic:
    """Messages, token counting, models and a plan's usage; it remembers only which prompt prefixes are cached."""

    def __init__(self, offered: Sequence[models.Model] = models.DEFAULT_MODELS) -> None:
        self._models = tuple(offered)
        self._cached: frozenset[str] = frozenset()

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor answers to ``call``."""
        try:
            if call.oversized:
                raise RefusedError("request_too_large", "Request exceeds the maximum size")
            route = self._route(call)
            auth.admit(call.headers, credentials)
            return route(call, self._plan(call, credentials))
        except RefusedError as refused:
            return refusal_answer(call.request_id, refused)

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return the answer that ``fault`` puts in the place of the vendor's own, if it does."""
        return refusals.refusal(call, fault)

    def stream_error(self, call: Call, fault: Fault) -> bytes:
        """Return the event that breaks off a stream: overloaded unless the fault's message or status say otherwise."""
        kind = "api_error" if fault.status == 500 else "overloaded_error"
        return error_event(kind, fault.message or "Overloaded", call.request_id)

    def forget(self) -> None:
        """Empty the prompt cache."""
        self._cached = frozenset()

    def _plan(self, call: Call, credentials: Credentials) -> PlanReading | None:
        who = credentials.identify(call.headers)
        return credentials.plan(who[1]).at(call.at) if who is not None and who[0] == "oauth" else None

    def _route(self, call: Call) -> _Route:
        routes: dict[tuple[str, str], _Route] = {
            ("POST", "/v1/messages"): self._messages,
            ("POST", "/v1/messages/count_tokens"): self._count_tokens,
            ("GET", "/v1/models"): self._list_models,
            ("GET", "/api/oauth/usage"): self._usage,
        }
        if found := routes.get((call.method, call.path)):
            return found
        if call.method == "GET" and call.path.startswith("/v1/models/"):
            return self._get_model
        if any(path == call.path for _, path in routes):
            raise RefusedError("invalid_request_error", "Method Not Allowed", 405)
        raise RefusedError("not_found_error", "Not Found")

    def _messages(self, call: Call, plan: PlanReading | None) -> Answer:
        body = request.parse(call.body)
        model = self._checked(call, body, counting=False)
        if plan is not None and plan.full:
            raise _used_up(plan, call.at)
        usage, self._cached = input_usage(body, self._cached)
        reply = compose(body, call.number)
        message_id = f"msg_emulated_{call.number:06d}"
        headers = _limits(call.at, plan, usage, reply.output_tokens)
        if not body.get("stream"):
            return json_answer(call.request_id, message.whole(message_id, model.id, reply, usage), headers=headers)
        parts = tuple(frame(event) for event in message.events(message_id, model.id, reply, usage))
        base = (
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("request-id", call.request_id),
        )
        return Answer(200, (*base, *headers), parts, streamed=True)

    def _count_tokens(self, call: Call, plan: PlanReading | None) -> Answer:
        body = request.parse(call.body)
        self._checked(call, body, counting=True)
        usage, _ = input_usage(body, frozenset())
        return json_answer(call.request_id, {"input_tokens": usage.total}, headers=_limits(call.at, plan, usage, 0))

    def _usage(self, call: Call, plan: PlanReading | None) -> Answer:
        if plan is None:
            raise RefusedError("authentication_error", "OAuth authentication is required for this endpoint")
        return json_answer(call.request_id, limits.usage_page(plan))

    def _list_models(self, call: Call, _: PlanReading | None) -> Answer:
        return json_answer(call.request_id, models.page(self._models, call.query))

    def _get_model(self, call: Call, _: PlanReading | None) -> Answer:
        name = call.path.removeprefix("/v1/models/")
        return json_answer(call.request_id, models.find(self._models, name).as_json())

    def _checked(self, call: Call, body: JsonObject, *, counting: bool) -> models.Model:
        lenient = bool(auth.betas(call.headers)) or call.query.get("beta") == "true"
        name = body.get("model")
        known = models.find(self._models, name) if isinstance(name, str) else None
        request.check(
            body,
            counting=counting,
            lenient=lenient,
            version=call.headers["anthropic-version"],
            max_tokens_limit=known.max_tokens if known else None,
        )
        if known is None:
            raise RefusedError("invalid_request_error", "model: Field required")
        return known


def _limits(now: datetime, plan: PlanReading | None, usage: InputUsage, output: int) -> Headers:
    if plan is not None:
        return limits.for_oauth(plan)
    used = {"requests": 1, "tokens": usage.total + output, "input-tokens": usage.total, "output-tokens": output}
    return limits.for_api_key(now, used)


def _used_up(plan: PlanReading, now: datetime) -> RefusedError:
    wait = math.ceil((plan.binding.resets_at - now).total_seconds())
    headers = (("retry-after", str(wait)), *limits.for_oauth(plan))
    return RefusedError("rate_limit_error", refusals.LIMITED_MESSAGE, headers=headers)
