"""Reconciles LLMProviders: which fleets may carry them, whether each auth mode can serve, and their API keys in Vault."""
