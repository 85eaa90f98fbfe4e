"""OpenAI's API and the Codex backend of ChatGPT plans, emulated: pure semantics, from a request to the bytes of its answer."""
