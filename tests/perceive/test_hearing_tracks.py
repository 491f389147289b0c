"""Speech, sound and objects from rendered videos to rows, gaps and answers, through the library and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from agentvid import media
from agentvid.cli.app import app
from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.library import Library
from agentvid.media.limits import DEFAULT
from agentvid.media.render import Scene, render_video
from agentvid.media.types import Frame, FrameBatch, MediaInfo
from agentvid.models.base import Samples
from agentvid.models.object_detector import Detection
from agentvid.perceive.base import Reading, Source, Watched
from agentvid.perceive.hysteresis import Hysteresis
from agentvid.perceive.objects import ObjectReader, ObjectTrack
from agentvid.perceive.sound import SoundTrack, listen
from agentvid.types import Span

#: (seconds, hertz): a sentence of four words, a pause, a sentence of two.
SPOKEN = [(2.0, 0), (0.8, 300), (0.2, 0), (0.8, 500), (0.2, 0), (0.8, 700), (0.2, 0), (0.8, 900), (3.0, 0)]
SPOKEN += [(0.8, 500), (0.2, 0), (0.8, 900), (1.4, 0)]
WORDS = {"300": "Harbour", "500": "bridge", "700": "over", "900": "tide."}


def render(path: Path, **options: Any) -> Path:
    scenes = [Scene(seconds, (40, 90, 60), tone_hertz=hertz) for seconds, hertz in SPOKEN]
    render_video(path, scenes, size=(160, 90), audio="tone", burn_time=False, **options)
    return path


def script(folder: Path, **more: Any) -> str:
    file = folder / "script.json"
    file.write_text(json.dumps({"words": WORDS, "language": "en", **more}))
    return f"scripted:{file}"


def index(folder: Path, *paths: Path, expect: int = 0, **settings: Any) -> dict[str, Any]:
    arguments = ["--library", str(folder / "library"), "index", "--no-ocr", "--no-embed", "--json"]
    environment = {f"AGENTVID_{name.upper()}": str(value) for name, value in settings.items()}
    done = CliRunner().invoke(app, [*arguments, *map(str, paths)], env=environment)
    assert done.exit_code == expect, done.output
    return json.loads(done.stdout) if done.stdout.strip().startswith("{") else {"stderr": done.stderr}


def speech(folder: Path) -> list[tuple[str, float, float, str]]:
    with Library.open(folder / "library") as library:
        (video,) = library.list_videos()
        document = library.describe_video(video["video_id"], track="speech")
    return [(row["text"], row["start"], row["end"], row["language"]) for row in document["observations"]]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("talk.mp4", {}),
        ("late.mkv", {"start_offset_seconds": 3.0}),
        ("cut.mov", {"start_offset_seconds": -0.5}),
        ("talk.webm", {}),
    ],
)
def test_what_is_said_is_cited_at_its_seconds(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    path = render(tmp_path / name, **options)
    report = index(tmp_path, path, asr=script(tmp_path))
    assert report["indexed"][0]["observations"]["speech"] == 2
    early = min(options.get("start_offset_seconds", 0.0), 0.0)
    rows = speech(tmp_path)
    assert [row[0] for row in rows] == ["Harbour bridge over tide.", "bridge tide."]
    assert rows[0][1:3] == pytest.approx((2.0 + early, 5.8 + early), abs=0.08)
    assert rows[1][1:3] == pytest.approx((8.8 + early, 10.6 + early), abs=0.08)
    assert {row[3] for row in rows} == {"en"}


def test_subtitles_come_first_and_a_recogniser_only_where_there_are_none(tmp_path: Path) -> None:
    with_subtitles = render(tmp_path / "talk.mp4", subtitles=[(1.0, 3.0, "What the author wrote.")])
    index(tmp_path, with_subtitles, asr=script(tmp_path))
    assert [row[0] for row in speech(tmp_path)] == ["What the author wrote."]
    # Wanted in another language, they do not count.
    sidecar = tmp_path / "talk.de.srt"
    sidecar.write_text("1\n00:00:01,000 --> 00:00:03,000\nGuten Morgen.\n")
    plain = render(tmp_path / "plain.mp4")
    sidecar.rename(tmp_path / "plain.de.srt")
    index(tmp_path, plain, asr=script(tmp_path), subtitle_languages="fr")
    with Library.open(tmp_path / "library") as library:
        rows = library.describe_video("plain.mp4", track="speech")["observations"]
    assert [row["text"] for row in rows] == ["Harbour bridge over tide.", "bridge tide."]


def test_another_recogniser_reads_speech_again_and_nothing_else(tmp_path: Path) -> None:
    path = render(tmp_path / "talk.mp4")
    assert "speech" not in index(tmp_path, path)["indexed"][0]["observations"]
    assert index(tmp_path, path)["skipped"]
    asr = script(tmp_path)
    again = index(tmp_path, path, asr=asr)
    assert again["indexed"][0]["observations"]["speech"] == 2
    assert index(tmp_path, path, asr=asr)["skipped"]
    assert index(tmp_path, path, asr=script(tmp_path, note="another"))["indexed"]


def test_what_cannot_be_heard_is_a_gap_and_exit_code_4(tmp_path: Path) -> None:
    path = render(tmp_path / "talk.mp4")
    report = index(tmp_path, path, expect=4, asr=script(tmp_path, fails_at=[5.0]))
    assert report["indexed"][0]["path"] == str(path)
    assert report["partial"][0]["track"] == "speech"
    assert report["partial"][0]["reason"] == "the script fails at 5 s"
    assert index(tmp_path, path, asr=script(tmp_path))["indexed"]  # it is tried again
    assert len(speech(tmp_path)) == 2


@pytest.mark.parametrize(
    ("asr", "expect", "line"),
    [
        ("whisper", 2, "no speech recogniser is called 'whisper'; allowed: faster-whisper:MODEL"),
        ("hf:/no/such/model", 4, "is not a folder"),
        ("scripted:/no/such/script", 4, "is no script of a recogniser"),
    ],
)
def test_a_wrong_model_is_one_line_and_the_right_exit_code(tmp_path: Path, asr: str, expect: int, line: str) -> None:
    path = render(tmp_path / "talk.mp4")
    arguments = ["--library", str(tmp_path / "library"), "index", "--no-ocr", "--no-embed", str(path)]
    done = CliRunner().invoke(app, arguments, env={"AGENTVID_ASR": asr})
    error = str(done.exception) if isinstance(done.exception, UsageError) else done.stderr
    assert line in error
    assert getattr(done.exception, "exit_code", done.exit_code) == expect


# -- sound -------------------------------------------------------------------------------------------------------


class TonesAreSirens:
    """Scores a window of sound by how much of it is louder than -40 dBFS."""

    name, revision, rate = "tones", "1", 16_000

    def scores(self, samples: Samples) -> dict[str, float]:
        core = samples[len(samples) // 4 : -len(samples) // 4]
        return {"Siren": float(np.mean(np.abs(core) > 0.01)), "Silence": 0.0}


def source(path: Path, **settings: Any) -> Source:
    return Source(path, media.probe(path), "0" * 64, "v1", Settings(**settings), DEFAULT)


def test_sound_events_are_intervals_on_the_clock_of_the_video(tmp_path: Path) -> None:
    path = render(tmp_path / "late.mkv", start_offset_seconds=2.0)
    reading = listen(source(path, sound="x"), TonesAreSirens(), lambda: False)  # type: ignore[arg-type]
    rows = [(row.text, round(row.span.start_seconds), round(row.span.end_seconds)) for row in reading.observations]
    assert rows == [("Siren", 2, 6), ("Siren", 8, 11)]
    assert reading.gaps == []


def test_a_sound_model_that_fails_is_gaps(tmp_path: Path) -> None:
    class Failing(TonesAreSirens):
        def scores(self, samples: Samples) -> dict[str, float]:
            raise RuntimeError("out of memory")

    path = render(tmp_path / "talk.mp4")
    reading = listen(source(path, sound="x"), Failing(), lambda: False)  # type: ignore[arg-type]
    assert [gap.reason for gap in reading.gaps] == ["RuntimeError: out of memory"]
    assert SoundTrack().parameters(Settings()) is None


def test_hysteresis_holds_an_event_through_noise_and_drops_what_never_was_sure() -> None:
    event = Hysteresis(0.5, 0.3, 1.0)
    for at, score in enumerate([0.2, 0.4, 0.6, 0.35, 0.4, 0.1, 0.1, 0.4, 0.45, 0.1, 0.9]):
        event.add(Span(float(at), at + 1.0), score, at)
    found = [(one.span.start_seconds, one.span.end_seconds, one.score, one.most) for one in event.intervals()]
    assert found == [(1.0, 5.0, 0.6, 4), (10.0, 11.0, 0.9, 10)]


# -- objects -----------------------------------------------------------------------------------------------------


class Bright:
    """Sees a lamp where a frame is bright, two where it is brighter."""

    name, revision = "bright", "1"

    def detect(self, image: np.ndarray[Any, Any], labels: Sequence[str], threshold: float) -> list[Detection]:
        if image.mean() < 0:
            raise RuntimeError("no picture")
        lamps = int(image.mean() // 100)
        return [Detection("lamp", 0.9, (0.1 * one, 0.0, 0.1 * one + 0.1, 0.1)) for one in range(lamps)]


def key_frames(brightness: Sequence[float]) -> Iterator[FrameBatch]:
    for at, value in enumerate(brightness):
        image = np.full((4, 4, 3), value, np.int16)
        frame = Frame(float(at), image)  # type: ignore[arg-type]
        yield FrameBatch(np.array([float(at)]), np.zeros((1, 4, 4, 3), np.uint8), key_frames=(frame,))


def read_objects(brightness: Sequence[float], **settings: Any) -> Reading:
    info = MediaInfo("mp4", "h264", 4, 4, 0, float(len(brightness)), 25.0, False, ())
    named = {"objects": "x", "object_labels": ("lamp", "dog"), **settings}
    where = Source(Path("lamps.mp4"), info, "0" * 64, "v1", Settings(**named), DEFAULT)
    with closing(ObjectReader(where, Bright())) as reader:  # type: ignore[arg-type]
        for batch in key_frames(brightness):
            reader.read(batch)
        return reader.finish(Watched(float(len(brightness)), [], [], []))


def test_objects_are_intervals_with_how_many_there_were() -> None:
    reading = read_objects([0, 0, 120, 120, 0, 210, 120, 0, 0, 0, 120])
    rows = [(row.text, row.span.start_seconds, row.span.end_seconds) for row in reading.observations]
    assert rows == [("lamp (2 at once)", 2.0, 7.0), ("lamp", 10.0, 11.0)]
    assert [row.attributes["count"] for row in reading.observations] == [2, 1]


def test_frames_for_which_the_model_fails_are_gaps() -> None:
    reading = read_objects([120, -1, 120, -1, -1, -1, 120, 120])
    spans = [(gap.span.start_seconds, gap.span.end_seconds) for gap in reading.gaps]
    assert spans == [(1.0, 2.0), (3.0, 8.0)]  # after three in a row it is not asked again


def test_a_model_without_anything_to_look_for_is_one_line() -> None:
    with pytest.raises(UsageError, match="object_labels is empty") as caught:
        ObjectTrack().parameters(Settings(objects="x"))
    assert "AGENTVID_OBJECT_LABELS" in caught.value.hint
    assert ObjectTrack().parameters(Settings()) is None


# -- doctor sync -------------------------------------------------------------------------------------------------


def test_doctor_sync_tells_shift_and_command_and_changes_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    scenes, cues, at = [Scene(1.0, tone_hertz=0)], [], 1.0
    while at < 80:
        spoken, quiet = float(random.uniform(0.8, 3.0)), float(random.uniform(0.4, 3.0))
        scenes += [Scene(spoken, tone_hertz=600), Scene(quiet, tone_hertz=0)]
        cues.append((at, at + spoken))
        at += spoken + quiet
    path = tmp_path / "talk.mp4"
    right = [(start, end, f"line {number}") for number, (start, end) in enumerate(cues)]
    render_video(path, scenes, size=(64, 64), rate=5, audio="tone", subtitles=right, burn_time=False)
    sidecar = tmp_path / "talk.en.srt"
    late = [f"{clock(start + 2.5)} --> {clock(end + 2.5)}\nline" for start, end in cues]
    sidecar.write_text("".join(f"{number}\n{cue}\n\n" for number, cue in enumerate(late, start=1)))
    before = sidecar.read_bytes()
    index(tmp_path, path)
    run = CliRunner().invoke(app, ["--library", str(tmp_path / "library"), "doctor", "sync", "--json"])
    embedded, beside = json.loads(run.stdout)["sources"]
    assert run.exit_code == 1
    assert embedded["verdict"] == "in sync"
    assert embedded["shift"] == pytest.approx(0.0, abs=0.1)
    assert beside["verdict"] == "shifted"
    assert beside["shift"] == pytest.approx(-2.5, abs=0.1)
    assert f"pysubs2 --shift-back {-beside['shift']:.2f}s" in beside["hint"]
    assert sidecar.read_bytes() == before
    text = CliRunner().invoke(app, ["--library", str(tmp_path / "library"), "doctor", "sync", "talk.mp4"])
    assert "shifted" in text.stdout
    assert CliRunner().invoke(app, ["--library", str(tmp_path / "library"), "doctor"]).exit_code == 0


def test_doctor_sync_without_anything_to_compare(tmp_path: Path) -> None:
    index(tmp_path, render(tmp_path / "talk.mp4"))
    done = CliRunner().invoke(app, ["--library", str(tmp_path / "library"), "doctor", "sync"])
    assert done.exit_code == 3
    assert "no video here has both sound and enough subtitles" in done.stderr


def clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02}:{milliseconds // 1000:02},{milliseconds % 1000:03}"
