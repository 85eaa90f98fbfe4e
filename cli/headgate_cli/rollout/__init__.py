"""``kubectl headgate status | approve | abort | pause | resume | release | explain | history``."""
