"""TLS of a proxy: what it trusts, and the certificate it serves with."""
