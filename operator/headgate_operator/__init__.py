"""The control plane: thin handlers over pure plans, and the broker that answers proxies.

The one writer of credentials, statuses and snapshots. It knows the contract and the shared adapters, never the proxy.
"""
