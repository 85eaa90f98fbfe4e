"""A trace as a tree of text, for a terminal and for failure messages: pure."""

from collections.abc import Iterable, Iterator, Sequence

from headgate_dev.otlp.spans import Attribute, Span


def render(spans: Sequence[Span], attributes: Sequence[str] = ()) -> str:
    """Return the tree of ``spans``: name, service, duration, status, the wanted ``attributes`` and events.

    Children stand indented under their parent in the order of their start. A span whose parent is not among
    ``spans`` (it belongs to the caller, or was not sampled) is a root. An attribute that ends in ``*`` stands for all with that
    prefix.
    """
    known = {span.span_id for span in spans}
    roots = _in_order(span for span in spans if span.parent_id not in known)
    lines: list[str] = []
    for root in roots:
        lines.extend(_lines(root, spans, attributes, "", ""))
    return "\n".join(lines)


def _lines(span: Span, spans: Sequence[Span], wanted: Sequence[str], first: str, rest: str) -> Iterator[str]:
    yield f"{first}{_headline(span)}"
    children = _in_order(child for child in spans if child.parent_id == span.span_id and child.span_id != span.span_id)
    gutter = rest + ("│    " if children else "     ")
    for name in _chosen(span.attributes, wanted):
        yield f"{gutter}{name}={_text(span.attributes[name])}"
    for event in span.events:
        after = (event.time - span.start) / 1e6
        details = "".join(f" {name}={_text(value)}" for name, value in event.attributes.items())
        yield f"{gutter}• {event.name} (+{after:.1f} ms){details}"
    for child in children:
        last = child is children[-1]
        yield from _lines(child, spans, wanted, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _headline(span: Span) -> str:
    service = f" [{span.service}]" if span.service else ""
    failed = f" ERROR {span.status_message}".rstrip() if span.status == "ERROR" else ""
    return f"{span.name}{service} {span.milliseconds:.1f} ms{failed}"


def _in_order(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.start, span.span_id))


def _chosen(attributes: dict[str, Attribute], wanted: Sequence[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for pattern in wanted:
        for name in attributes:
            if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
                chosen[name] = None
    return list(chosen)


def _text(value: Attribute) -> str:
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return str(value)
