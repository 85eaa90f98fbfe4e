"""Values are found to their last byte, however they are written, and what is no JSON ends in one error."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.proxy.identity.documents import values, written

from headgate_proxy.protocols.bodies import replace_model
from headgate_proxy.protocols.dialect import RequestHead
from headgate_proxy.protocols.heads import read_head
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.protocols.scan import Malformed, value_end


@given(document=values, data=st.data(), after=st.sampled_from([b"", b",", b"]", b" ", b"}x", b',"']))
def test_a_value_ends_where_json_says(document: Any, data: st.DataObject, after: bytes) -> None:
    body = data.draw(written(document))
    assert value_end(b"[" + body + after, 1) == 1 + len(body)


@given(st.text(alphabet='a"\\ \n', max_size=40))
def test_a_string_ends_at_its_own_quote_whatever_stands_before_it(said: str) -> None:
    token = json.dumps(said).encode()
    assert value_end(token + b',"x"', 0) == len(token)


@given(st.binary(max_size=40) | st.text(alphabet='[]{}":,\\a1 ', max_size=40).map(str.encode))
def test_any_bytes_end_in_a_value_or_an_error(body: bytes) -> None:
    try:
        end = value_end(body, 0)
    except Malformed:
        return
    assert 0 < end <= len(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":['])
def test_nesting_costs_no_stack(opening: bytes) -> None:
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":[': b"]}]"}[opening]
    body = opening * 100_000 + b"1" + closing * 100_000
    assert value_end(body, 0) == len(body)
    with pytest.raises(Malformed):
        value_end(opening * 100_000, 0)


@given(body=st.text(alphabet='[]{}":,\\amode1 ', max_size=60).map(lambda inside: f'{{"model":"m",{inside}}}'.encode()))
def test_a_body_that_was_read_can_be_sent_under_another_models_name(body: bytes) -> None:
    if isinstance(read_head(body, Operation.MESSAGES, None), RequestHead):
        assert json.loads(replace_model(body, "other"))["model"] == "other"


def test_a_string_of_nothing_but_escapes_costs_no_memory() -> None:
    body = b'{"model":"m","text":"' + b'\\n\\"' * 1_000_000 + b'"}'
    tracemalloc.start()
    try:
        changed = replace_model(body, "other")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert changed == body.replace(b'"m"', b'"other"')
    assert peak < 4 * len(body)
