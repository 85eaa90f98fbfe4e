"""A Messages request as the turn that steers the emulated model."""

from headgate_dev.emulator.anthropic.blocks import as_blocks, text_of
from headgate_dev.emulator.script import JsonObject, Turn


def turn(request: JsonObject) -> Turn:
    """Return what steers the answer to ``request`` (one that passed the checks)."""
    messages: list[JsonObject] = request["messages"]
    offered = {tool["name"]: tool.get("input_schema") or {"type": "object"} for tool in request.get("tools", [])}
    choice: JsonObject = request.get("tool_choice") or {"type": "auto"}
    forced = choice["type"] in {"tool", "any"}
    prompt, rounds = _prompt(messages)
    return Turn(
        prompt=prompt,
        rounds=rounds,
        results=tuple(_results(messages)),
        offered=offered,
        forced=(choice.get("name") or next(iter(offered))) if forced else None,
        tools_allowed=choice["type"] != "none",
        parallel=not choice.get("disable_parallel_tool_use"),
    )


def _prompt(messages: list[JsonObject]) -> tuple[str, int]:
    """Return the person's last prompt and the rounds of tool use since."""
    rounds = 0
    for message in reversed(messages):
        kinds = {block.get("type") for block in as_blocks(message.get("content"))}
        if message.get("role") == "assistant" and "tool_use" in kinds:
            rounds += 1
        elif message.get("role") == "user" and "tool_result" not in kinds:
            texts = [block for block in as_blocks(message["content"]) if block.get("type") == "text"]
            return (str(texts[-1]["text"]) if texts else ""), rounds
    return "", rounds


def _results(messages: list[JsonObject]) -> list[str]:
    """Return the tool results of the last user turn; a system turn may follow it (mid-conversation system messages)."""
    last = next((message for message in reversed(messages) if message["role"] != "system"), messages[-1])
    return [
        ("error: " if block.get("is_error") else "") + text_of(block.get("content"))
        for block in as_blocks(last.get("content"))
        if block.get("type") == "tool_result"
    ]
