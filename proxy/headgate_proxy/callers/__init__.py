"""Who is calling: ServiceAccount tokens verified without asking the API server."""
