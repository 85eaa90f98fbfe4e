"""A body names the model again at times; nothing else of it is ever rewritten."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.gemini.request import read_head, replace_model
from headgate_proxy.protocols.bodies import replace_string
from headgate_proxy.protocols.dialect import RequestHead
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.refusal import Refusal

names = st.sampled_from(["model", "generateContentRequest", "a", 'q"{', "contents"])
leaves = st.none() | st.integers() | st.booleans() | st.text(max_size=6) | st.sampled_from(["model", "{", "}", '":{'])
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
documents = st.dictionaries(names, trees, max_size=5)


def expected(document: Any, path: tuple[str, ...], value: str) -> Any:
    if not isinstance(document, dict) or path[0] not in document:
        return document
    found = document[path[0]]
    if len(path) == 1:
        return document | ({path[0]: value} if isinstance(found, str) else {})
    return document | {path[0]: expected(found, path[1:], value)}


@given(document=documents, value=st.text(max_size=5), indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_one_member_is_replaced_and_nothing_else(
    document: dict[str, Any], value: str, indent: int | None, ascii_only: bool
) -> None:
    try:
        body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
        value.encode()
    except UnicodeEncodeError:
        return
    for path in (("model",), ("generateContentRequest", "model"), ("a", "model", "a")):
        assert json.loads(replace_string(body, path, value)) == expected(document, path, value)


def test_the_whole_request_inside_a_count_is_renamed_and_contents_are_not() -> None:
    body = b'{"contents":[{"model":"models/a"}], "generateContentRequest" : {"model":\t"models/a", "contents":[{"model":"a"}]}}'
    assert replace_model(body, "b") == body.replace(b'\t"models/a"', b'\t"models/b"')


def test_the_path_says_what_is_asked() -> None:
    body = b'{"contents":[]}'
    assert read_head(body, Operation.GENERATE_CONTENT, "m") == RequestHead("m", False)
    assert read_head(body, Operation.STREAM_GENERATE_CONTENT, "m") == RequestHead("m", True)
    for bad in (b"", b"[]", b"\xff", b'{"a":', b"[" * 100_000, b"7"):
        refused = read_head(bad, Operation.GENERATE_CONTENT, "m")
        assert isinstance(refused, Refusal)
        assert refused.status == 400
