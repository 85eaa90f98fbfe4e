"""The Gemini API, as one object the server asks: routes, checks, answers."""

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.gemini import auth, models, refusals, reply, request
from headgate_dev.emulator.gemini.errors import RefusedError, json_answer, refusal_answer
from headgate_dev.emulator.prompts import InputUsage, input_usage
from headgate_dev.emulator.script import JsonObject
from headgate_dev.emulator.sse import compact_json
from headgate_dev.emulator.vendor import Answer, Call

_MODELS = re.compile(r"/v1(?:beta)?/models")
_METHOD = re.compile(r"/v1(?:beta)?/models/([^/:]+):(\w+)")
_ONE = re.compile(r"/v1(?:beta)?/models/([^/:]+)")


class Gemini:
    """generateContent (also streamed), countTokens and models, at ``/v1beta`` and at ``/v1``, which the SDK prefers since its
    version 3; it remembers only which prompt prefixes are cached.
    """

    def __init__(self, offered: Sequence[models.Model] = models.DEFAULT_MODELS) -> None:
        self._models = tuple(offered)
        self._cached: frozenset[str] = frozenset()

    def answer(self, call: Call, credentials: Credentials) -> Answer:
        """Return what the vendor answers to ``call``."""
        try:
            if call.oversized:
                raise RefusedError("INVALID_ARGUMENT", "Request payload size exceeds the limit: 33554432 bytes.")
            route = self._route(call)
            auth.admit(call, credentials)
            return route()
        except RefusedError as refused:
            return refusal_answer(refused)

    def refusal(self, call: Call, fault: Fault) -> Answer | None:
        """Return the answer that ``fault`` puts in the place of the vendor's own, if it does."""
        return refusals.refusal(call, fault)

    def stream_error(self, call: Call, fault: Fault) -> bytes:
        """Return what breaks off a stream: unavailable, or an internal error when the fault's status is 500."""
        status = "INTERNAL" if fault.status == 500 else "UNAVAILABLE"
        refused = RefusedError(status, fault.message or refusals.OVERLOADED_MESSAGE)
        return _event(refused.body()) if _as_sse(call) else b",\r\n" + compact_json(refused.body()) + b"]"

    def forget(self) -> None:
        """Empty the prompt cache."""
        self._cached = frozenset()

    def _route(self, call: Call) -> Callable[[], Answer]:
        path = unquote(call.path)
        if call.method == "GET" and _MODELS.fullmatch(path):
            return lambda: json_answer(models.page(self._models, call.query))
        if call.method == "GET" and (one := _ONE.fullmatch(path)):
            name = one[1]
            return lambda: json_answer(models.find(self._models, name).as_json())
        methods: dict[str, Callable[[Call, models.Model], Answer]] = {
            "generateContent": self._generate,
            "streamGenerateContent": self._stream,
            "countTokens": self._count_tokens,
        }
        if call.method == "POST" and (found := _METHOD.fullmatch(path)) and found[2] in methods:
            model, method = found[1], methods[found[2]]
            return lambda: method(call, models.find(self._models, model))
        raise RefusedError("NOT_FOUND", "Requested entity was not found.")

    def _generate(self, call: Call, model: models.Model) -> Answer:
        outline, answer = self._speak(call, model)
        return json_answer(reply.whole(outline, answer), headers=_timing())

    def _stream(self, call: Call, model: models.Model) -> Answer:
        outline, answer = self._speak(call, model)
        responses = list(reply.responses(outline, answer))
        if _as_sse(call):
            parts = tuple(_event(response) for response in responses)
            return Answer(200, (("content-type", "text/event-stream"), *_timing()), parts, streamed=True)
        return Answer(
            200, (("content-type", "application/json; charset=UTF-8"), *_timing()), _array(responses), streamed=True
        )

    def _count_tokens(self, call: Call, model: models.Model) -> Answer:
        body = request.parse(call.body)
        body = body.get("generateContentRequest", body)
        request.check(body, signs=model.signs)
        usage, _ = _input(model, body, frozenset())
        details = [{"modality": "TEXT", "tokenCount": usage.total}]
        return json_answer({"totalTokens": usage.total, "promptTokensDetails": details}, headers=_timing())

    def _speak(self, call: Call, model: models.Model) -> tuple[reply.Outline, reply.Reply]:
        body = request.parse(call.body)
        request.check(body, signs=model.signs)
        usage, self._cached = _input(model, body, self._cached)
        return reply.Outline(call.number, model, call.at, usage), reply.compose(body, model, call.number)


def _input(model: models.Model, body: JsonObject, cached: frozenset[str]) -> tuple[InputUsage, frozenset[str]]:
    return input_usage(model.id, [body.get("systemInstruction"), body.get("tools"), *body["contents"]], cached, step=1)


def _as_sse(call: Call) -> bool:
    return call.query.get("alt") == "sse" or call.query.get("$alt") == "sse"


def _event(value: JsonObject) -> bytes:
    """Return one event as Google frames it: no name, CRLF."""
    return b"data: " + compact_json(value) + b"\r\n\r\n"


def _array(responses: list[JsonObject]) -> tuple[bytes, ...]:
    """Return the parts of a JSON array that grows as the answer does: the form of a stream that is not SSE."""
    last = len(responses) - 1
    return tuple(
        (b"[" if at == 0 else b",\r\n") + compact_json(response) + (b"]" if at == last else b"")
        for at, response in enumerate(responses)
    )


def _timing() -> tuple[tuple[str, str], ...]:
    return (("server-timing", "gfet4t7; dur=12"), ("vary", "Origin, X-Origin, Referer"))
