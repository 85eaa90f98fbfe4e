"""The operator's HTTP side for proxies: they report, it remembers while it leads."""
