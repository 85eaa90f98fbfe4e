"""A change on its way to everyone: what a RolloutPolicy does next, decided purely from what was observed."""
