"""The level-based engine: events only name what to look at; reconcilers look, decide purely, and act."""
