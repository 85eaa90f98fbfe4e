"""The Gemini API on the wire."""
