"""What the Anthropic Messages protocol says: envelopes, request heads, streams, usage, failures. No I/O."""
