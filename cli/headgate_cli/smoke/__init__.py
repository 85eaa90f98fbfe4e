"""``headgate smoke``: a fixed list of requests to the canary, and what came back, without content and secrets (S3.15)."""
