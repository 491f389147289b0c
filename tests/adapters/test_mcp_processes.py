"""`agentvid mcp` as clients run it: a process on stdio, and a server on a port of loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from agentvid import Library
from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.cli import main
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from tests.adapters.conftest import BREAD, import_rows

TOKEN = "0123456789abcdef" * 4
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory, quick_settings: Any) -> Path:
    """A library on the disk with one text-only video."""
    folder = tmp_path_factory.mktemp("served") / "library"
    with Library.open(folder, settings=quick_settings) as library:
        import_rows(library, {"bread": BREAD})
    return folder


def environment(directory: Path) -> dict[str, str]:
    return {
        "AGENTVID_LIBRARY": str(directory),
        "AGENTVID_EMBED": "false",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }


def start(directory: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agentvid", "mcp", *arguments],
        env={**os.environ, **environment(directory), **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def on_stdio(directory: Path) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=["-m", "agentvid", "mcp"], env=environment(directory))


async def ask_everything(client: Client) -> None:
    listed = (await client.list_tools()).tools
    assert {tool.name: tool.input_schema for tool in listed} == {
        name: tool.input_schema for name, tool in DOOR_TOOLS.items()
    }
    told: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    question = {"question": "When is the salt added?"}
    answer = await client.call_tool("ask_video", question, progress_callback=on_progress)
    assert answer.structured_content["evidence"][0]["quote"] == "Then add the salt."
    assert len(told) >= 4
    long = await client.call_tool("ask_video", {"question": "x" * 1_000_000})
    assert long.is_error
    assert not (await client.call_tool("list_videos", {})).is_error


def test_a_client_on_stdio(directory: Path) -> None:
    async def run() -> None:
        async with Client(on_stdio(directory)) as client:
            await ask_everything(client)

    anyio.run(run)


def said(process: subprocess.Popen[str], message: Mapping[str, Any]) -> Any:
    """The reply to a message, which must be the next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_stdout_is_the_wire_whatever_comes_in(directory: Path) -> None:
    """Garbage is answered or dropped, every line out is JSON-RPC, and the end of stdin ends the process."""
    process = start(directory)
    assert process.stdin is not None
    assert said(process, HELLO)["result"]["serverInfo"]["name"] == "agentvid"
    for garbage in ("not json", '{"jsonrpc": "2.0"}', "[]", "{" * 2_000, '"\\ud800"', "", "x" * 1_000_000):
        process.stdin.write(garbage + "\n")
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n")
    call = {"name": "search_moments", "arguments": {"query": "salt"}}
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}) + "\n")
    process.stdin.flush()
    lines: list[dict[str, Any]] = []
    assert process.stdout is not None
    while not lines or lines[-1].get("id") != 7:
        lines.append(json.loads(process.stdout.readline()))
    assert lines[-1]["result"]["structuredContent"]["moments"]
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    out, err = process.communicate(timeout=20)
    assert out == ""
    assert "Traceback" not in err
    assert process.returncode == 0


def test_two_servers_answer_from_one_library(directory: Path) -> None:
    async def run() -> None:
        async with Client(on_stdio(directory)) as one, Client(on_stdio(directory)) as other:
            for client in (one, other, one):
                found = await client.call_tool("search_moments", {"query": "salt"})
                assert found.structured_content["moments"]

    anyio.run(run)


def test_a_client_that_dies_ends_the_process_though_a_model_hangs(directory: Path) -> None:
    asked, let_go = threading.Event(), threading.Event()

    def reply(system: str, user: str) -> str:
        asked.set()
        let_go.wait(60)
        return "late"

    with ScriptedServer(ScriptedChat(reply)) as model:
        variables = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "none", "AGENTVID_MODEL": "openai:slow"}
        process = start(directory, **variables)
        assert process.stdin is not None
        said(process, HELLO)
        call = {"name": "ask_video", "arguments": {"question": "Why is salt in bread, and who says so?"}}
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}) + "\n")
        process.stdin.flush()
        assert asked.wait(30)
        process.stdin.close()
        assert process.wait(20) == 0
        let_go.set()
        assert process.stdout is not None
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_traceback(directory: Path, number: int) -> None:
    process = start(directory)
    said(process, HELLO)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    assert process.returncode in (130, -signal.SIGTERM, 143)


@contextmanager
def served(directory: Path, *arguments: str) -> Iterator[tuple[str, int]]:
    """(URL, port) of a server that ends with the block."""
    process = start(directory, "--transport", "http", "--port", "0", *arguments)
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://\S+:(\d+)/mcp", line)
    assert found, line + process.stderr.read()
    try:
        yield found[0], int(found[1])
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert "Traceback" not in err
        assert TOKEN not in err
        assert err.replace("\n", "").isprintable()
        assert out == ""


@pytest.fixture(scope="module")
def open_server(directory: Path) -> Iterator[tuple[str, int]]:
    with served(directory) as server:
        yield server


