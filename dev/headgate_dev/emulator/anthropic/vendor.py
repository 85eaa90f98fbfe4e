"""Anthropic's API, as one object the server asks: routes, checks, answers."""

from collections.abc import Callable, Sequence

from headgate_dev.emulator.anthropic import auth, limits, message, models, refusals, request
from headgate_dev.emulator.anthropic.blocks import JsonObject
from headgate_dev.emulator.anthropic.errors import RefusedError, error_event, json_answer, refusal_answer
from headgate_dev.emulator.anthropic.reply import compose
from headgate_dev.emulator.anthropic.usage import InputUsage, input_usage
from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.sse import frame
from headgate_dev.emulator.vendor import Answer, Call, Headers


class Anthropic:
    """Messages, token counting and models; it remembers only which prompt prefixes are cached."""

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
            return route(call)
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

    def _route(self, call: Call) -> Callable[[Call], Answer]:
        routes: dict[tuple[str, str], Callable[[Call], Answer]] = {
            ("POST", "/v1/messages"): self._messages,
            ("POST", "/v1/messages/count_tokens"): self._count_tokens,
            ("GET", "/v1/models"): self._list_models,
        }
        if found := routes.get((call.method, call.path)):
            return found
        if call.method == "GET" and call.path.startswith("/v1/models/"):
            return self._get_model
        if any(path == call.path for _, path in routes):
            raise RefusedError("invalid_request_error", "Method Not Allowed", 405)
        raise RefusedError("not_found_error", "Not Found")

    def _messages(self, call: Call) -> Answer:
        body = request.parse(call.body)
        model = self._checked(call, body, counting=False)
        usage, self._cached = input_usage(body, self._cached)
        reply = compose(body, call.number)
        message_id = f"msg_emulated_{call.number:06d}"
        headers = self._limits(call, usage, reply.output_tokens)
        if not body.get("stream"):
            return json_answer(call.request_id, message.whole(message_id, model.id, reply, usage), headers=headers)
        parts = tuple(frame(event) for event in message.events(message_id, model.id, reply, usage))
        base = (
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("request-id", call.request_id),
        )
        return Answer(200, (*base, *headers), parts, streamed=True)

    def _count_tokens(self, call: Call) -> Answer:
        body = request.parse(call.body)
        self._checked(call, body, counting=True)
        usage, _ = input_usage(body, frozenset())
        return json_answer(call.request_id, {"input_tokens": usage.total}, headers=self._limits(call, usage, 0))

    def _list_models(self, call: Call) -> Answer:
        return json_answer(call.request_id, models.page(self._models, call.query))

    def _get_model(self, call: Call) -> Answer:
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

    def _limits(self, call: Call, usage: InputUsage, output: int) -> Headers:
        if call.credential_kind == "oauth":
            return limits.for_oauth(call.at)
        used = {"requests": 1, "tokens": usage.total + output, "input-tokens": usage.total, "output-tokens": output}
        return limits.for_api_key(call.at, used)
