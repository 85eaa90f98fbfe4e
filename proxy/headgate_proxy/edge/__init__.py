"""The request path: from a caller's connection to the upstream's answer."""
