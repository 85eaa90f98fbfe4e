"""The Gemini API as a dialect, with its mode table.

Sources: Gemini API docs, "Using Gemini API keys" (``x-goog-api-key``) and "Authentication with OAuth" (a bearer, and
``x-goog-user-project`` for the project that is billed).
"""

from dataclasses import replace
from typing import Final

from headgate_api.reasons import AuthMode
from headgate_proxy.gemini.errors import envelope, last_event
from headgate_proxy.gemini.failures import classify
from headgate_proxy.gemini.models import model_info, model_list
from headgate_proxy.gemini.readers import reader_for, stream_reader_for
from headgate_proxy.gemini.request import read_head, replace_model
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.protocols.operation import Operation

_PATHS: Final = {
    Operation.GENERATE_CONTENT: "/{version}/models/{model}:generateContent",
    Operation.STREAM_GENERATE_CONTENT: "/{version}/models/{model}:streamGenerateContent",
    Operation.COUNT_CONTENT_TOKENS: "/{version}/models/{model}:countTokens",
}

MODES: Final = {
    AuthMode.API_KEY: ModeRule("x-goog-api-key", "", _PATHS),
    AuthMode.SUBSCRIPTION: ModeRule("authorization", "Bearer ", _PATHS, account_header="x-goog-user-project"),
}

GEMINI: Final = Dialect(
    protocol="Gemini",
    modes=MODES,
    beta_header=None,
    request_id_header=None,
    credential_header="x-goog-api-key",
    credential_parameter="key",
    first_token=b'"parts"',
    read_head=read_head,
    replace_model=replace_model,
    classify=classify,
    reader_for=reader_for,
    envelope=envelope,
    last_event=last_event,
    model_list=model_list,
    model_info=model_info,
)
GEMINI_STREAM: Final = replace(GEMINI, reader_for=stream_reader_for)
