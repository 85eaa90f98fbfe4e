"""How things look in a terminal, and their JSON: pure functions from objects to text."""
