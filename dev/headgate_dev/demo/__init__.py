"""``make demo``: the main job for real on embedded parts, told step by step, ending by itself and leaving nothing."""
