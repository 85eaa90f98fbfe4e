"""The edge: proxies that hold the upstream credentials, so that callers need none."""
