"""Which provider answers for a model that a caller asks for: decided once per snapshot, looked up per request."""
