"""Pure parts of the reply: how tool input is cut, and what prompts mean."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate_dev.emulator.anthropic.reply import compose
from headgate_dev.emulator.pieces import split_json
from headgate_dev.emulator.script import sample_input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_pieces_of_tool_input_join_to_the_same_value(value: dict[str, Any]) -> None:
    pieces = list(split_json(value))
    assert pieces[0] == ""
    assert json.loads("".join(pieces)) == value


def test_pieces_cut_escapes_and_numbers() -> None:
    pieces = list(split_json({"city": "世界世界", "n": 1234567890}))
    assert any(piece.endswith(("\\", "\\u", "\\u4", "\\u4e", "\\u75", "\\u7")) for piece in pieces)
    assert any(before[-1:].isdigit() and after[:1].isdigit() for before, after in pairwise(pieces))


def test_sample_input_has_what_the_schema_requires() -> None:
    schema = {
        "type": "object",
        "properties": {
            "mode": {"enum": ["fast", "slow"]},
            "many": {"type": "array", "items": {"type": "boolean"}},
            "inner": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]},
            "optional": {"type": "string"},
        },
        "required": ["mode", "many", "inner"],
    }
    assert sample_input(schema) == {"mode": "fast", "many": [True], "inner": {"n": 3}}


def _request(prompt: str, **more: Any) -> dict[str, Any]:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("a", "b")]
    return {"max_tokens": 100, "messages": [{"role": "user", "content": prompt}], "tools": tools, **more}


def _called(request: dict[str, Any]) -> list[str]:
    return [block["name"] for block in compose(request, 1).content if block["type"] == "tool_use"]


def test_tool_choice_decides() -> None:
    both = "use tools a and b"
    assert _called(_request(both)) == ["a", "b"]
    assert _called(_request(both, tool_choice={"type": "none"})) == []
    assert _called(_request(both, tool_choice={"type": "auto", "disable_parallel_tool_use": True})) == ["a"]
    assert _called(_request("hello", tool_choice={"type": "tool", "name": "b"})) == ["b"]
    assert _called(_request("use tool unknown")) == []


def test_each_parallel_tool_may_have_its_own_input() -> None:
    reply = compose(_request('use tools a and b with [{"x": 1}, {"x": "then use tool a"}]'), 1)
    assert [block["input"] for block in reply.content] == [{"x": 1}, {"x": "then use tool a"}]
    assert len({block["id"] for block in reply.content}) == 2


def test_writing_is_as_long_as_asked() -> None:
    reply = compose(_request("please write 50 words", tools=[]), 1)
    assert len(reply.content[0]["text"].split()) == 50
    assert (reply.stop_reason, reply.output_tokens) == ("end_turn", 50)
