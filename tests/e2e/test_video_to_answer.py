"""From rendered files to cited answers, through the commands and in real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentvid.media.render import Scene, render_video

SCENES = (
    Scene(8.0, (28, 52, 84), title="Harbour report", lines=("Spring season",)),
    Scene(10.0, (96, 140, 176), motion="right"),
    Scene(9.0, (244, 240, 228), title="Ticket prices", lines=("Adults 14", "Children 6")),
)
SUBTITLES = (
    (0.4, 3.8, "Good morning from the harbour office."),
    (8.5, 13.0, "The blue ferry carries the mail to the island."),
    (13.2, 17.5, "Two cranes unload the timber at noon."),
    (18.4, 26.0, "These are the ticket prices for the season."),
)


def run(
    *arguments: str, expect: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, "-m", "agentvid", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
        timeout=120,
    )
    assert finished.returncode == expect, finished.stderr
    return finished


def run_json(*arguments: str, expect: int = 0, environment: Mapping[str, str] | None = None) -> Any:
    return json.loads(run(*arguments, "--json", expect=expect, environment=environment).stdout)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One video, rendered once; tests copy it."""
    path = tmp_path_factory.mktemp("rendered") / "harbour.mp4"
    render_video(path, SCENES, subtitles=SUBTITLES, burn_time=False)
    return path


