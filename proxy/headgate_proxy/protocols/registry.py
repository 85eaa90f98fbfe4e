"""Every protocol that is spoken here: the one list of them."""

from collections.abc import Mapping
from typing import Final

from headgate_proxy.anthropic.dialect import ANTHROPIC
from headgate_proxy.gemini.dialect import GEMINI
from headgate_proxy.openai.dialect import OPENAI
from headgate_proxy.protocols.dialect import Dialect

DIALECTS: Final[Mapping[str, Dialect]] = {dialect.protocol: dialect for dialect in (ANTHROPIC, OPENAI, GEMINI)}
"""By ``spec.protocol`` of the providers that speak it."""
