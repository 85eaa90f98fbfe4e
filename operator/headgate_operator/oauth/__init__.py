"""OAuth 2.0 as a client, for any vendor: requests and answers as values, and one thin adapter that carries them."""
