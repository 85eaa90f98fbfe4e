"""A profile changes the system context and the names of tools, in every protocol, and not one byte else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.identity.profile import Identity
from headgate_proxy.identity.requests import Unsuitable, dress
from headgate_proxy.identity.responses import DocumentReverser
from headgate_proxy.identity.wires import WIRES, Wire
from headgate_proxy.protocols.operation import Operation

from .documents import MAPPED, NAMES, PREAMBLE, PREAMBLE_ALONE, PROFILE, values, words, written

BACK = Identity({}, None, {upstream: client for client, upstream in NAMES.items()})
names = st.sampled_from([*NAMES, "other", "name"])


def sent(body: str, wire: Wire = Wire.MESSAGES, identity: Identity = MAPPED) -> str:
    return dress(body.encode(), wire, identity).body.decode()


@given(document=values, wire=st.sampled_from(Wire), data=st.data())
def test_without_a_profile_the_very_same_bytes_go_on(document: Any, wire: Wire, data: st.DataObject) -> None:
    body = data.draw(written(document))
    for identity in (None, Identity({"x-acme": "1"}, None, {})):
        dressed = dress(body, wire, identity)
        assert dressed.body is body
        assert dressed.reversal is None


@given(document=values, wire=st.sampled_from(Wire), data=st.data())
def test_a_document_without_these_tools_is_not_touched(document: Any, wire: Wire, data: st.DataObject) -> None:
    body = data.draw(written(document))
    dressed = dress(body, wire, Identity({}, None, {"never-asked-for": "z"}))
    assert dressed.body is body
    assert dressed.reversal is None


@given(
    body=st.binary(max_size=60)
    | values.flatmap(written)
    | st.text(alphabet='[]{}":,\\an1 ', max_size=60).map(str.encode),
    wire=st.sampled_from(Wire),
)
def test_whatever_a_body_is_it_is_sent_or_refused(body: bytes, wire: Wire) -> None:
    try:
        dressed = dress(body, wire, PROFILE)
    except Unsuitable:
        return
    try:
        before = json.loads(body)
    except ValueError:
        return
    after = json.loads(dressed.body)
    assert isinstance(after, dict) is isinstance(before, dict)


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """An Anthropic request whose members come in any order, with names in places where they are none."""
    blocks = st.one_of(
        st.builds(lambda n, i: {"type": "tool_use", "id": "t", "name": n, "input": i}, names, values),
        st.builds(lambda n, i: {"name": n, "input": i, "type": "tool_use"}, names, values),
        st.builds(lambda n: {"type": "server_tool_use", "name": n}, names),
        st.builds(lambda t: {"type": "text", "text": t}, words),
        st.builds(lambda v: {"type": "tool_result", "content": v}, words),
    )
    turns = st.builds(lambda c: {"role": "assistant", "content": c}, st.lists(blocks, max_size=4) | words)
    tools = st.builds(lambda n, v: {"name": n, "input_schema": v}, names, values)
    members = {
        "model": draw(words),
        "messages": draw(st.lists(turns, max_size=4)),
        "tools": draw(st.lists(tools, max_size=3)),
        "tool_choice": draw(st.builds(lambda n: {"type": "tool", "name": n}, names) | st.just({"type": "auto"})),
        "metadata": draw(values),
    }
    return {key: members[key] for key in draw(st.permutations(list(members)))}


def renamed(request: dict[str, Any]) -> dict[str, Any]:
    """The same, said plainly, of parsed JSON."""
    request = json.loads(json.dumps(request))
    for tool in request["tools"]:
        tool["name"] = NAMES.get(tool["name"], tool["name"])
    if request["tool_choice"]["type"] == "tool":
        request["tool_choice"]["name"] = NAMES.get(request["tool_choice"]["name"], request["tool_choice"]["name"])
    for turn in request["messages"]:
        for block in turn["content"] if isinstance(turn["content"], list) else ():
            if block["type"] == "tool_use":
                block["name"] = NAMES.get(block["name"], block["name"])
    return request


@given(request=conversations(), data=st.data())
def test_names_are_mapped_where_they_are_names_and_come_back_to_the_byte(
    request: dict[str, Any], data: st.DataObject
) -> None:
    body = data.draw(written(request))

    dressed = dress(body, Wire.MESSAGES, MAPPED)

    assert json.loads(dressed.body) == renamed(json.loads(body))
    assert dress(dressed.body, Wire.MESSAGES, BACK).body == _canonical_names(body)


def _canonical_names(body: bytes) -> bytes:
    return dress(body, Wire.MESSAGES, Identity({}, None, {name: name for name in NAMES})).body


@given(
    request=conversations(),
    system=st.none() | words | st.lists(st.just({"type": "text", "text": "own"})),
    data=st.data(),
)
def test_the_preamble_is_the_first_block_and_the_rest_follows(
    request: dict[str, Any], system: Any, data: st.DataObject
) -> None:
    body = data.draw(written({**request, "system": system}))

    found = json.loads(dress(body, Wire.MESSAGES, PREAMBLE_ALONE).body)

    own = json.loads(body)["system"]
    blank = own is None or (isinstance(own, str) and not own.strip())
    rest = [] if blank else [{"type": "text", "text": own}] if isinstance(own, str) else own
    assert found == {**json.loads(body), "system": [{"type": "text", "text": PREAMBLE}, *rest]}


def test_layout_numbers_escapes_and_doubled_keys_stay() -> None:
    body = (
        '{ "max_tokens" : 1.0e+2, "to\\u006fls":[ {"n\\u0061me" :\t"\\u0072ead","name":"read", "x":{"name":"read"}} ],'
        '"s":"\\ud83d\\ude00" }'
    )
    assert sent(body) == body.replace('"\\u0072ead","name":"read"', '"AcmeRead","name":"AcmeRead"')


def test_cache_breakpoints_and_blocks_stay_as_they_are() -> None:
    body = '{"system" : [ {"cache_control":{"type":"ephemeral"},"type":"text","text":"own"} ],"messages":[]}'
    quoted = json.dumps(PREAMBLE, ensure_ascii=False)
    expected = body.replace("[ {", '[{"type":"text","text":' + quoted + "}, {", 1)
    assert sent(body, identity=PREAMBLE_ALONE) == expected


def test_the_vendors_own_tools_keep_their_names() -> None:
    body = (
        '{"tools":[{"type":"shell_20250124","name":"shell"},{"type":"custom","name":"read"}],'
        '"tool_choice":{"type":"tool","name":"shell"},"messages":[{"role":"assistant","content":['
        '{"type":"tool_use","name":"shell"},{"type":"server_tool_use","name":"read"},{"type":"tool_use","name":"read"}]}]}'
    )
    expected = body.replace('"custom","name":"read"', '"custom","name":"AcmeRead"')
    assert sent(body) == expected.replace('"tool_use","name":"read"}]', '"tool_use","name":"AcmeRead"}]')


def test_tools_are_named_in_search_results_and_context_edits_too() -> None:
    body = (
        '{"context_management":{"edits":[{"type":"clear","exclude_tools":["read","other"]}]},"messages":[{"content":['
        '{"type":"tool_result","content":[{"type":"tool_reference","tool_name":"read"},{"type":"text","text":"read"}]},'
        '{"type":"tool_search_tool_result","content":{"tool_references":[{"type":"tool_reference","tool_name":"shell"}]}}]}]}'
    )
    expected = body.replace('["read"', '["AcmeRead"').replace('_name":"read"', '_name":"AcmeRead"')
    assert sent(body) == expected.replace('"shell"', '"AcmeShell"')


CHAT = (
    '{"messages":[{"role":"user","content":"read"},{"role":"assistant","tool_calls":[{"id":"1","type":"function",'
    '"function":{"name":"read","arguments":"{\\"name\\":\\"read\\"}"}},{"type":"custom","custom":{"name":"shell","input":"read"}}]}],'
    '"tools":[{"type":"function","function":{"name":"read","parameters":{"name":"read"}}}],'
    '"tool_choice":{"type":"function","function":{"name":"read"}}}'
)
RESPONSES = (
    '{"input":[{"type":"message","role":"user","content":"read"},{"type":"function_call","name":"read","arguments":"read"},'
    '{"name":"shell","type":"custom_tool_call","input":"read"},{"type":"mcp_call","name":"read"},'
    '{"type":"function_call","name":"read","namespace":"crm"}],'
    '"tools":[{"type":"function","name":"read","parameters":{"name":"read"}},{"type":"namespace","name":"x","tools":[]}],'
    '"tool_choice":{"type":"allowed_tools","tools":[{"type":"function","name":"read"}]}}'
)
GEMINI = (
    '{"contents":[{"role":"model","parts":[{"functionCall":{"name":"read","args":{"name":"read"}}},{"text":"read"}]},'
    '{"parts":{"function_response":{"name":"read","response":{"name":"read"}}}}],'
    '"tools":[{"functionDeclarations":[{"name":"read"}]},{"function_declarations":[{"name":"shell"}]}],'
    '"toolConfig":{"functionCallingConfig":{"allowedFunctionNames":["read","other"]}}}'
)


def _swap(body: str, *pieces: str) -> str:
    for piece in pieces:
        assert piece in body
        body = body.replace(piece, piece.replace('"read"', '"AcmeRead"').replace('"shell"', '"AcmeShell"'))
    return body


@pytest.mark.parametrize(
    ("wire", "body", "pieces"),
    [
        (Wire.CHAT, CHAT, ('"function":{"name":"read"', '"custom":{"name":"shell"')),
        (
            Wire.RESPONSES,
            RESPONSES,
            ('"function_call","name":"read","arguments"', '{"name":"shell"', '"function","name":"read"'),
        ),
        (
            Wire.GENERATE_CONTENT,
            GEMINI,
            (
                'functionCall":{"name":"read"',
                'function_response":{"name":"read"',
                '[{"name":"read"}]',
                '[{"name":"shell"}]',
                '["read","other"]',
            ),
        ),
    ],
)
def test_every_protocol_has_its_places(wire: Wire, body: str, pieces: tuple[str, ...]) -> None:
    assert sent(body, wire) == _swap(body, *pieces)


QUOTED = json.dumps(PREAMBLE, ensure_ascii=False)


@pytest.mark.parametrize(
    ("wire", "body", "expected"),
    [
        (Wire.MESSAGES, "{}", '{"system":[{"type":"text","text":P}]}'),
        (Wire.MESSAGES, ' {"model":"m"}', ' {"system":[{"type":"text","text":P}],"model":"m"}'),
        (Wire.MESSAGES, '{"system":"a\\n"}', '{"system":[{"type":"text","text":P},{"type":"text","text":"a\\n"}]}'),
        (Wire.MESSAGES, '{"system":[ ]}', '{"system":[{"type":"text","text":P} ]}'),
        (Wire.CHAT, '{"messages":[]}', '{"messages":[{"role":"system","content":P}]}'),
        (
            Wire.CHAT,
            '{"messages":[{"role":"developer","content":"a"}]}',
            '{"messages":[{"role":"developer","content":P},{"role":"developer","content":"a"}]}',
        ),
        (Wire.RESPONSES, '{"input":"a"}', '{"instructions":P,"input":"a"}'),
        (Wire.RESPONSES, '{"instructions":null}', '{"instructions":P}'),
        (Wire.RESPONSES, '{"instructions":"a"}', '{"instructions":"' + QUOTED[1:-1] + '\\n\\na"}'),
        (Wire.GENERATE_CONTENT, '{"contents":[]}', '{"systemInstruction":{"parts":[{"text":P}]},"contents":[]}'),
        (
            Wire.GENERATE_CONTENT,
            '{"system_instruction":{"parts":{"text":"a"}}}',
            '{"system_instruction":{"parts":[{"text":P},{"text":"a"}]}}',
        ),
        (
            Wire.GENERATE_CONTENT,
            '{"systemInstruction":{"role":"user","parts":[{"text":"a"}]}}',
            '{"systemInstruction":{"role":"user","parts":[{"text":P},{"text":"a"}]}}',
        ),
        (Wire.GENERATE_CONTENT, '{"systemInstruction":{}}', '{"systemInstruction":{"parts":[{"text":P}]}}'),
        (Wire.COUNT_TOKENS, '{"contents":[]}', '{"contents":[]}'),
        (
            Wire.COUNT_TOKENS,
            '{"generateContentRequest":{"contents":[]}}',
            '{"generateContentRequest":{"systemInstruction":{"parts":[{"text":P}]},"contents":[]}}',
        ),
    ],
)
def test_the_preamble_stands_before_the_requests_own_system_context(wire: Wire, body: str, expected: str) -> None:
    found = sent(body, wire, PREAMBLE_ALONE)
    assert found == expected.replace(":P", ":" + QUOTED)
    json.loads(found)


@pytest.mark.parametrize(
    ("wire", "body", "word"),
    [
        (Wire.MESSAGES, '{"system":3}', "system: must be"),
        (Wire.MESSAGES, "[]", "must be a JSON object"),
        (Wire.CHAT, '{"messages":"a"}', "messages: must be"),
        (Wire.CHAT, "{}", "messages: must be"),
        (Wire.RESPONSES, '{"instructions":["a"]}', "instructions: must be"),
        (Wire.GENERATE_CONTENT, '{"systemInstruction":"a"}', "systemInstruction: must be"),
        (Wire.GENERATE_CONTENT, '{"systemInstruction":{"parts":"a"}}', "systemInstruction.parts: must be"),
    ],
)
def test_a_system_context_that_no_text_goes_before_is_refused(wire: Wire, body: str, word: str) -> None:
    with pytest.raises(Unsuitable, match=word):
        dress(body.encode(), wire, PREAMBLE_ALONE)


@pytest.mark.parametrize(
    ("wire", "body", "where"),
    [
        (Wire.MESSAGES, '{"tools":[{"name":"read"},{"name":"AcmeRead"}]}', r"tools\[1\]\.name"),
        (Wire.MESSAGES, '{"tools":[{"name":"AcmeRead","type":"acme_1"},{"name":"read"}]}', r"tools\[0\]\.name"),
        (
            Wire.CHAT,
            '{"tools":[{"function":{"name":"AcmeRead"}},{"function":{"name":"read"}}]}',
            r"tools\[0\]\.function\.name",
        ),
        (
            Wire.RESPONSES,
            '{"tools":[{"type":"function","name":"read"},{"type":"custom","name":"AcmeRead"}]}',
            r"tools\[1\]\.name",
        ),
        (
            Wire.GENERATE_CONTENT,
            '{"tools":[{"functionDeclarations":[{"name":"read"},{"name":"AcmeRead"}]}]}',
            r"tools\[0\]\.functionDeclarations\[1\]\.name",
        ),
    ],
)
def test_two_tools_of_one_name_upstream_are_refused_with_name_and_place(wire: Wire, body: str, where: str) -> None:
    with pytest.raises(Unsuitable, match=rf"^{where}: .*'read'.*'AcmeRead'.*rename one"):
        dress(body.encode(), wire, MAPPED)


def test_a_tool_that_has_such_a_name_of_its_own_is_no_trouble_alone() -> None:
    body = b'{"tools":[{"name":"AcmeRead"},{"name":"shell"}]}'
    dressed = dress(body, Wire.MESSAGES, MAPPED)
    assert dressed.body == body.replace(b'"shell"', b'"AcmeShell"')
    assert dressed.reversal is not None
    assert dressed.reversal.names == {"AcmeShell": "shell"}


def test_names_may_go_round() -> None:
    swap = Identity({}, None, {"a": "b", "b": "a"})
    dressed = dress(b'{"tools":[{"name":"a"},{"name":"b"}]}', Wire.MESSAGES, swap)
    assert dressed.body == b'{"tools":[{"name":"b"},{"name":"a"}]}'
    assert dressed.reversal is not None
    assert dressed.reversal.names == {"a": "b", "b": "a"}


def test_every_operation_has_a_layout() -> None:
    assert set(WIRES) == set(Operation)


@pytest.mark.parametrize("written", ['"fü/\\\\r"', '"f\\u00fc\\/\\\\r"', '"\\u0066\\u00FC\\u002f\\u005Cr"'])
def test_a_name_is_the_same_however_it_is_written(written: str) -> None:
    named = Identity({}, None, {"fü/\\r": "x"})
    body = f'{{"tools":[{{"name":{written}}}],"messages":[{{"content":[{{"name":{written},"type":"tool_use"}}]}}]}}'
    dressed = dress(body.encode(), Wire.MESSAGES, named)
    assert dressed.body.decode() == body.replace(written, '"x"')
    answer = b'{"content":[{"type":"tool_use","name":"x"}]}'
    assert dressed.reversal is not None
    undone = DocumentReverser(dressed.reversal)
    undone.feed(answer)
    assert json.loads(undone.finish())["content"][0]["name"] == "fü/\\r"
