"""Only the model's value is ever rewritten, whatever else a body holds."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.protocols.bodies import replace_model
from headgate_proxy.protocols.dialect import RequestHead
from headgate_proxy.protocols.heads import read_head
from headgate_proxy.protocols.operation import Operation

leaves = st.none() | st.integers() | st.text(max_size=8)
values = leaves | st.lists(leaves, max_size=2) | st.dictionaries(st.sampled_from(["model", 'a"b', "x"]), leaves)
members = st.dictionaries(
    st.text(max_size=6) | st.sampled_from(["Model", "messages", "system"]), values, max_size=4
).map(lambda d: {name: value for name, value in d.items() if name not in ("model", "stream")})


@given(
    before=members,
    after=members,
    asked=st.text(),
    wanted=st.text(),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_rewriting_touches_the_model_and_nothing_else(
    before: dict[str, Any], after: dict[str, Any], asked: str, wanted: str, ascii_only: bool, indent: int | None
) -> None:
    document = {**before, "nested": {"model": asked, "list": [{"model": asked}]}, "model": asked}
    document |= {name: value for name, value in after.items() if name not in document}
    try:
        body = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return
    rewritten = replace_model(body, wanted)
    assert json.loads(rewritten) == document | {"model": wanted}
    assert replace_model(rewritten, wanted) == rewritten


def test_white_space_and_order_stay() -> None:
    body = b'{ "a" : "model", "m\\u006fdel"\n:\t"x" ,"z":{"model":"x"} }'
    assert replace_model(body, "y") == b'{ "a" : "model", "m\\u006fdel"\n:\t"y" ,"z":{"model":"x"} }'


def test_the_head_is_read_and_everything_else_skipped() -> None:
    assert read_head(b'{"messages":[1,{"stream":true}],"model":"m","stream":true}', Operation.MESSAGES) == RequestHead(
        "m", True
    )
    assert read_head(b'{"model":"m","stream":null}', Operation.MESSAGES) == RequestHead("m", False)
