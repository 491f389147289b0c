"""The scripted server speaks the protocol, plain and streamed, and stops when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer


def post(base_url: str, body: bytes, path: str = "/chat/completions") -> Any:
    request = urllib.request.Request(base_url + path, data=body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read()


def chat_body(text: str, **more: Any) -> bytes:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


def test_a_plain_completion() -> None:
    with ScriptedServer(ScriptedChat(lambda system, user: f"{system}+{user}")) as server:
        reply = json.loads(post(server.base_url, chat_body("u")))
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": "s+u"}
    assert reply["usage"] == {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    assert server.requests[0]["model"] == "m"


@pytest.mark.parametrize("text", ["", "x", "a reply of several words, é and 日本"])
def test_a_streamed_completion_joins_to_the_reply(text: str) -> None:
    with ScriptedServer(ScriptedChat([text])) as server:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        lines = post(server.base_url, chat_body("u", **options)).decode().strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"]) == text
    assert events[-1]["usage"]["prompt_tokens"] == 2


def test_langchain_reads_the_stream() -> None:
    from langchain_openai import ChatOpenAI

    with ScriptedServer(ScriptedChat(["several words in a row"])) as server:
        model = ChatOpenAI(model="scripted", base_url=server.base_url, api_key="unused")
        assert "".join(chunk.text for chunk in model.stream("go")) == "several words in a row"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"messages": 7}', b'{"messages": [{"role": "user"}]}'])
def test_what_is_not_a_chat_request_is_refused(body: bytes) -> None:
    with ScriptedServer(ScriptedChat([])) as server, pytest.raises(HTTPError) as caught:
        post(server.base_url, body)
    assert caught.value.code == 400
    caught.value.close()


def test_another_path_and_a_script_that_ended() -> None:
    with ScriptedServer(ScriptedChat([])) as server:
        for path, status in (("/embeddings", 404), ("/chat/completions", 422)):
            with pytest.raises(HTTPError) as caught:
                post(server.base_url, chat_body("u"), path)
            assert caught.value.code == status
            caught.value.close()


def test_faults_are_used_up_in_order_and_leave_the_script_alone() -> None:
    with ScriptedServer(ScriptedChat(["ok"]), faults=[Fault(status=503, headers={"x-why": "test"})]) as server:
        with pytest.raises(HTTPError) as caught:
            post(server.base_url, chat_body("u"))
        assert (caught.value.code, caught.value.headers["x-why"]) == (503, "test")
        caught.value.close()
        assert b"ok" in post(server.base_url, chat_body("u"))


def test_a_dropped_connection() -> None:
    with ScriptedServer(ScriptedChat(["ok"]), faults=[Fault(drop=True)]) as server:
        with pytest.raises((RemoteDisconnected, ConnectionResetError, URLError)):
            post(server.base_url, chat_body("u"))
        assert b"ok" in post(server.base_url, chat_body("u"))


def test_the_server_is_reachable_from_this_machine_only_and_gone_afterwards() -> None:
    with ScriptedServer(ScriptedChat(["ok"])) as server:
        assert server.base_url.startswith("http://127.0.0.1:")
    with pytest.raises(URLError):
        post(server.base_url, chat_body("u"))


def test_as_a_program(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- hello\n", "utf-8")
    command = [sys.executable, "-m", "agentvid.models.scripted_server"]
    with subprocess.Popen([*command, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url = process.stdout.readline().strip()
            assert b"hello" in post(base_url, chat_body("u"))
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()
    failed = subprocess.run([*command, str(tmp_path / "none.yaml")], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "cannot be read" in failed.stderr
    assert "Traceback" not in failed.stderr
