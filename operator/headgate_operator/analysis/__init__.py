"""Judging the canary: what the proxies counted of both tracks, and what a Prometheus answers, against a policy's bounds."""
