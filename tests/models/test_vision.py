"""Pictures reach a model in order and whole: a real server on loopback decodes what a real client sends."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest

from agentvid.errors import ModelError, UsageError
from agentvid.media import Frame
from agentvid.media.render import Scene, read_burnt_time, render_video
from agentvid.models import load_vision
from agentvid.models.base import Picture
from agentvid.models.scripted import Line, ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.models.scripted_vision import Look, ScriptedVision
from agentvid.watch.drawing import compressed
from agentvid.watch.layout import Budget, lay_out


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["OPENAI_API_KEY"] = "sk-unused-key"
    yield
    os.environ.clear()
    os.environ.update(before)


def parts_of(frames: list[Frame]) -> list[str | Picture]:
    plates = lay_out(frames, "frames", Budget(20, 4_000_000, 20_000))
    return ["What happens?", *(part for plate in plates for part in (plate.caption, compressed(plate.image)))]


def greys(*seconds: float) -> list[Frame]:
    return [Frame(time, np.full((72, 128, 3), 20 + int(20 * time), np.uint8)) for time in seconds]


def times_seen(look: Look) -> str:
    return " ".join(f"{read_burnt_time(shown.image):.2f}" for shown in look.shown)


def test_a_server_reads_in_the_pictures_the_times_that_their_captions_tell(tmp_path: Path) -> None:
    from agentvid.media import frames_at

    path = tmp_path / "v.mp4"
    render_video(path, [Scene(4, motion="right")], size=(320, 180))
    eyes = ScriptedVision(times_seen)
    with ScriptedServer(eyes) as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        reply = load_vision("openai:any", 10.0).look("You look.", parts_of(frames_at(path, [0.4, 1.0, 3.6])))
    assert reply.text == "0.40 1.00 3.60"
    (look,) = eyes.looks
    assert (look.system, look.text.splitlines()[0]) == ("You look.", "What happens?")
    assert [shown.seconds for shown in look.shown] == [(0.4,), (1.0,), (3.6,)]
    assert {shown.image.shape for shown in look.shown} == {(180, 320, 3)}
    blocks = server.requests[0]["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["text", *["text", "image_url"] * 3]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (parts_of(greys(2.0, 1.0)), "image 2 at 1 s comes after 2 s"),
        (["t=1 s", Picture(b"GIF89a", "image/gif", 0, 0)], "are no image"),
        (["t=1 s", Picture(compressed(greys(1.0)[0].image).data, "image/jpeg", 64, 64)], "was announced as 64x64"),
    ],
)
def test_what_no_model_should_be_sent_is_refused(parts: list[str | Picture], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ScriptedVision(["never said"]).look("", parts)


def test_the_server_refuses_pictures_in_the_wrong_order_and_what_is_no_picture() -> None:
    with ScriptedServer(ScriptedVision(["never said"])) as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        with pytest.raises(ModelError, match="comes after"):
            load_vision("openai:any", 10.0).look("", parts_of(greys(2.0, 1.0)))
        for url in ("https://example.org/a.jpg", "data:image/png;base64,?", "data:text/plain;base64,AAAA"):
            content = [{"type": "image_url", "image_url": {"url": url}}]
            body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
            request = urllib.request.Request(f"{server.base_url}/chat/completions", data=body)
            with pytest.raises(HTTPError) as caught:
                urllib.request.urlopen(request, timeout=5)
            assert caught.value.code == 400
            caught.value.close()


def test_a_chat_model_behind_the_server_still_reads_the_words() -> None:
    chat = ScriptedChat(["a reply"])
    with ScriptedServer(chat, faults=[Fault(status=503)]) as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url
        assert load_vision("openai:any", 10.0).look("s", parts_of(greys(1.0))).text == "a reply"
    assert chat.calls[0].user.splitlines() == ["What happens?", "Frame 1 at t=1.00 s:"]


def test_a_script_file_and_its_lines(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- {reply: a door, when: t=2.00}\n- nothing\n", "utf-8")
    eyes = load_vision(f"scripted:{script}", 1.0)
    assert [eyes.look("", parts_of(greys(time))).text for time in (1.0, 2.0)] == ["nothing", "a door"]
    with pytest.raises(ModelError, match="has no reply"):
        eyes.look("", ["anything"])
    assert ScriptedVision([Line("x")]).reply("", "words only").text == "x"
    with pytest.raises(UsageError, match="names no provider"):
        load_vision("gpt-4o", 1.0)
