"""What leaves the machine is allowed and recorded, or it does not leave. A server on loopback plays the one far away.

`local_hosts = ()` makes it far: then no host counts as this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentvid.config import STAGES, Settings, load_settings
from agentvid.egress import FILE, MAX_BYTES, OLDER_FILE, Outlet, errand, host_of, host_of_address, outlet_of, read_log
from agentvid.errors import LibraryError, ModelError, UsageError
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.models import load_chat, load_embedder, load_vision
from agentvid.models.base import Picture
from agentvid.models.recognizers import load_recognizer
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.types import Answer

KEY = "sk-proj-Zx9secretQ7secretW3"
SAID = "The comet was seen on the ninth of May."
PLAN = 'hits = search(query="comet")\nanswer(evidence=hits)'


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Plans, and then composes nothing; the address and a key are in the environment."""
    chat = ScriptedChat(lambda _system, user: '{"claims": []}' if "JSON object" in user else PLAN)
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")
    before = {name: os.environ.get(name) for name in names}
    with ScriptedServer(chat) as serving:
        os.environ.update(dict.fromkeys(names, serving.base_url) | {"OPENAI_API_KEY": KEY})
        yield serving
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def settings_of(folder: Path, **values: Any) -> Settings:
    given = {"library": folder / "library", "embed": False, "local_hosts": (), **values}
    return load_settings(given, environ={}).settings


def filled(settings: Settings) -> Library:
    library = Library.open(settings=settings)
    row = {"video": "talk", "duration": 60, "track": "speech", "start": 2, "end": 6, "text": SAID}
    library.import_file([json.dumps(row).encode()])
    return library


def test_a_question_that_is_planned_elsewhere_is_recorded_without_its_words(
    tmp_path: Path, server: ScriptedServer
) -> None:
    settings = settings_of(tmp_path, model="openai:scripted")
    with filled(settings) as library:
        answer = library.ask("Tell me in which month a comet appeared, please")
        rows = library.egress()
        videos = [item["video_id"] for item in library.list_videos()]
    assert len(rows) == len(server.requests) > 0
    for row in rows:
        assert (row["stage"], row["provider"], row["model"]) == ("model", "openai", "scripted")
        assert (row["host"], row["content"]) == ("127.0.0.1", "text")
        assert (row["run"], row["videos"]) == (answer.trace_id, videos)
        assert row["bytes"] > 100
    text = (settings.library / FILE).read_text("utf-8")
    assert not any(secret in text for secret in (KEY, "comet", "month"))
    assert sum(row["bytes"] for row in rows) == sum(len(said.encode()) for said in _said(server))


def _said(server: ScriptedServer) -> list[str]:
    return [message["content"] for request in server.requests for message in request["messages"]]


def test_steps_of_a_stream_are_of_one_run_in_whatever_thread_they_are_asked_for(
    tmp_path: Path, server: ScriptedServer
) -> None:
    found: list[Any] = []
    with filled(settings_of(tmp_path, model="openai:scripted")) as library:
        steps = library.stream("Tell me in which month a comet appeared, please")
        while not (found and isinstance(found[-1], Answer)):
            thread = threading.Thread(target=lambda: found.append(next(steps)))
            thread.start()
            thread.join()
        assert {row["run"] for row in library.egress()} == {found[-1].trace_id}


@pytest.mark.parametrize("rules", [{"model": "local"}, {"all": "local", "downloads": "remote"}])
def test_what_is_kept_local_is_refused_before_anything_is_sent(
    tmp_path: Path, server: ScriptedServer, rules: dict[str, str]
) -> None:
    with filled(settings_of(tmp_path, model="openai:scripted", egress=rules)) as library:
        with pytest.raises(UsageError, match=r"^model: openai:scripted is asked over the network at 127") as caught:
            library.ask("Tell me in which month a comet appeared, please")
        assert library.egress() == []
    assert "egress model = remote" in caught.value.hint
    assert server.requests == []


def test_this_machine_may_be_asked_whatever_the_rule(tmp_path: Path, server: ScriptedServer) -> None:
    settings = settings_of(tmp_path, model="openai:scripted", egress={"model": "local"}, local_hosts=("127.0.0.1",))
    with filled(settings) as library:
        library.ask("Tell me in which month a comet appeared, please")
        assert library.egress() == []
    assert server.requests


def test_each_try_of_a_request_is_a_row(tmp_path: Path, server: ScriptedServer) -> None:
    server.faults.extend([Fault(status=503), Fault(status=503)])
    outlet = outlet_of(settings_of(tmp_path), "digests")
    tmp_path.joinpath("library").mkdir()
    with errand("index-1", ["v1"]):
        load_chat("openai:scripted", 20.0, outlet=outlet).reply("", "Sum up")
    rows = read_log(tmp_path / "library")
    assert [(row["stage"], row["bytes"], row["run"], row["videos"]) for row in rows] == [
        ("digests", 6, "index-1", ["v1"])
    ] * 3


