"""How a fleet gets its configuration: assembled purely, published as chunks and a head, followed to every proxy."""
