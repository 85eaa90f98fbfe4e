"""What a request leaves behind: spans, metrics and one log line, all made from the same events."""
