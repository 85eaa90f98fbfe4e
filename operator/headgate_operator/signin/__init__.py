"""How a person signs an account in by way of the broker: flows in Vault, the vendor's codes, the grant that comes of them."""
