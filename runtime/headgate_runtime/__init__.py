"""What both planes do with the outside in the same way: settings, Vault, the API server, logs, the admin port.

Thin adapters only. The contract (``headgate_api``) stays free of I/O, and operator and proxy stay strangers.
"""
