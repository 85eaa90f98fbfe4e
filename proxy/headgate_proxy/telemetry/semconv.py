"""Names of span attributes: OpenTelemetry's GenAI and HTTP semantic conventions, and Headgate's own under ``headgate.``.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ (the Python package's constants of these names
are deprecated since the conventions moved to a repository of their own).
"""

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
OPERATION_CHAT: Final = "chat"
OPERATION_GENERATE_CONTENT: Final = "generate_content"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""All input tokens: those read from and written to the cache are part of it, other than in the vendor's own count."""
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"

REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

AUTH_MODE: Final = "headgate.auth.mode"
SKIPPED: Final = "headgate.auth.skipped"
ACCOUNT: Final = "headgate.account"
FALLBACK_FROM: Final = "headgate.fallback.from"
FALLBACK_TO: Final = "headgate.fallback.to"
FALLBACK_REASON: Final = "headgate.fallback.reason"
HEADGATE_PROVIDER: Final = "headgate.provider"
REVISION: Final = "headgate.revision"
TRACK: Final = "headgate.track"
POLICY: Final = "headgate.policy"
ROLLOUT: Final = "headgate.rollout.revision"
TRACK_DECIDED: Final = "headgate.track.decided"
TRACK_REASON: Final = "headgate.track.reason"
STICKY_SOURCE: Final = "headgate.sticky.source"
STREAMING: Final = "headgate.streaming"
REQUEST_ID: Final = "headgate.request_id"
TRUNCATED: Final = "headgate.response.truncated"
DISCONNECTED: Final = "headgate.client.disconnected"
TIME_TO_FIRST_BYTE: Final = "headgate.time_to_first_byte_seconds"
REFRESH_OUTCOME: Final = "headgate.refresh.outcome"
FAILURE_REASON: Final = "headgate.failure.reason"
CALLER_NAMESPACE: Final = "headgate.caller.namespace"
CALLER_SERVICE_ACCOUNT: Final = "headgate.caller.service_account"
CALLER_POD: Final = "headgate.caller.pod"

SPAN_TRACK: Final = "headgate.track"
SPAN_SELECT: Final = "headgate.select"
SPAN_FALLBACK: Final = "headgate.fallback"
EVENT_FIRST_BYTE: Final = "headgate.first_byte"
EVENT_ATTEMPT_FAILED: Final = "headgate.attempt_failed"
"""One attempt failed before the first byte; the reason is in ``headgate.failure.reason``."""

EVENT_REFRESH_ASKED: Final = "headgate.refresh_asked"
"""The request waited for a refresh of its account's token; what came of it is in ``headgate.refresh.outcome``."""

EVENT_NOT_RELAYED: Final = "headgate.not_relayed"
"""No canary pod took the request; the reason is in ``headgate.track.reason``."""

OPERATION_OF_PATH: Final = {
    "/messages": OPERATION_CHAT,
    "/chat/completions": OPERATION_CHAT,
    "/responses": OPERATION_CHAT,
    ":generateContent": OPERATION_GENERATE_CONTENT,
    ":streamGenerateContent": OPERATION_GENERATE_CONTENT,
}
"""By how the path that was asked ends."""

PROVIDER_OF_PROTOCOL: Final = {"Anthropic": "anthropic", "OpenAI": "openai", "Gemini": "gcp.gemini"}
