"""An administrator's identity profile, put on a subscription request and taken off its response, byte by byte (sans-IO)."""
