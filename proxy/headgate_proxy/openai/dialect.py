"""OpenAI's two APIs as dialects, with their one mode table.

Sources: OpenAI API docs, "Authentication"; the Codex client for plans (``chatgpt-account-id`` names the account that the token is
of, ``OpenAI-Beta: responses=experimental``). Base URLs of compatible APIs end where the SDKs' ``base_url`` does, so that a path in
the endpoint takes the place of ``/v1``.
"""

from dataclasses import replace
from typing import Final

from headgate_api.reasons import AuthMode
from headgate_proxy.openai import chat, responses
from headgate_proxy.openai.errors import envelope, last_chunk, last_event
from headgate_proxy.openai.failures import classify
from headgate_proxy.openai.models import model_info, model_list
from headgate_proxy.openai.windows import windows
from headgate_proxy.protocols.bodies import replace_model
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.heads import read_head
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.protocols.operation import Operation

MODES: Final = {
    AuthMode.API_KEY: ModeRule(
        "authorization",
        "Bearer ",
        {Operation.CHAT: "/chat/completions", Operation.RESPONSES: "/responses"},
        root="/v1",
        apis={Operation.CHAT: "Chat", Operation.RESPONSES: "Responses"},
    ),
    AuthMode.SUBSCRIPTION: ModeRule(
        "authorization",
        "Bearer ",
        {Operation.RESPONSES: "/codex/responses"},
        apis={Operation.RESPONSES: "Codex"},
        betas=("responses=experimental",),
        account_header="chatgpt-account-id",
        objection=responses.codex_objection,
    ),
}

CHAT: Final = Dialect(
    protocol="OpenAI",
    modes=MODES,
    default_apis=frozenset({"Chat", "Responses"}),
    beta_header="openai-beta",
    request_id_header="x-request-id",
    first_token=b'"delta":{',
    read_head=read_head,
    replace_model=replace_model,
    classify=classify,
    windows=windows,
    reader_for=chat.reader_for,
    envelope=envelope,
    last_event=last_chunk,
    model_list=model_list,
    model_info=model_info,
)
RESPONSES: Final = replace(CHAT, first_token=b".delta", reader_for=responses.reader_for, last_event=last_event)
OPENAI: Final = CHAT
"""For everything that does not depend on the API."""
