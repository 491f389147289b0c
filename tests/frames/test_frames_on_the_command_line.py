"""Frames from the command line, with the scripted embedder that knows colours: indexing, searching, explaining."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agentvid import Library
from agentvid.cli import main
from agentvid.config import Settings
from agentvid.types import Json, Span
from tests.frames.conftest import FILMS, truth, write_film
from tests.frames.tiny_clip import draw

EMBEDDER = "scripted:colours"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    for name in ("one.mp4", "two.mp4"):
        write_film(folder / name, FILMS[name])
    return folder


@pytest.fixture(scope="module")
def home(folder: Path) -> Path:
    """A library of both films."""
    home = folder / "library"
    with Library.open(settings=_settings(home)) as library:
        assert not library.add([folder / "one.mp4", folder / "two.mp4"]).to_json()["failed"]
    return home


def _settings(home: Path) -> Settings:
    return Settings(library=home, cache=home, frame_embedder=EMBEDDER, ocr=False, embed=False)


@pytest.fixture
def agentvid(home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """(exit code, stdout, stderr) of a command about that library."""
    for name, value in {"FRAME_EMBEDDER": EMBEDDER, "OCR": "false", "EMBED": "false"}.items():
        monkeypatch.setenv(f"AGENTVID_{name}", value)

    def run(*arguments: str) -> tuple[int, str, str]:
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main(["--library", str(home), *arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, out.getvalue(), err.getvalue()

    return run


def _is_scene(hit: Json, name: str, colour: str, shape: str) -> bool:
    found = Span(hit["start"], hit["end"])
    return Path(hit["video"]).name == name and found.iou(Span(*truth(name, colour, shape))) >= 0.5


def test_words_a_picture_and_a_frame_find_the_scene(agentvid: Command, tmp_path: Path) -> None:
    picture = tmp_path / "yellow.png"
    Image.fromarray(draw("yellow", "ring", centre=(0.5, 0.5), radius=0.3, grey=100)).save(picture)
    for asked in (["a yellow thing"], ["--image", str(picture)], ["--frame", "two.mp4@3"]):
        code, out, _ = agentvid("search", *asked, "-k", "1", "--json")
        (hit,) = json.loads(out)["hits"]
        assert code == 0
        assert hit["track"] == "frame"
        assert _is_scene(hit, "two.mp4", "yellow", "cross"), (asked, hit)


@pytest.mark.parametrize(("name", "colour", "shape"), [("one.mp4", "green", "cross"), ("two.mp4", "yellow", "cross")])
@pytest.mark.parametrize("question", ["When does the {} thing appear?", "Where is the {} thing?"])
def test_an_answer_cites_the_whole_scene(agentvid: Command, question: str, name: str, colour: str, shape: str) -> None:
    code, out, _ = agentvid("ask", question.format(colour), "--json")
    cited = json.loads(out)["evidence"]
    assert code == 0
    assert [item["track"] for item in cited] == ["frame"]
    assert _is_scene(cited[0], name, colour, shape), cited


def test_an_explained_hit_of_frames_tells_its_run_and_its_best_frame(agentvid: Command) -> None:
    code, out, _ = agentvid("search", "something green", "-k", "1", "--explain")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert any(line.startswith("fit ") and "runs of frames; best frame: frame 1 (cosine " in line for line in lines)
    assert not any(line.startswith(("words:", "evidence:")) for line in lines)
    explained = json.loads(agentvid("search", "something green", "--explain", "--json")[1])["hits"]
    plain = json.loads(agentvid("search", "something green", "--json")[1])["hits"]
    assert [{name: hit[name] for name in plain[0]} for hit in explained] == plain


def test_what_does_not_go_together_is_a_usage_error(agentvid: Command, tmp_path: Path) -> None:
    for extra in (["--explain"], ["--level", "video"], ["--track", "speech"], ["a query"]):
        code, out, err = agentvid("search", "--frame", "one.mp4@2", *extra)
        assert (code, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
    code, _, err = agentvid("search", "--image", str(tmp_path / "none.png"))
    assert code == 1
    assert "none.png" in err


def test_a_library_without_frames_says_how_to_get_them(tmp_path: Path, folder: Path) -> None:
    bare = _settings(tmp_path / "bare").model_copy(update={"frame_embedder": ""})
    with Library.open(settings=bare) as library:
        library.add([folder / "one.mp4"])
    with (
        Library.open(settings=bare) as library,
        pytest.raises(Exception, match="no video of the library has vectors of frames") as caught,
    ):
        library.search_picture(frame="one.mp4@2")
    assert "AGENTVID_FRAME_EMBEDDER" in getattr(caught.value, "hint", "")


def test_another_name_of_a_scripted_embedder_is_refused(tmp_path: Path, folder: Path) -> None:
    wrong = _settings(tmp_path / "wrong").model_copy(update={"frame_embedder": "scripted:shapes"})
    with Library.open(settings=wrong) as library, pytest.raises(Exception, match="allowed: scripted:colours"):
        library.add([folder / "one.mp4"])


def test_indexing_twice_gives_the_same_bits(home: Path, folder: Path, tmp_path: Path) -> None:
    with Library.open(settings=_settings(tmp_path / "again")) as library:
        library.add([folder / "one.mp4", folder / "two.mp4"])
    with Library.open(settings=_settings(home)) as library:
        assert _content(library) == _content(Library.open(settings=_settings(tmp_path / "again")))


def _content(library: Library) -> str:
    (space,) = library.catalogue.spaces("frames")
    digest = hashlib.sha256()
    for video in sorted(library.catalogue.videos(), key=lambda video: video.content_hash):
        for row in library.catalogue.observations(video.id):
            digest.update(json.dumps([row.span.to_json(), row.track, row.text]).encode())
    for _, vectors in library.catalogue.iter_vectors(space):
        digest.update(np.ascontiguousarray(vectors).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("question", ["How many times does the blue ring appear?", "Does a blue ring ever appear?"])
def test_what_only_frames_could_show_is_not_counted_from_texts(agentvid: Command, question: str) -> None:
    """Frames are compared, not counted: where nothing else tells what is shown, nothing can be denied."""
    _, out, _ = agentvid("ask", question, "--json")
    answer = json.loads(out)
    assert answer["abstained"]
    assert {item["track"] for item in answer["evidence"]} == {"frame"}
