"""Tells vendors that grants are revoked (RFC 7009): what was forgotten here is ended there, or its owner is told to."""
