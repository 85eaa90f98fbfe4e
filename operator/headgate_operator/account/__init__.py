"""Reconciles SubscriptionAccounts: a person's opt-in, the plan's grant in Vault, and whether requests may use it now."""
