"""Failures of SDKs that are not installed here, by the shape of their exceptions; keys masked in any text."""

from __future__ import annotations

import pytest

from agentvid.models.failures import describe, is_retryable, read_failure, without_secrets


class StatusError(Exception):
    """As anthropic's and ollama's errors: the status is on the exception."""

    def __init__(self, status_code: int) -> None:
        super().__init__("provider text")
        self.status_code = status_code


class CodeError(Exception):
    """As google-genai's errors: the status is called code."""

    def __init__(self, code: int) -> None:
        super().__init__("provider text")
        self.code = code


class ReadTimeout(Exception):
    """As httpx's: no builtin base, only its name tells."""


class RemoteProtocolError(Exception):
    """As httpx's, when a server hangs up."""


def wrapped(cause: Exception) -> Exception:
    try:
        raise RuntimeError("the SDK's own words") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "status", "retryable"),
    [
        (StatusError(429), "status", 429, True),
        (wrapped(StatusError(529)), "status", 529, True),
        (CodeError(503), "status", 503, True),
        (CodeError(400), "status", 400, False),
        (wrapped(ReadTimeout()), "timeout", 0, True),
        (TimeoutError(), "timeout", 0, True),
        (wrapped(ConnectionResetError("reset")), "connection", 0, True),
        (wrapped(RemoteProtocolError()), "connection", 0, True),
        (ValueError("no JSON"), "other", 0, False),
    ],
)
def test_a_failure_is_read_from_any_layer(error: Exception, kind: str, status: int, retryable: bool) -> None:
    failure = read_failure(error)
    assert (failure.kind, failure.status, is_retryable(failure)) == (kind, status, retryable)
    message, hint = describe(failure, "anthropic", 5.0)
    assert message
    assert hint


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop",
        "sk-proj-AbC_123-xyz456",
        "sk-ant-api03-AAAA-bbbb",
        "AIzaSyA1234567890abcdef",
        "gsk_abcdefgh12345",
        "xai-abcdefgh12345",
        "hf_abcdefgh12345",
        "nvapi-abcdefgh12345",
        "ghp_abcdefgh12345",
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-1234-abcd",
        "eyJhbGciOi.eyJzdWIi.SflKxwRJ",
        "Bearer 0123456789abcdef",
        "bearer 0123456789abcdef",
        "Basic dXNlcjpwYXNz",
        "https://user:hunter22@proxy.local/v1",
        "api_key=0123456789abcdef",
        "?key=0123456789abcdef",
        "access_token=0123456789abcdef",
        "password=hunter22",
    ],
)
def test_keys_are_masked_in_any_sentence(secret: str) -> None:
    bare = secret.split("=")[-1].split(" ")[-1].split("//")[-1].split("@")[0]
    for sentence in (f"request with {secret} failed", f"'{secret}'", f'{{"header": "{secret}"}}', secret):
        shown = without_secrets(sentence)
        assert bare not in shown
        assert "***" in shown


def test_a_text_without_keys_stays_as_it_is() -> None:
    assert without_secrets("Unknown\n parameter: 'top_k' (task-based, risk-free)") == (
        "Unknown parameter: 'top_k' (task-based, risk-free)"
    )
