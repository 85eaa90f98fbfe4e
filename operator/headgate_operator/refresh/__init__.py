"""The one refresher of credentials (design, guarantee 3): rotating refresh tokens are never lost, raced or spent in vain."""
