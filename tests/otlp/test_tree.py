from headgate_dev.otlp import Span, SpanEvent, render

MS = 1_000_000


def span(span_id: str, parent: str | None, start: int, **more: object) -> Span:
    values: dict[str, object] = {
        "trace_id": "t",
        "span_id": span_id,
        "parent_id": parent,
        "name": span_id,
        "kind": "INTERNAL",
        "service": "",
        "start": start * MS,
        "end": (start + 2) * MS,
        "attributes": {},
        "events": (),
        "status": "UNSET",
        "status_message": "",
    }
    return Span(**{**values, **more})  # type: ignore[arg-type]


def test_children_stand_under_their_parent_in_order_of_start() -> None:
    spans = [
        span("late", "root", 5),
        span("root", "caller", 0, service="proxy", attributes={"a.x": 1, "b": (1, 2), "c": True}),
        span("early", "root", 1, events=(SpanEvent("fallback", 2 * MS, {"reason": "Revoked"}),)),
        span("inner", "early", 2, status="ERROR", status_message="gone"),
    ]
    assert render(spans, ["b", "a.*"]) == "\n".join(
        [
            "root [proxy] 2.0 ms",
            "│    b=1,2",
            "│    a.x=1",
            "├─ early 2.0 ms",
            "│  │    • fallback (+1.0 ms) reason=Revoked",
            "│  └─ inner 2.0 ms ERROR gone",
            "└─ late 2.0 ms",
        ]
    )


def test_spans_without_their_parent_are_roots() -> None:
    assert render([span("b", "gone", 2), span("a", None, 1)]) == "a 2.0 ms\nb 2.0 ms"


def test_no_spans_make_no_tree() -> None:
    assert render([]) == ""
