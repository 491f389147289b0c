"""What went wrong with a chat provider, read from any SDK's exception, in one line that holds no key."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

_RETRYABLE_STATUSES = {408, 409, 429}
_CUT = 200

# Shapes of keys: OpenAI, Anthropic and others (sk-...), Google (AIza...), Groq, xAI, Hugging Face, NVIDIA, GitHub, AWS
# and Slack tokens, JSON web tokens, then whatever follows a header or parameter that carries one.
_KEY_SHAPES = re.compile(
    r"""\b(?:sk|pk|rk)-[\w-]{6,} | AIza[\w-]{10,} | \b(?:gsk|xai|hf|nvapi|r8|ghp|gho|tvly|lsv2|pplx)[_-][\w-]{6,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,} | xox[abprs]-[\w-]+ | \beyJ[\w-]+\.[\w-]+(?:\.[\w-]+)?
    | (?<=://)[^/\s@]+@
    | (?<=bearer\s)\S+ | (?<=basic\s)\S+
    | (?<=key=)[^\s&'"]+ | (?<=token=)[^\s&'"]+ | (?<=password=)[^\s&'"]+""",
    re.VERBOSE | re.IGNORECASE,
)
#: What tells a key from a model's name that begins like one, as hf-internal-testing/tiny.
_RANDOM = re.compile(r"(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{16,}", re.IGNORECASE)
#: The variable that a key of this shape belongs into; the longer beginnings first.
_VARIABLES = {
    "sk-ant-": "ANTHROPIC_API_KEY",
    "sk-": "OPENAI_API_KEY",
    "AIza": "GOOGLE_API_KEY",
    "gsk_": "GROQ_API_KEY",
    "xai-": "XAI_API_KEY",
    "hf_": "HF_TOKEN",
}
#: Of an address as in OPENAI_BASE_URL=https://user:password@host.
_PASSWORDS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
#: Shorter values, as "k" or "none", stand in for keys where none is needed; words of texts would be masked for them.
_SHORTEST_KEY = 6
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_NO_SECRET = "AGENTVID_MAX_TOKENS"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a provider failed. `kind`: "status", "timeout", "connection", "other"; `status` is 0 without a response."""

    kind: str
    message: str
    status: int = 0
    retry_after_seconds: float | None = None

    @property
    def refuses_temperature(self) -> bool:
        return self.status == 400 and "temperature" in self.message.lower()

    @property
    def may_be_of_schema(self) -> bool:
        """True for what providers, and their SDKs on the way there, answer to a schema that they do not take."""
        return self.status in (400, 422, 501) or self.kind == "other"


def read_failure(error: BaseException) -> Failure:
    """Classify an exception by itself and its causes: SDKs wrap the HTTP library's errors in their own."""
    chain = list(_causes(error))
    message = without_secrets(f"{type(error).__name__}: {error}")
    for cause in chain:
        response = getattr(cause, "response", None)
        for status in (
            getattr(cause, "status_code", None),
            getattr(cause, "code", None),
            getattr(response, "status_code", None),
        ):
            if isinstance(status, int) and 400 <= status < 600:
                return Failure("status", message, status, _retry_after(getattr(response, "headers", None) or {}))
    names = " ".join(type(cause).__name__ for cause in chain)
    if any(isinstance(cause, TimeoutError) for cause in chain) or "Timeout" in names:
        return Failure("timeout", message)
    if any(isinstance(cause, ConnectionError) for cause in chain) or re.search(
        r"Connect|ReadError|ProtocolError", names
    ):
        return Failure("connection", message)
    return Failure("other", message)


def is_retryable(failure: Failure) -> bool:
    """True for failures that may pass: 408, 409, 429, 5xx, timeouts and broken connections."""
    return failure.status in _RETRYABLE_STATUSES or failure.status >= 500 or failure.kind in {"timeout", "connection"}


def describe(failure: Failure, provider: str, timeout_seconds: float) -> tuple[str, str]:
    """(what happened, what helps)."""
    variable = {"google_genai": "GOOGLE_API_KEY"}.get(provider, f"{provider.upper()}_API_KEY")
    if failure.kind == "timeout":
        return f"no reply within {timeout_seconds:g} s", "raise model_timeout_seconds, or choose a faster model"
    if failure.kind == "connection":
        return f"the connection failed ({failure.message})", "check the network and the provider's base URL"
    if failure.status in {401, 403}:
        return f"the provider refused the key (HTTP {failure.status})", f"check {variable}"
    if failure.status == 404:
        return f"no such model or address (HTTP 404: {failure.message})", "check the model's name and the base URL"
    if failure.status == 429:
        wait = "" if failure.retry_after_seconds is None else f"; it asks for {failure.retry_after_seconds:.0f} s"
        return f"too many requests, or no credit left (HTTP 429{wait})", "wait, or check the account's limits"
    if failure.status >= 500:
        return f"the provider failed (HTTP {failure.status})", "try again later, or choose another model"
    if failure.status:
        return f"the request was refused (HTTP {failure.status}: {failure.message})", "check what the model accepts"
    if "api_key" in failure.message.lower() or "api key" in failure.message.lower():
        return "no key is set", f"set {variable}"
    return f"the reply could not be read ({failure.message})", "check that the base URL speaks the provider's protocol"


def masked(text: str) -> str:
    """`text` with *** for what looks like a key, and for the keys of this process's environment."""
    return _KEY_SHAPES.sub("***", without_own_keys(text))


def without_own_keys(text: str) -> str:
    """`text` with *** for the keys of this process's environment, and nothing else changed."""
    for value in sorted(_own_keys(), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _own_keys() -> Iterator[str]:
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name) and name != _NO_SECRET:
            found: tuple[str, ...] = (value, value.strip())
        else:
            found = tuple(match[1] for match in _PASSWORDS.finditer(value)) if "://" in value else ()
        yield from (secret for secret in found if len(secret) >= _SHORTEST_KEY)


def holds_key(text: str) -> bool:
    """True for a key of this process's environment, and for what is surely one; `masked` hides more than that."""
    found = (match[0] for match in _KEY_SHAPES.finditer(text))
    return without_own_keys(text) != text or any(key.endswith("@") or _RANDOM.search(key) for key in found)


def variable_of_key(text: str) -> str:
    """The environment variable that a provider's package reads such a key from; "" if the shape does not tell."""
    return next((variable for head, variable in _VARIABLES.items() if head in text), "")


def without_secrets(text: str) -> str:
    """One masked line of at most 200 characters."""
    line = " ".join(masked(text).split())
    return line if len(line) <= _CUT else f"{line[:_CUT]}..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds of a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3)."""
    value = str(headers.get("retry-after", "")).strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return None
