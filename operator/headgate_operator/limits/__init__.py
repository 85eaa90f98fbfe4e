"""The limits of accounts in the control plane: what proxies tell of them, what is polled, and what a status shows."""
