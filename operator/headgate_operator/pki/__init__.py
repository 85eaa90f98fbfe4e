"""The operator's own certificate authority, and the certificates of listeners, relays and broker."""