@pytest.fixture(scope="module")
def guarded_server(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    file = tmp_path_factory.mktemp("secrets") / "token"
    file.write_text(TOKEN + "\n")
    with served(directory, "--token", str(file)) as server:
        yield server


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_over_http(open_server: tuple[str, int], mode: str) -> None:
    async def run() -> None:
        async with Client(open_server[0], mode=mode) as client:
            await ask_everything(client)

    anyio.run(run)


def post(url: str, **headers: str) -> int:
    given = {"accept": "application/json, text/event-stream", "content-type": "application/json"} | headers
    return httpx2.post(url, json=HELLO, headers=given).status_code


def test_only_this_server_s_own_names_are_answered(open_server: tuple[str, int]) -> None:
    """As a page whose name was made to point here would ask (DNS rebinding), and pages of other sites."""
    url, port = open_server
    own = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]
    foreign = [
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1.evil.example:{port}",
        f"localhost:{port}.evil.example",
        f"localhost:{port + 1}",
        "127.0.0.1",
        f"127.0.0.1:{port}@evil.example",
        f"0.0.0.0:{port}",
        f"[::ffff:7f00:1]:{port}",
        f"LOCALHOST.evil:{port}",
    ]
    origins = ["", *(f"http://{host}" for host in own)]
    strange = ["null", *(f"http://{host}" for host in foreign), f"https://localhost:{port}", f"file://localhost:{port}"]
    for host in own:
        for origin in origins:
            assert post(url, host=host, **({"origin": origin} if origin else {})) == 200, (host, origin)
        for origin in strange:
            assert post(url, host=host, origin=origin) == 403, (host, origin)
    for host in foreign:
        for origin in ("", f"http://{host}", f"http://127.0.0.1:{port}"):
            assert post(url, host=host, **({"origin": origin} if origin else {})) == 421, (host, origin)


def test_a_token_is_asked_of_everybody(guarded_server: tuple[str, int]) -> None:
    url, _ = guarded_server
    assert post(url, authorization=f"Bearer {TOKEN}") == 200
    wrong = [
        "",
        "Bearer",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
    ]
    for given in wrong:
        assert post(url, **({"authorization": given} if given else {})) == 401, given
    assert post(f"{url}?token={TOKEN}") == 401

    async def run() -> None:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            assert (await client.list_tools()).tools

    anyio.run(run)


def test_bodies_are_bounded_and_garbage_is_refused(open_server: tuple[str, int]) -> None:
    url, port = open_server
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    assert httpx2.post(url, content=b"x" * (4 * 1024 * 1024 + 1), headers=headers).status_code == 413
    for body in (b"not json", b"[]", b"{}", b'{"jsonrpc": "2.0"}', b"{" * 5_000, b"\xff\xfe"):
        assert 400 <= httpx2.post(url, content=body, headers=headers).status_code < 500, body[:20]
    assert httpx2.post(url, content=b"{}", headers=headers | {"content-type": "text/plain"}).status_code == 400
    assert httpx2.get(f"http://127.0.0.1:{port}/").status_code == 404
    with socket.create_connection(("127.0.0.1", port)) as injecting:
        # A terminal would act on this byte, which is allowed in a header, if it came into the log.
        injecting.sendall(b"POST /mcp HTTP/1.1\r\nHost: x\x9b31m\r\nContent-Type: application/json\r\n\r\n")
        assert b" 421 " in injecting.recv(100)
    with socket.create_connection(("127.0.0.1", port)) as dying:
        dying.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
    assert post(url) == 200


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(["mcp", *arguments])
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.strip().splitlines()
    return int(caught.value.code or 0), line


def test_what_is_not_safe_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weak = tmp_path / "weak"
    weak.write_text("hunter2")
    same = tmp_path / "same"
    same.write_text("a" * 64)
    cases = {
        ("--host", "0.0.0.0"): "there is no token",
        ("--host", "::"): "there is no token",
        ("--token", str(weak)): "fewer than 128 bits",
        ("--token", str(same)): "fewer than 128 bits",
        ("--token", TOKEN): "--token names no file",
        ("--host", "no.such.host.invalid", "--token", "new"): "--host no.such.host.invalid",
        ("--allow-index", str(tmp_path / "nowhere")): "is not a folder",
    }
    for arguments, told in cases.items():
        code, line = refused(capsys, "--transport", "http", *arguments)
        assert code == 2
        assert told in line
        assert TOKEN not in line
    assert refused(capsys, "--transport", "smoke") == (
        2,
        "agentvid: --transport 'smoke' is not allowed; allowed: stdio, http",
    )
    assert refused(capsys, "--token", "new")[0] == 2


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = refused(capsys, "--transport", "http", "--port", str(port))
    assert code == 1
    assert f"port {port} of 127.0.0.1 is in use" in line


def test_a_client_that_goes_away_leaves_the_server_alive(open_server: tuple[str, int]) -> None:
    url, _ = open_server

    async def run() -> None:
        with anyio.move_on_after(0.3):
            async with Client(url) as client:
                await client.call_tool("ask_video", {"question": "Why is salt in bread?"})
                await anyio.sleep(5)
        async with Client(url) as client:
            assert not (await client.call_tool("list_videos", {})).is_error

    anyio.run(run)


def test_other_machines_need_the_token_and_a_name_of_this_server(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    options = ("--host", "0.0.0.0", "--token", str(file), "--allow-host", "films.example")
    with served(directory, *options) as (url, port):
        known = {"authorization": f"Bearer {TOKEN}"}
        assert post(url) == 401
        assert post(url, **known) == 200
        assert post(url, host=f"films.example:{port}", **known) == 200
        assert post(url, host=f"films.example:{port}", origin=f"http://films.example:{port}", **known) == 200
        assert post(url, host=f"other.example:{port}", **known) == 421
        assert post(url, host=f"films.example:{port}", origin="http://other.example", **known) == 403


def test_without_the_sdk_it_names_the_command_that_brings_it(directory: Path) -> None:
    without = "import sys; sys.modules['mcp'] = None; from agentvid.cli import main; main(['mcp'])"
    environ = {**os.environ, **environment(directory)}
    finished = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, env=environ, check=False)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.strip() == "agentvid: mcp is not installed - pip install 'agentvid[mcp]'"