def test_frames_and_sound_are_told_apart_and_refused_apart(tmp_path: Path, server: ScriptedServer) -> None:
    settings = settings_of(tmp_path, egress={"captions": "local", "speech": "local"})
    settings.library.mkdir()
    picture = Picture(b"\xff\xd8 no image, but 17", "image/jpeg", 8, 8)
    load_vision("openai:scripted", 5.0, outlet_of(settings, "vision")).look("", ["t=1.00 s", picture])
    (row,) = read_log(settings.library)
    assert (row["stage"], row["content"]) == ("vision", "text+frames")
    assert len(picture.data) <= row["bytes"] - 8 <= len(picture.data) + 2
    with pytest.raises(UsageError, match=r"^captions: "):
        load_vision("openai:scripted", 5.0, outlet_of(settings, "captions"))
    with pytest.raises(UsageError, match=r"^speech: openai:whisper-1 is asked over the network"):
        load_recognizer("openai:whisper-1", outlet_of(settings, "speech"))
    open_ears = load_recognizer("openai:whisper-1", outlet_of(settings_of(tmp_path), "speech"))
    with pytest.raises(ModelError):  # this server transcribes nothing; the sound was on its way all the same
        open_ears.recognize(np.zeros(1600, np.float32), 0.0)
    assert {(row["content"], row["bytes"]) for row in read_log(settings.library)[1:]} == {("audio", 3244)}


@pytest.fixture
def no_hub() -> Iterator[None]:
    """A hub that nobody can reach: nobody listens there."""
    os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
    yield
    del os.environ["HF_ENDPOINT"]


