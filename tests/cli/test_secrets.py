"""No key leaves by what is printed or written, however a provider fails and whatever it echoes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentvid.models.failures import masked, without_secrets
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer

_TAIL = "Q7wZ9xK2vB4nM6tR8yU1"
#: Shapes of keys of providers, hubs and clouds; the last have no shape and are known by their variable alone.
KEYS = [
    *(f"{head}{_TAIL}" for head in "sk- sk-proj- sk-ant-api03- sk-or-v1- sk-svcacct- pk- rk- AIzaSy gsk_ xai-".split()),
    *(
        f"{head}{_TAIL}"
        for head in "hf_ nvapi- r8_ ghp_ gho_ tvly- lsv2_pt_ pplx- xoxb- xoxp- xoxa- xoxr- xoxs-".split()
    ),
    f"AKIA{_TAIL.upper()}",
    f"ASIA{_TAIL.upper()}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJz{_TAIL}.{_TAIL}",
    f"eyJhbGciOiJIUzI1NiJ9.{_TAIL}",
    f"sk-{_TAIL}_with-both_{_TAIL}",
]
SHAPED = [
    *KEYS,
    f"https://user:{_TAIL}@api.example",
    f"Authorization: Bearer {_TAIL}",
    f"authorization: basic {_TAIL}==",
    f"GET /v1?key={_TAIL}&x=1",
    f"api_key={_TAIL}",
    f"token={_TAIL}",
    f"password={_TAIL}",
]
#: Known by the variable that holds them.
SHAPELESS = [
    "0123456789abcdef0123456789abcdef",
    "correct horse battery staple",
    "päss wörd №7",
    "a/b+c==&d?e=%2F",
    "x'y\"z$(id)",
]
PROGRAM = 'hits = search(query="launch date")\nanswer(text="It is {}.", evidence=hits)'
#: The embedded planner has no form for it, so that the model is asked.
ASK = [
    "ask",
    "Considering everything, how might the crew feel about the price of the rocket?",
    "--model",
    "openai:scripted",
]


def test_there_are_forty_shapes() -> None:
    assert len({*SHAPED, *SHAPELESS}) == 40


@pytest.mark.parametrize("text", SHAPED)
def test_a_key_is_known_by_its_shape(text: str) -> None:
    for said in (text, f"Incorrect API key provided: {text}.", json.dumps({"error": text})):
        assert _TAIL not in masked(said)
        assert _TAIL.upper() not in masked(said)
        assert _TAIL[:12] not in without_secrets(said)


@pytest.fixture
def sealed(run_in: Callable[..., Any], shelf: Path) -> Iterator[Callable[..., Any]]:
    """Runs command lines against a provider with every key in the environment; no output and no file may hold one."""
    keys = [*KEYS, *SHAPELESS]
    variables = {f"SERVICE{number}_API_KEY": key for number, key in enumerate(keys)}
    said: list[str] = []

    def run(arguments: list[str], *, faults: list[Fault] = [], reply: str = PROGRAM, **more: str) -> Any:  # noqa: B006
        with ScriptedServer(ScriptedChat(lambda _system, _user: reply), faults=faults) as server:
            address = server.base_url.replace("http://", f"http://user:{_TAIL}@")
            environment = {"OPENAI_API_KEY": keys[0], "OPENAI_BASE_URL": address, "OPENAI_API_BASE": address}
            finished = run_in(arguments, folder=shelf, environment={**variables, **environment, **more})
            # To an address of its own nothing comes; all others ask the model.
            assert server.requests or "--model" not in arguments or "OPENAI_BASE_URL" in more
        said.append(finished.stdout + finished.stderr)
        return finished

    yield run
    needles = [*keys, _TAIL, *(json.dumps(key)[1:-1] for key in SHAPELESS)]
    files = {str(path): path.read_bytes() for path in shelf.rglob("*") if path.is_file() and not path.is_symlink()}
    assert said
    for needle in needles:
        assert not [text for text in said if needle in text], needle
        assert not [name for name, data in files.items() if needle.encode() in data], needle


EVERY_KEY = " ".join([*KEYS, *SHAPELESS])


def echoes(status: int, key: str = EVERY_KEY) -> list[Fault]:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {key}", "code": key}}).encode()
    return [Fault(status=status, body=body)] * 8


@pytest.mark.parametrize(("status", "debug"), [(400, "1"), (401, ""), (401, "1"), (404, "")])
def test_an_error_that_echoes_the_key(status: int, debug: str, sealed: Callable[..., Any]) -> None:
    finished = sealed([*ASK, "--thread", "launch"], faults=echoes(status), AGENTVID_DEBUG=debug)
    assert finished.code in {0, 1}
    assert "scripted" in finished.stderr
    for command in (["trace", "show", "last", "--json"], ["trace", "ls"], ["thread", "show", "launch"], ["egress"]):
        sealed(command)


def test_a_key_alone_in_an_error_that_is_short_enough_to_be_shown(sealed: Callable[..., Any]) -> None:
    for key in (*KEYS[::9], *SHAPELESS):
        finished = sealed(ASK, faults=echoes(400, key))
        assert "HTTP 400" in finished.stdout + finished.stderr, finished


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_reply_that_cannot_be_read(debug: str, sealed: Callable[..., Any]) -> None:
    sealed(ASK, faults=[Fault(body=f"<html>{EVERY_KEY}".encode())] * 8, AGENTVID_DEBUG=debug)
    sealed(["trace", "show", "last", "--json"])


@pytest.mark.parametrize("reply", [EVERY_KEY, *(PROGRAM.format(key) for key in (KEYS[25], SHAPELESS[1]))])
def test_a_reply_that_echoes_the_key(reply: str, sealed: Callable[..., Any]) -> None:
    sealed([*ASK, "--thread", "echo", "--json"], reply=reply)
    sealed([*ASK, "--record", "calls.jsonl"], reply=reply)
    sealed(["ask", ASK[1], "--replay", "calls.jsonl"])
    for command in ("trace show last --json", "trace ls --json", "thread show launch --json", "export html last"):
        sealed(command.split())


def test_a_cassette_of_a_call_that_failed(sealed: Callable[..., Any], shelf: Path) -> None:
    sealed([*ASK, "--record", "calls.jsonl"], faults=echoes(401))
    assert (shelf / "calls.jsonl").exists()


@pytest.mark.parametrize(("host", "debug"), [("127.0.0.1:9", ""), ("bad host", "1")])
def test_an_address_with_a_password_that_nobody_answers(host: str, debug: str, sealed: Callable[..., Any]) -> None:
    address = dict.fromkeys(("OPENAI_BASE_URL", "OPENAI_API_BASE"), f"http://user:{_TAIL}@{host}/v1")
    sealed(ASK, **address, AGENTVID_DEBUG=debug)
    sealed(["egress", "--json"], **address)


def test_captions_that_the_provider_refuses(sealed: Callable[..., Any]) -> None:
    line = ["index", "talk.mp4", "--captions", "all", "--captions-model", "openai:scripted", "--json"]
    assert sealed(line, faults=echoes(401)).code == 4
    sealed(["show", "talk.mp4", "--json"])
    sealed(["doctor", "--json"])


def test_settings_and_models(sealed: Callable[..., Any]) -> None:
    for command in ("config --json", "config", "models --json", "--profile api models", "doctor", "doctor --json"):
        sealed(command.split(), AGENTVID_MODEL="openai:scripted")


def test_settings_that_are_keys(sealed: Callable[..., Any], shelf: Path) -> None:
    file = {"AGENTVID_CONFIG": str(shelf / "config.toml")}
    for key in (*KEYS, *SHAPELESS):
        assert sealed(["config", "set", "model", f"openai:{key}"], **file).code == 2
    assert not (shelf / "config.toml").exists()


def test_decoders_are_given_no_key(sealed: Callable[..., Any], shelf: Path) -> None:
    """The environment of every process that is started meanwhile, as the kernel tells it."""
    seen: dict[str, bytes] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for task in Path("/proc/self/task").iterdir():
                try:
                    for child in (task / "children").read_text().split():
                        command = Path(f"/proc/{child}/cmdline").read_bytes()
                        # Before exec it is a copy of this process.
                        if b"worker" in command:
                            seen[child] = Path(f"/proc/{child}/environ").read_bytes()
                except OSError:
                    continue
            done.wait(0.005)

    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("this kernel does not list children")
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        sealed(["index", "talks/", "--fast"])
        sealed(["clip", "talk.mp4@0:01-0:02", "-o", "cut.mp4"])
    finally:
        done.set()
        thread.join()
    assert seen
    for environment in seen.values():
        assert b"PATH=" in environment
        assert not [key for key in (*KEYS, *SHAPELESS, _TAIL) if key.encode() in environment]
