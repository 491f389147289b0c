"""LangChainChat over real HTTP against the scripted server: replies, retries, deadlines, errors without keys."""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.models import load_chat
from agentvid.models.base import Reply
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer

KEY = "sk-proj-Zx9secretQ7secretW3"


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def serving(faults: Sequence[Fault | None] = (), replies: Sequence[str] = ("the answer",)) -> Iterator[ScriptedServer]:
    with (
        ScriptedServer(ScriptedChat(replies), faults=faults) as server,
        environment(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url, OPENAI_API_BASE=server.base_url),
    ):
        yield server


def ask(timeout_seconds: float = 10.0, system: str = "be brief", user: str = "what is it?") -> Reply:
    return load_chat("openai:scripted", timeout_seconds).reply(system, user)


def test_a_reply_has_text_and_tokens_and_the_request_is_plain() -> None:
    with serving() as server:
        assert ask() == Reply("the answer", input_tokens=5, output_tokens=2)
    (request,) = server.requests
    assert request["temperature"] == 0.0
    assert [(message["role"], message["content"]) for message in request["messages"]] == [
        ("system", "be brief"),
        ("user", "what is it?"),
    ]


def test_an_empty_system_prompt_is_left_out() -> None:
    with serving() as server:
        ask(system="")
    assert [message["role"] for message in server.requests[0]["messages"]] == ["user"]


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_the_address_comes_from_the_providers_own_variable(variable: str) -> None:
    with (
        ScriptedServer(ScriptedChat(["here"])) as server,
        environment(**{"OPENAI_API_KEY": KEY, variable: server.base_url}),
    ):
        assert ask().text == "here"


def test_content_in_blocks_is_joined() -> None:
    body = (
        b'{"id":"1","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":[{"type":"text","text":"one "},{"type":"text","text":"two"}]}}]}'
    )
    with serving([Fault(body=body)]):
        assert ask() == Reply("one two")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"retry-after": "0"}),
        Fault(status=429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Fault(status=408),
        Fault(status=409),
        Fault(status=500),
        Fault(status=503),
        Fault(status=529),
        Fault(drop=True),
        Fault(body=b"{}  ", cut_after_bytes=1),
    ],
    ids=lambda fault: f"{fault.status}-{fault.drop}",
)
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    with serving([fault]) as server:
        assert ask().text == "the answer"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        (Fault(status=401), "refused the key (HTTP 401)", "check OPENAI_API_KEY"),
        (Fault(status=403), "refused the key (HTTP 403)", "check OPENAI_API_KEY"),
        (Fault(status=404), "no such model or address (HTTP 404", "the base URL"),
        (Fault(status=400), "refused (HTTP 400", "what the model accepts"),
        (Fault(status=413), "refused (HTTP 413", "what the model accepts"),
        (Fault(status=422), "refused (HTTP 422", "what the model accepts"),
        (Fault(status=429, headers={"retry-after": "61"}), "HTTP 429", "limits"),
        (Fault(status=429, headers={"retry-after": "30"}), "HTTP 429; it asks for 30 s", "limits"),
        (Fault(body=b"<html>a proxy's page</html>"), "could not be read", "protocol"),
        (Fault(body=b"<html>", headers={"content-type": "text/html"}), "could not be read", "protocol"),
        (Fault(body=b""), "could not be read", "protocol"),
        (Fault(body=b"null"), "could not be read", "protocol"),
        (Fault(body=b"{}"), "could not be read", "protocol"),
        (Fault(body=b'{"choices": []}'), "could not be read", "protocol"),
        (Fault(body=b"\xff\xfe{"), "could not be read", "protocol"),
        (Fault(body=b"[" * 100_000), "could not be read", "protocol"),
    ],
)
def test_what_will_not_pass_fails_at_once_in_one_line(fault: Fault, message: str, hint: str) -> None:
    started = time.monotonic()
    with serving([fault, fault, fault, fault]) as server, pytest.raises(ModelError) as caught:
        ask()
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1
    assert str(caught.value).startswith("model 'openai:scripted': ")
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_server_that_stays_broken_is_given_up() -> None:
    with (
        serving([Fault(status=500, headers={"retry-after": "0"})] * 9) as server,
        pytest.raises(ModelError, match="500"),
    ):
        ask()
    assert len(server.requests) == 4


@pytest.mark.parametrize("reply", ["", "  \n "])
def test_an_empty_reply_is_an_error(reply: str) -> None:
    with serving(replies=[reply]), pytest.raises(ModelError, match=r"empty reply \(finish reason: stop\)"):
        ask()


@pytest.mark.parametrize(
    "fault",
    [Fault(delay_seconds=5), Fault(byte_seconds=0.1), Fault(status=500, headers={"retry-after": "5"})],
    ids=["silent", "one byte at a time", "asks to wait longer"],
)
def test_nothing_outlasts_the_deadline(fault: Fault) -> None:
    with serving([fault] * 9):
        chat = load_chat("openai:scripted", 0.5)
        started = time.monotonic()
        with pytest.raises(ModelError):
            chat.reply("", "x")
        assert time.monotonic() - started < 1.5


def test_nobody_listening() -> None:
    with serving() as server:
        address = server.base_url
    with (
        environment(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=address),
        pytest.raises(ModelError, match="the connection failed") as caught,
    ):
        ask(timeout_seconds=1)
    assert "base URL" in caught.value.hint


def test_a_model_that_refuses_the_temperature_is_asked_without() -> None:
    body = b'{"error": {"message": "Unsupported value: temperature does not support 0.0", "type": "x", "code": null}}'
    with serving([Fault(status=400, body=body)]) as server:
        assert ask().text == "the answer"
    assert ["temperature" in request for request in server.requests] == [True, False]


def test_keys_are_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    leaky = (
        b'{"error": {"message": "key %s, also Bearer abc.def and sk-ant-api03-999999 sent", "type": "x"}}'
        % KEY.encode()
    )
    with caplog.at_level(logging.DEBUG):
        for status in (400, 401, 404, 422, 429, 500):
            fault = Fault(status=status, body=leaky, headers={"retry-after": "0"})
            with serving([fault] * 4), pytest.raises(ModelError) as caught:
                ask()
            shown = "".join([*traceback.format_exception(caught.value), caught.value.hint])
            assert not any(secret in shown for secret in (KEY, "abc.def", "999999"))
    assert KEY not in "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("agentvid"))


@pytest.mark.parametrize("name", ["gpt-5", "openai:", ":gpt-5", "", "scripted"])
def test_a_name_without_provider_shows_the_form(name: str) -> None:
    with pytest.raises(UsageError, match="names no provider") as caught:
        load_chat(name, 1)
    assert "openai:MODEL" in caught.value.hint


def test_an_unknown_provider_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no such provider; allowed: .*anthropic.*openai"):
        load_chat("opnai:gpt-5", 1)


def test_a_package_that_is_not_installed_is_named() -> None:
    # A provider that no extra of agentvid installs, so that its package is absent in every test environment.
    with pytest.raises(MissingDependency) as caught:
        load_chat("upstage:solar", 1)
    assert caught.value.hint == "pip install langchain-upstage langchain"


def test_without_a_key_the_variable_is_named() -> None:
    before = os.environ.pop("OPENAI_API_KEY", None)
    try:
        with pytest.raises(ModelError, match="no key is set") as caught:
            ask()
    finally:
        if before is not None:
            os.environ["OPENAI_API_KEY"] = before
    assert caught.value.hint == "set OPENAI_API_KEY"
