"""Anthropic's Messages API as a dialect, with its mode table.

Sources: Anthropic API docs, "Authentication" (``x-api-key`` or ``Authorization: Bearer``, never both); OAuth bearers need
the beta ``oauth-2025-04-20``, those of a workload identity too.
"""

from typing import Final

from headgate_api.reasons import AuthMode
from headgate_proxy.anthropic.errors import envelope, last_event
from headgate_proxy.anthropic.failures import classify
from headgate_proxy.anthropic.models import model_info, model_list
from headgate_proxy.anthropic.readers import reader_for
from headgate_proxy.anthropic.windows import windows
from headgate_proxy.protocols.bodies import replace_model
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.heads import read_head
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.protocols.operation import Operation

_PATHS: Final = {Operation.MESSAGES: "/v1/messages", Operation.COUNT_TOKENS: "/v1/messages/count_tokens"}

_BEARER: Final = ModeRule("authorization", "Bearer ", _PATHS, betas=("oauth-2025-04-20",))

MODES: Final = {
    AuthMode.API_KEY: ModeRule("x-api-key", "", _PATHS),
    AuthMode.WORKLOAD_IDENTITY: _BEARER,
    AuthMode.SUBSCRIPTION: _BEARER,
}

ANTHROPIC: Final = Dialect(
    protocol="Anthropic",
    modes=MODES,
    beta_header="anthropic-beta",
    request_id_header="request-id",
    first_token=b"content_block_delta",
    read_head=read_head,
    replace_model=replace_model,
    classify=classify,
    windows=windows,
    reader_for=reader_for,
    envelope=envelope,
    last_event=last_event,
    model_list=model_list,
    model_info=model_info,
)
