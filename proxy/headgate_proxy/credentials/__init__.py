"""The credentials a proxy holds in memory: read from Vault when a snapshot names them, never while a request waits."""
