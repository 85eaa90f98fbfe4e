"""A reply in the two forms the vendor sends it: one Message object, or the events of a stream."""

from collections.abc import Iterator

from headgate_dev.emulator.anthropic.reply import Reply
from headgate_dev.emulator.anthropic.usage import InputUsage
from headgate_dev.emulator.script import JsonObject


def whole(message_id: str, model: str, reply: Reply, usage: InputUsage) -> JsonObject:
    """Return the Message of an answer that is not streamed."""
    message = _shell(message_id, model, usage)
    message |= {"content": reply.content, "stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
    message["usage"] |= {
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
    }
    return message


def events(message_id: str, model: str, reply: Reply, usage: InputUsage) -> Iterator[JsonObject]:
    """Yield the events of a stream in the vendor's order, with a ping after the first block's start.

    ``message_start`` carries the input side of the usage, ``message_delta`` the cumulative counts.
    """
    yield {"type": "message_start", "message": _shell(message_id, model, usage)}
    for index, piece in enumerate(reply.pieces):
        yield {"type": "content_block_start", "index": index, "content_block": piece.opening}
        if index == 0:
            yield {"type": "ping"}
        for delta in piece.deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    counts = usage.as_json()
    del counts["cache_creation"]
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence},
        "usage": {
            **counts,
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
        },
    }
    yield {"type": "message_stop"}


def _shell(message_id: str, model: str, usage: InputUsage) -> JsonObject:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage.as_json(), "output_tokens": 1, "service_tier": "standard"},
    }
