"""OpenAI's APIs on the wire: Chat Completions, Responses, and the Responses backend of ChatGPT plans that Codex uses."""
