"""``headgate smoke`` against a gate that behaves, and one that does not: codes, headers, events, and no content."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate_api.redaction import Redactor
from headgate_cli.main import main
from headgate_cli.smoke import sse
from headgate_cli.smoke.redact import redact
from headgate_dev.emulator import EmulatorThread

from . import objects
from .gate import MODEL, ROLLOUT, TOKEN, Gate, GateThread
from .guarded import Guarded

_START: dict[str, Any] = {
    "type": "message_start",
    "message": {"type": "message", "role": "assistant", "usage": {"input_tokens": 1}},
}
_DELTA: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
_STOP = {"type": "message_stop"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[EmulatorThread]:
    with EmulatorThread() as running:
        yield running


@pytest.fixture
def gate(vendor: EmulatorThread) -> Iterator[Gate]:
    with GateThread(vendor) as running:
        yield running.inside


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def smoke(gate: Gate, token_file: Path, *arguments: str) -> int:
    return main(["smoke", "--url", gate.url, "--token-file", str(token_file), "--model", MODEL, *arguments])


def test_a_canary_that_behaves_passes_and_shows_codes_headers_and_events(
    gate: Gate, token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(gate, token_file) == 0
    out = capsys.readouterr().out
    assert [line[:1] for line in out.splitlines() if " → " in line and "/v1/" in line] == ["✓"] * 6
    assert "✓ bad request: POST /v1/messages → 400" in out
    assert f"x-headgate-rollout: {ROLLOUT}" in out
    assert "x-headgate-auth-mode: APIKey" in out
    assert "message_start → content_block_start → " in out
    assert "message_delta → message_stop" in out
    assert out.endswith("6 requests passed\n")


def test_neither_content_nor_credentials_are_shown(
    gate: Gate, token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(gate, token_file, "-o", "json") == 0
    out = capsys.readouterr().out
    assert "Say hello" not in out  # the emulated model repeats the prompt
    assert "Basel" not in out
    assert TOKEN not in out
    assert "session=secret" not in out
    message = next(each for each in json.loads(out)["requests"] if each["name"] == "message")
    assert message["payload"]["content"][0] == {"type": "text", "text": "<42 characters>"}
    assert message["payload"]["usage"]["output_tokens"] > 0


def test_an_answer_from_stable_fails_and_says_what_to_look_at(
    gate: Gate, token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.track = "stable"
    assert smoke(gate, token_file) == 1
    out = capsys.readouterr().out
    assert "x-headgate-track is stable, not canary: the caller must be in the audience" in out
    assert "5 of 6 requests failed" in out
    assert smoke(gate, token_file, "--track", "stable") == 0
    assert smoke(gate, token_file, "--track", "any") == 0


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (b"event: message_stop", b"event: message_end", "carries data of another type"),
        (b'"type": "tool_use"', b'"type": "text"', "one call of get_water_level"),
        (b"invalid_request_error", b"api_error", "error.type is api_error"),
        (b'"input_tokens"', b'"tokens"', "input_tokens is no"),
    ],
)
def test_answers_that_are_not_the_vendors_shape_fail(
    gate: Gate,
    token_file: Path,
    capsys: pytest.CaptureFixture[str],
    before: bytes,
    after: bytes,
    problem: str,
) -> None:
    gate.spoil = lambda body: body.replace(before, after).replace(before.replace(b": ", b":"), after)
    assert smoke(gate, token_file) == 1
    assert problem in capsys.readouterr().out


def test_no_answer_and_a_refused_token_are_results_not_crashes(
    gate: Gate, token_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token_file.write_text("another")
    assert smoke(gate, token_file) == 1
    assert "status 401, not 200" in capsys.readouterr().out
    assert main(["smoke", "--url", "http://127.0.0.1:1", "--token-file", str(token_file), "--model", MODEL]) == 1
    assert "no whole answer: ConnectError" in capsys.readouterr().out


def test_what_is_missing_on_the_command_line_is_said(
    gate: Gate, token_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(gate, tmp_path / "none") == 2
    assert "--token-file" in capsys.readouterr().err
    assert smoke(gate, token_file, "--ca-file", str(tmp_path / "none")) == 2
    assert "--ca-file" in capsys.readouterr().err


def test_with_a_policy_the_answers_must_come_from_its_rollout(
    gate: Gate, token_file: Path, guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("smoke", "careful", "--url", gate.url, "--token-file", str(token_file), "--model", MODEL)
    assert guarded.run(*arguments) == 1
    assert (
        f"x-headgate-rollout is {ROLLOUT}, not {guarded.namespace}/careful@{objects.REVISION}"
        in capsys.readouterr().out
    )
    guarded.write(objects.idle())
    assert guarded.run(*arguments) == 1
    assert "there is no canary to ask" in capsys.readouterr().err


def events(*data: dict[str, Any]) -> list[sse.Event]:
    return [sse.Event(str(each["type"]), each) for each in data]


class TestOrder:
    def test_the_promised_order_with_pings_has_no_problem(self) -> None:
        block = [{"type": f"content_block_{part}", "index": 0} for part in ("start", "delta", "delta", "stop")]
        assert sse.problems(events(_START, {"type": "ping"}, *block, _DELTA, _STOP)) == []

    @pytest.mark.parametrize(
        ("wrong", "problem"),
        [
            ([_START, _START, _DELTA, _STOP], "message_start (index None) came where it must not"),
            ([_START, {"type": "content_block_delta", "index": 0}, _DELTA, _STOP], "content_block_delta (index 0)"),
            ([_START, {"type": "content_block_start", "index": 1}], "content_block_start (index 1)"),
            ([_START, {"type": "content_block_start", "index": 0}, _DELTA, _STOP], "message_delta (index None)"),
            ([_START, _STOP], "message_stop (index None)"),
            ([_START, _DELTA], "ended without message_stop"),
            ([_START, {"type": "error", "error": {"type": "api_error"}}], "carries an error: api_error"),
            ([{"type": "ping"}, _START, _DELTA, _STOP], "ping (index None) came where it must not"),
        ],
    )
    def test_every_departure_is_named(self, wrong: list[dict[str, Any]], problem: str) -> None:
        assert problem in "; ".join(sse.problems(events(*wrong)))

    def test_a_stream_that_was_cut_in_an_event_lacks_that_event(self) -> None:
        assert [event.name for event in sse.parse("event: a\ndata: {}\n\nevent: b\ndata: {")] == ["a"]

    def test_repeated_events_are_counted(self) -> None:
        assert sse.sequence(events({"type": "a"}, {"type": "b"}, {"type": "b"})) == ["a", "b x2"]


def test_redaction_keeps_shape_numbers_and_vocabulary_only() -> None:
    payload = {
        "type": "message",
        "content": [{"text": "secret words"}] * 6,
        "usage": {"n": 3},
        "error": {"message": "why"},
    }
    assert redact(payload, Redactor()) == {
        "type": "message",
        "content": [{"text": "<12 characters>"}] * 4 + ["<2 more>"],
        "usage": {"n": 3},
        "error": {"message": "why"},
    }
