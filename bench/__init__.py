"""What the edge costs: CPU of the proxy process per request and event, and its memory, beside the least a relay costs."""
