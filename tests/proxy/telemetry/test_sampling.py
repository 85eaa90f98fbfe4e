"""Whether a request is traced: the caller's word first, then the configured share; nonsense is ignored."""

import pytest

from headgate_proxy.telemetry import traceparent

from .conftest import Watched

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def header(flags: str) -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{SPAN}-{flags}"}


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_malformed_contexts_are_ignored(malformed: str) -> None:
    assert traceparent.parse(malformed) is None


def test_later_versions_are_read_as_far_as_they_are_known() -> None:
    context = traceparent.parse(f"01-{TRACE}-{SPAN}-03-more")
    assert context is not None
    assert (context.sampled, context.header) == (True, f"00-{TRACE}-{SPAN}-01")


def begin(watched: Watched, headers: dict[str, str], *, traced: bool = True) -> tuple[bool, str | None]:
    telemetry = watched.telemetry if traced else watched.untraced
    trace = telemetry.begin(headers, request_id="r", method="POST", path="/v1/messages")
    return trace.sampled, trace.traceparent


def test_the_callers_flag_decides() -> None:
    assert begin(Watched(percent=0), header("01")) == (True, None)
    assert begin(Watched(percent=100), header("00")) == (False, header("00")["traceparent"])


def test_without_a_caller_the_share_decides() -> None:
    watched = Watched(percent=10)
    sampled = [begin(watched, {})[0] for _ in range(2000)]
    assert 140 < sum(sampled) < 260
    assert not any(begin(Watched(percent=0), {})[0] for _ in range(100))
    assert all(begin(Watched(percent=100), {})[0] for _ in range(100))


def test_an_unsampled_request_tells_the_upstream_so() -> None:
    sampled, sent = begin(Watched(percent=0), {})
    assert not sampled
    context = traceparent.parse(sent)
    assert context is not None
    assert not context.sampled


def test_without_a_receiver_the_callers_context_passes_unchanged(watched: Watched) -> None:
    assert begin(watched, header("01"), traced=False) == (False, header("01")["traceparent"])
    assert begin(watched, {}, traced=False) == (False, None)
