"""The way to the vendor: sessions, addresses, headers, responses."""