@pytest.fixture(scope="session")
def indexed(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that holds the rendered video, read by every stage."""
    library = tmp_path_factory.mktemp("indexed") / "library"
    run("index", str(rendered), environment={"AGENTVID_LIBRARY": str(library)})
    return library


@pytest.fixture
def quick() -> dict[str, str]:
    """Settings for tests of what happens to files: no OCR, no embeddings."""
    return {"AGENTVID_OCR": "false", "AGENTVID_EMBED": "false"}


def test_fast_says_what_it_costs(rendered: Path, quick: dict[str, str], tmp_path: Path) -> None:
    environment = quick | {"AGENTVID_LIBRARY": str(tmp_path / "fast")}
    told = run("index", "--fast", str(rendered), environment=environment).stderr
    assert "fast: only key frames were decoded" in told


def test_every_track_of_the_default_is_there(indexed: Path, rendered: Path) -> None:
    document = run_json("show", "harbour.mp4", environment={"AGENTVID_LIBRARY": str(indexed)})
    assert {"speech", "ocr", "fact"} <= set(document["tracks"])
    assert document["path"] == str(rendered)
    assert [shot["start"] for shot in document["shots"]] == pytest.approx([0.0, 8.0, 18.0], abs=0.09)
    clips = document["clips"]
    assert clips[0]["start"] == 0.0
    assert clips[-1]["end"] == pytest.approx(27.0, abs=0.05)
    for observation in document["observations"]:
        assert observation["provenance"]["stage"]
        assert observation["provenance"]["model"]


def test_ocr_reads_the_slide_while_it_is_shown(indexed: Path) -> None:
    rows = run_json("show", "harbour", "--track", "ocr", environment={"AGENTVID_LIBRARY": str(indexed)})["observations"]
    slide = next(row for row in rows if "Ticket prices" in row["text"])
    assert "Adults 14" in " ".join(row["text"] for row in rows)
    assert slide["start"] == pytest.approx(18.0, abs=0.6)
    assert slide["end"] == pytest.approx(27.0, abs=0.6)


def test_what_reading_took_is_reported(rendered: Path, tmp_path: Path) -> None:
    environment = {"AGENTVID_EMBED": "false", "AGENTVID_LIBRARY": str(tmp_path / "library")}
    told = run("index", str(rendered), environment=environment).stderr
    assert re.search(r"^reading took: ocr \d+\.\d s \(found on \d+ of \d+ pictures\)", told, re.MULTILINE), told
    shutil.rmtree(tmp_path / "library")
    report = run_json("index", str(rendered), environment=environment)
    (item,) = report["indexed"]
    effort = item["effort"]
    assert sorted(effort) == item["read"]
    assert 1 <= effort["ocr"]["held"] < effort["ocr"]["pictures"], "two of three scenes show no text"
    assert 0 < effort["ocr"]["seconds"] < report["seconds"]
    assert effort["speech"].keys() == {"seconds"}


def test_search_cites_the_second(indexed: Path) -> None:
    found = run_json("search", "ferry with the mail", "-k", "1", environment={"AGENTVID_LIBRARY": str(indexed)})
    hit = found["hits"][0]
    assert "blue ferry" in hit["text"]
    assert hit["start"] == pytest.approx(8.5, abs=0.05)
    assert set(hit["ranks"]) <= {"dense", "lexical"}


def test_answer_quotes_what_is_said(indexed: Path, rendered: Path) -> None:
    answer = run_json("ask", "What does the blue ferry carry?", environment={"AGENTVID_LIBRARY": str(indexed)})
    evidence = {item["id"]: item for item in answer["evidence"]}
    cited = evidence[answer["claims"][0]["evidence"][0]]
    assert not answer["abstained"]
    assert cited["video"] == str(rendered)
    assert cited["quote"] == "The blue ferry carries the mail to the island."
    assert (cited["start"], cited["end"]) == (pytest.approx(8.5, abs=0.05), pytest.approx(13.0, abs=0.05))
    assert answer["coverage"]["videos"] == 1
    trace = run_json("trace", "show", answer["trace_id"], environment={"AGENTVID_LIBRARY": str(indexed)})
    assert trace["program"] == answer["program"]


def test_unanswerable_question_abstains_with_coverage(indexed: Path) -> None:
    answer = run_json(
        "ask", "Which senator won the chess tournament?", expect=3, environment={"AGENTVID_LIBRARY": str(indexed)}
    )
    assert answer["abstained"]
    assert answer["claims"] == []
    assert answer["coverage"]["seconds"] == pytest.approx(27.0, abs=0.1)


def test_choices_are_weighed(indexed: Path) -> None:
    choices = ("--choice", "timber", "--choice", "live chickens", "--choice", "diesel")
    answer = run_json("ask", "What do the cranes unload?", *choices, environment={"AGENTVID_LIBRARY": str(indexed)})
    assert answer["choice"] == "timber"


def test_search_process_loads_no_training_or_vision_library(indexed: Path) -> None:
    code = (
        "import sys; from agentvid import Library\n"
        "with Library.open() as library: assert library.search('ferry')\n"
        "print([m for m in ('torch', 'transformers', 'cv2', 'scenedetect', 'av', 'langgraph') if m in sys.modules])"
    )
    environment = os.environ | {"AGENTVID_LIBRARY": str(indexed)}
    finished = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_second_run_does_nothing(rendered: Path, quick: dict[str, str]) -> None:
    run("index", str(rendered), environment=quick)
    report = run_json("index", str(rendered), environment=quick)
    assert report["indexed"] == []
    assert report["skipped"] == [{"path": str(rendered), "reason": "unchanged"}]


def test_moved_file_is_recognised(rendered: Path, tmp_path: Path, quick: dict[str, str]) -> None:
    first, second = tmp_path / "a.mp4", tmp_path / "sub" / "b.mp4"
    shutil.copy(rendered, first)
    before = run_json("index", str(first), environment=quick)["indexed"][0]["video_id"]
    second.parent.mkdir()
    first.rename(second)
    assert run_json("index", str(second), environment=quick)["skipped"][0]["reason"] == f"moved from {first}"
    videos = run_json("ls")["videos"]
    assert [(video["video_id"], video["path"]) for video in videos] == [(before, str(second))]


def test_two_files_of_one_name_both_live(rendered: Path, tmp_path: Path, quick: dict[str, str]) -> None:
    other = tmp_path / "other" / "harbour.mp4"
    other.parent.mkdir()
    render_video(other, SCENES[:2], subtitles=SUBTITLES[:2], burn_time=False)
    report = run_json("index", str(rendered), str(other), environment=quick)
    assert len({item["video_id"] for item in report["indexed"]}) == 2
    ambiguous = run("show", "harbour.mp4", expect=2)
    assert str(rendered) in ambiguous.stderr
    assert str(other) in ambiguous.stderr


def test_changed_file_replaces_its_old_content(rendered: Path, tmp_path: Path, quick: dict[str, str]) -> None:
    path = tmp_path / "talk.mp4"
    shutil.copy(rendered, path)
    old = run_json("index", str(path), environment=quick)["indexed"][0]["video_id"]
    render_video(path, SCENES[:1], subtitles=((1.0, 5.0, "Only a lighthouse remains."),), burn_time=False)
    new = run_json("index", str(path), environment=quick)["indexed"][0]["video_id"]
    assert [video["video_id"] for video in run_json("ls")["videos"]] == [new]
    assert new != old
    assert run_json("search", "cranes unload timber", "--track", "speech", expect=3)["hits"] == []


def test_new_sidecar_is_noticed(rendered: Path, tmp_path: Path, quick: dict[str, str]) -> None:
    path = tmp_path / "talk.mp4"
    shutil.copy(rendered, path)
    run("index", str(path), environment=quick)
    (tmp_path / "talk.de.srt").write_bytes("1\n00:00:02,000 --> 00:00:04,000\nDie Fähre kommt spät.\n".encode("cp1252"))
    report = run_json("index", str(path), environment=quick)
    assert report["indexed"][0]["observations"]["speech"] == len(SUBTITLES) + 1
    rows = run_json("show", "talk.mp4", "--track", "speech")["observations"]
    assert ("de", "Die Fähre kommt spät.") in [(row["language"], row["text"]) for row in rows]


def test_removed_video_is_gone_everywhere(rendered: Path, quick: dict[str, str]) -> None:
    run("index", str(rendered), environment=quick)
    run("rm", "harbour.mp4")
    assert run_json("ls")["videos"] == []
    run("search", "ferry", expect=3)
    assert run_json("doctor")["ok"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.mp4", b""), ("notes.mp4", b"just some text\n" * 50), ("noise.mkv", bytes(range(256)) * 40)],
)
def test_bad_files_are_failed_rows_and_the_good_one_goes_in(
    rendered: Path, tmp_path: Path, quick: dict[str, str], name: str, content: bytes
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(rendered, folder / "good.mp4")
    (folder / name).write_bytes(content)
    report = run_json("index", str(folder), expect=4, environment=quick)
    assert [Path(item["path"]).name for item in report["indexed"]] == ["good.mp4"]
    assert [Path(item["path"]).name for item in report["failed"]] == [name]
    assert report["failed"][0]["error"]
    states = {Path(video["path"]).name: video["state"] for video in run_json("ls")["videos"]}
    assert states == {"good.mp4": "ready", name: "failed"}


def test_truncated_file_keeps_what_it_holds(tmp_path: Path, quick: dict[str, str]) -> None:
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    render_video(whole, SCENES, burn_time=False)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    report = run_json("index", str(cut), environment=quick)
    assert 1.0 < report["indexed"][0]["duration"] < 26.0
    assert report["warnings"]
    assert run_json("ls")["videos"][0]["state"] == "partial"


def test_killed_at_any_moment_then_finished(rendered: Path, tmp_path: Path, quick: dict[str, str]) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        render_video(folder / f"{number}.mp4", SCENES[:1], subtitles=((1.0, 3.0 + number, f"Part {number}."),))
    for seconds in (0.5, 0.9, 1.3, 1.7, 2.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "agentvid", "index", str(folder)],
            env=os.environ | quick,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if Path(os.environ["AGENTVID_LIBRARY"]).exists():
            for video in run_json("ls")["videos"]:
                assert video["state"] == "ready"
                assert video["tracks"]["speech"] == 1
    report = run_json("index", str(folder), environment=quick)
    assert len(report["indexed"]) + len(report["skipped"]) == 6
    assert run_json("doctor")["ok"]
