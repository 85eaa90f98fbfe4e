"""How a proxy comes by its configuration: followed by watch, swapped whole, kept for the next start."""
