"""Google's Gemini API, emulated: pure semantics, from a request to the bytes of its answer."""
