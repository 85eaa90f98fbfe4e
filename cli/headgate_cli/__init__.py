"""The ``headgate`` command: one name for every part, each loaded only when asked for."""
