"""OpenAI's API and the Codex backend, as one object the server asks: routes, checks, answers."""

from collections.abc import Callable, Sequence

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.openai import auth, chat, checks, codex, limits, models, refusals, response
from headgate_dev.emulator.openai.errors import RefusedError, base, json_answer, refusal_answer
from headgate_dev.emulator.openai.fields import CHAT, RESPONSES
from headgate_dev.emulator.openai.input_items import check, items, turn
from headgate_dev.emulator.openai.reply import Reply, compose
from headgate_dev.emulator.prompts import InputUsage, input_usage
from headgate_dev.emulator.script import JsonObject, Turn
from headgate_dev.emulator.sse import frame
from headgate_dev.emulator.vendor import Answer, Call, Headers

_Route = Callable[[Call, Credentials], Answer]
_STREAM = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


class OpenAI:
    """Responses, chat completions, models, and the Codex backend.

    It remembers which prompt prefixes are cached, and the conversations of responses (``previous_response_id``).
    """

    def __init__(self, offered: Sequence[models.Model] = models.DEFAULT_MODELS) -> None:
        self._models = tuple(offered)
        self._cached: frozenset[str] = frozenset()
        self._stored: dict[str, list[JsonObject]] = {}

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor answers to ``call``."""
        try:
            if call.oversized:
                raise RefusedError(413, "The request is too large.", code="request_too_large")
            return self._route(call)(call, credentials)
        except RefusedError as refused:
            return refusal_answer(call.request_id, refused)

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return the answer that ``fault`` puts in the place of the vendor's own, if it does."""
        return refusals.refusal(call, fault, codex=call.path.startswith(codex.PREFIX))

    def stream_error(self, call: Call, fault: Fault) -> bytes:
        """Return the event that breaks off a stream: a server's error, or a rate limit when the fault's status is 429."""
        limited = fault.status == 429
        code = "rate_limit_exceeded" if limited else "server_error"
        message = fault.message or (refusals.OVERLOADED_MESSAGE if not limited else "Rate limit reached")
        if call.path.startswith("/v1/chat/"):
            return chat.error(message, code if limited else None, "requests" if limited else "server_error")
        body = checks.parse(call.body)
        model = models.find(self._models, body.get("model"))
        outline = response.Outline(call.number, body, model.id if model else str(body.get("model")), call.at)
        return frame(response.failed(outline, fault.after_events or 0, code, message))

    def forget(self) -> None:
        """Empty the prompt cache and drop the stored conversations."""
        self._cached = frozenset()
        self._stored.clear()

    def _route(self, call: Call) -> _Route:
        routes: dict[tuple[str, str], _Route] = {
            ("POST", "/v1/responses"): self._responses,
            ("POST", "/v1/chat/completions"): self._chat,
            ("GET", "/v1/models"): self._list_models,
            ("POST", codex.RESPONSES): self._codex,
            ("GET", codex.USAGE): codex.usage,
        }
        if found := routes.get((call.method, call.path)):
            return found
        if call.method == "GET" and call.path.startswith("/v1/models/"):
            return self._get_model
        if any(path == call.path for _, path in routes):
            raise RefusedError(405, f"Not allowed to {call.method} on {call.path}.", code="method_not_supported")
        raise RefusedError(404, f"Invalid URL ({call.method} {call.path})")

    def _responses(self, call: Call, credentials: Credentials) -> Answer:
        auth.admit_key(call.headers, credentials)
        body = checks.parse(call.body)
        checks.known_fields(body, RESPONSES)
        name = checks.require(body, "model", str)
        model = models.find(self._models, name)
        if model is None:
            raise models.unknown(name, 400)
        checks.at_least(body, "max_output_tokens", 16)
        return self._respond(call, body, model, lambda usage: limits.for_api_key(usage.total))

    def _codex(self, call: Call, credentials: Credentials) -> Answer:
        plan = codex.admit(call, credentials)
        body = checks.parse(call.body)
        codex.check(body)
        model = models.find(self._models, body.get("model"))
        if model is None or not model.codex:
            raise codex.unsupported_model(body.get("model"))
        if plan.full:
            raise limits.used_up(plan, call.at)
        return self._respond(call, body, model, lambda _: limits.for_plan(plan, call.at))

    def _respond(
        self, call: Call, body: JsonObject, model: models.Model, told: Callable[[InputUsage], Headers]
    ) -> Answer:
        conversation = [*self._conversation(body), *items(body)]
        check(conversation)
        reply = self._compose(call, turn(body, conversation), body, model, body.get("max_output_tokens"))
        usage = self._count(model, [body.get("instructions"), body.get("tools"), *conversation])
        outline = response.Outline(call.number, body, model.id, call.at)
        finished = response.whole(outline, reply, usage)
        if body.get("store") is not False:
            self._stored[outline.id] = [*conversation, *finished["output"]]
        if not body.get("stream"):
            return json_answer(call.request_id, finished, headers=told(usage))
        parts = tuple(frame(event) for event in response.events(outline, reply, usage))
        return Answer(200, (*_STREAM, *base(call.request_id), *told(usage)), parts, streamed=True)

    def _chat(self, call: Call, credentials: Credentials) -> Answer:
        auth.admit_key(call.headers, credentials)
        body = checks.parse(call.body)
        checks.known_fields(body, CHAT)
        name = checks.require(body, "model", str)
        model = models.find(self._models, name)
        if model is None:
            raise models.unknown(name)
        if body.get("stream_options") is not None and not body.get("stream"):
            raise checks.invalid(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
            )
        room = body.get("max_completion_tokens") or body.get("max_tokens")
        reply = self._compose(call, chat.turn(body), body, model, room, chat.stops(body))
        usage = self._count(model, [body.get("tools"), *body["messages"]])
        outline = response.Outline(call.number, body, model.id, call.at)
        headers = limits.for_api_key(usage.total)
        if not body.get("stream"):
            return json_answer(call.request_id, chat.whole(outline, reply, usage), headers=headers)
        parts = tuple(chat.chunks(outline, reply, usage))
        return Answer(200, (*_STREAM, *base(call.request_id), *headers), parts, streamed=True)

    def _list_models(self, call: Call, credentials: Credentials) -> Answer:
        auth.admit_key(call.headers, credentials)
        return json_answer(call.request_id, models.page(self._models))

    def _get_model(self, call: Call, credentials: Credentials) -> Answer:
        auth.admit_key(call.headers, credentials)
        name = call.path.removeprefix("/v1/models/")
        model = models.find(self._models, name)
        if model is None:
            raise models.unknown(name)
        return json_answer(call.request_id, model.as_json())

    def _conversation(self, body: JsonObject) -> list[JsonObject]:
        """Return what ``previous_response_id`` stands for."""
        previous = body.get("previous_response_id")
        if previous is None:
            return []
        if previous not in self._stored:
            message = f"Previous response with id '{previous}' not found."
            raise RefusedError(400, message, code="previous_response_not_found", param="previous_response_id")
        return self._stored[previous]

    def _compose(
        self,
        call: Call,
        steered: Turn,
        body: JsonObject,
        model: models.Model,
        room: int | None,
        stops: tuple[str, ...] = (),
    ) -> Reply:
        effort = (body.get("reasoning") or {}).get("effort", body.get("reasoning_effort"))
        reasons = model.reasons and (bool(body.get("reasoning")) or effort is not None) and effort != "none"
        return compose(steered, call.number, reasons=reasons, room=room, stops=stops)

    def _count(self, model: models.Model, parts: list[object]) -> InputUsage:
        usage, self._cached = input_usage(model.id, parts, self._cached)
        return usage
