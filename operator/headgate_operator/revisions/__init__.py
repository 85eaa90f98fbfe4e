"""The content of guarded objects: what it is, where it is kept, and which of it traffic may see."""