@pytest.mark.usefixtures("no_hub")
def test_a_model_of_a_hub_is_fetched_only_if_downloads_may(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    kept = outlet_of(settings_of(tmp_path, egress={"downloads": "local"}), "downloads")
    with pytest.raises(UsageError, match=r"^downloads: the embedder 'no-such/model' .* from 127\.0\.0\.1") as caught:
        load_embedder("no-such/model", tmp_path, kept).encode_query(["a"])
    assert "hf download no-such/model" in caught.value.hint
    assert read_log(tmp_path / "library") == []
    free = outlet_of(settings_of(tmp_path), "downloads")
    for _ in range(2):
        with suppress(ModelError):  # it cannot be reached
            free.fetch("embedder", "no-such/model", "no-such/model")
    free.fetch("embedder", str(tmp_path), str(tmp_path))  # a folder is asked of nobody
    (row,) = read_log(tmp_path / "library")
    assert (row["stage"], row["host"], row["model"], row["content"]) == (
        "downloads",
        "127.0.0.1",
        "no-such/model",
        "name",
    )


#: In a process of its own: other tests, in this one, may have told the hub's library to ask nobody.
ASK_EACH = """
import json, sys
from pathlib import Path
from agentvid.errors import ModelError
from agentvid.models import load_embedder, load_frame_embedder, load_reranker, load_vision
from agentvid.models.recognizers import load_recognizer

cache = Path(sys.argv[1])
asked = {
    "embedder": lambda: load_embedder("no-such/model", cache).encode_query(["a"]),
    "reranker": lambda: load_reranker("no-such/model").relevance("a", ["b"]),
    "frame embedder": lambda: load_frame_embedder("no-such/model", cache).space,
    "speech recogniser": lambda: load_recognizer("faster-whisper:no-such/model"),
    "vision model": lambda: load_vision("hf:no-such/model", 5.0).look("", ["a"]),
}
told = {}
for kind, ask in asked.items():
    try:
        ask()
    except ModelError as error:
        told[kind] = [str(error), error.hint]
print(json.dumps(told))
"""


def without_hub(program: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The end of a Python program that may ask hubs, and reaches none."""
    settled = {name: value for name, value in os.environ.items() if not name.endswith("OFFLINE")}
    environment = settled | {"HF_ENDPOINT": "http://127.0.0.1:9"} | environ
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=80)


def test_a_hub_that_cannot_be_reached_is_told_at_once(tmp_path: Path) -> None:
    """Its own library tries half a minute for each of several files of each model."""
    done = without_hub(ASK_EACH, str(tmp_path))
    told = json.loads(done.stdout)
    assert set(told) == {"embedder", "reranker", "frame embedder", "speech recogniser", "vision model"}
    for kind, (message, hint) in told.items():
        assert message.startswith(f"the {kind} '")
        assert message.endswith("is not here, and its hub cannot be reached: 127.0.0.1:9: Connection refused")
        assert hint.startswith("once, where there is a network: `hf download no-such/model`; or ")
    assert done.stderr == ""


def test_a_model_that_is_here_needs_no_hub_and_none_is_asked_then(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--some--model"
    (folder / "snapshots" / "0123").mkdir(parents=True)
    (folder / "snapshots" / "0123" / "config.json").write_text("{}")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0123")
    program = (
        "from huggingface_hub import is_offline_mode\nfrom agentvid.egress import OPEN\n"
        "print(is_offline_mode())\nOPEN.fetch('embedder', 'some/model', 'some/model')\nprint(is_offline_mode())"
    )
    assert without_hub(program, HF_HOME=str(tmp_path)).stdout.split() == ["False", "True"]


def test_without_a_record_nothing_is_sent(tmp_path: Path, server: ScriptedServer) -> None:
    outlet = outlet_of(settings_of(tmp_path / "nowhere"), "model")
    with pytest.raises(LibraryError, match="cannot be recorded, so nothing was sent"):
        load_chat("openai:scripted", 5.0, outlet=outlet).reply("", "What?")
    assert server.requests == []


def test_the_record_stays_small_and_keeps_the_newest(tmp_path: Path) -> None:
    outlet = Outlet(local_hosts=(), log=tmp_path)
    outlet.send("openai:first", "far.invalid", sent_bytes=1, content="text")
    with (tmp_path / FILE).open("a") as file:
        file.write(json.dumps({"time": "2020-01-01T00:00:00Z", "filler": "x" * MAX_BYTES}) + "\n")
    for number in range(3):
        outlet.send(f"openai:{number}", "far.invalid", sent_bytes=1, content="text")
    assert (tmp_path / OLDER_FILE).stat().st_size > MAX_BYTES
    since = datetime.now(UTC) - timedelta(minutes=5)
    assert [row["model"] for row in read_log(tmp_path, since=since)] == ["first", "0", "1", "2"]


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    outlet = Outlet(local_hosts=(), log=tmp_path)

    def send() -> None:
        for number in range(50):
            outlet.send(f"openai:{number}", "far.invalid", sent_bytes=number, content="text")

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_log(tmp_path)) == 400


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://user:sk-secret@far.invalid:99/v1", "far.invalid"),
        ("10.0.0.7:11434", "10.0.0.7"),
        ("http://[::1]:8000/v1", "::1"),
        ("", ""),
        ("http://[broken", ""),
    ],
)
def test_a_host_is_read_off_an_address_without_credentials(address: str, host: str) -> None:
    assert host_of_address(address) == host


def test_ollama_elsewhere_is_elsewhere() -> None:
    assert host_of("ollama") == "127.0.0.1"
    os.environ["OLLAMA_HOST"] = "gpu.invalid:11434"
    try:
        assert host_of("ollama") == "gpu.invalid"
        with pytest.raises(UsageError, match=r"gpu\.invalid"):
            Outlet(kept=frozenset({"model"})).check("ollama:any", host_of("ollama"))
    finally:
        del os.environ["OLLAMA_HOST"]


@pytest.mark.parametrize("text", ["captoins=local", "captions=lokal", "captions"])
def test_a_wrong_rule_is_told_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=f"{STAGES[0]}, .*all = local or remote"):
        load_settings(environ={"AGENTVID_EGRESS": text})


def test_rules_come_from_the_environment_too() -> None:
    settings = load_settings(environ={"AGENTVID_EGRESS": "all=local, model=remote", "AGENTVID_LOCAL_HOSTS": "a,b"})
    outlet = outlet_of(settings.settings, "model")
    assert outlet.kept == set(STAGES) - {"model"}
    assert outlet.local_hosts == ("a", "b")


#: Runs in a process of its own: an audit hook cannot be taken away again.
_WATCHED = """
import socket, sys
seen = []
def hook(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            seen.append(f"connect {address}")
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
        seen.append(f"look up {arguments[0]}")
sys.addaudithook(hook)
from agentvid.cli import main
for arguments in (["index", "talk.mp4"], ["search", "comet"], ["ask", "When is the comet mentioned?"]):
    try:
        main([*sys.argv[1:], *arguments])
    except SystemExit as exit_:
        assert not exit_.code, (arguments, exit_.code)
print(len(seen), seen)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    control.connect(("192.0.2.1", 9))
print(len(seen))
"""


@pytest.mark.parametrize("flags", [[], ["--offline"]], ids=["embedded", "offline"])
def test_the_embedded_default_opens_no_connection(tmp_path: Path, flags: list[str]) -> None:
    render_video(tmp_path / "talk.mp4", [Scene(4.0)], size=(320, 180), rate=10, subtitles=[(0.5, 3.0, SAID)])
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # the default must not need them
    environ = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *flags],
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, watched, control = done.stdout.splitlines()
    assert watched == "0 []"
    assert control == "1", "the hook sees what there is to see"
