"""Credentials on their way from a Secret into Vault: parsed and decided purely, written by check-and-set, never twice."""
