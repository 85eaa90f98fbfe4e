"""JSON as clients and vendors may write it, and profiles to put on it."""

import json
from typing import Any

from hypothesis import strategies as st

from headgate_proxy.identity.profile import Identity

NAMES = {"read": "AcmeRead", "shell": "AcmeShell", "a.b:c-d": "x"}
PREAMBLE = 'You work in the "Acme" build farm.\nBe brief. ü'

MAPPED = Identity({}, None, NAMES)
PROFILE = Identity({}, PREAMBLE, NAMES)
PREAMBLE_ALONE = Identity({}, PREAMBLE, {})

words = st.sampled_from([*NAMES, "other", "name", 'a"b', "back\\slash", "\\", '\\"', "ü", "line\nbreak", ""]) | st.text(
    max_size=8
)
keys = words | st.sampled_from(["name", "type", "content", "tools", "messages", "system", "input", "parts"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@st.composite
def written(draw: st.DrawFn, document: Any) -> bytes:
    """Return a document as one of the ways to write it; surrogates that are no text are left to the tests of bytes."""
    layout: dict[str, Any] = draw(st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": "\t"}]))
    return json.dumps(document, ensure_ascii=draw(st.booleans()), **layout).encode("utf-8", "replace")
