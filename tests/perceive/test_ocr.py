"""Interval logic with a scripted reader; reading itself with the real RapidOCR on drawn frames."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import rapidocr

from agentvid.config import OCR_LETTERS, Settings
from agentvid.egress import Outlet
from agentvid.errors import ModelError, UsageError
from agentvid.media.types import FrameBatch, TextFrame
from agentvid.perceive.ocr import OcrReader, OcrTrack
from agentvid.perceive.text_reader import (
    RapidTextReader,
    TextLine,
    TextReader,
    TextReading,
    agreed,
    capital_i,
    rapidocr_version,
)
from agentvid.types import OCR, Observation, Span

TITLE, BODY, CORNER = (0.1, 0.1, 0.9, 0.2), (0.1, 0.3, 0.9, 0.4), (0.8, 0.02, 0.98, 0.08)


def line(text: str, box: tuple[float, float, float, float] = TITLE, confidence: float = 0.95) -> TextLine:
    return TextLine(text, confidence, box)


class ScriptedReader:
    """Gives the n-th list of lines for the n-th picture."""

    model, revision = "scripted", "1"

    def __init__(self, script: Sequence[Sequence[TextLine]]) -> None:
        self._script = iter(script)

    def read(self, image: np.ndarray) -> list[TextLine]:
        return list(next(self._script))


def watch(script: Sequence[tuple[float, Sequence[TextLine]]], duration_seconds: float = 60.0) -> list[Observation]:
    """Observations of a video whose frames sent at those seconds read so; its small frames are all alike."""
    reader = OcrReader(ScriptedReader([lines for _, lines in script]))
    for seconds, _ in script:
        small = np.zeros((1, 9, 16, 3), np.uint8)
        reader.read(FrameBatch(np.array([seconds]), small, (sent(seconds),)))
    return reader.observations(duration_seconds)


def sent(seconds: float, image: np.ndarray | None = None, *, came: float = np.nan, gone: float = np.nan) -> TextFrame:
    """A text frame of which the gate knows when edges came or went, everywhere, or not at all."""
    maps = [np.full((4, 4), known, np.float32) for known in (came, gone)]
    picture = np.zeros((4, 4, 3), np.uint8) if image is None else image
    return TextFrame(seconds, picture, maps[0], maps[1], (0.25, 0.25))


def rows(found: Sequence[Observation]) -> list[tuple[float, float, str]]:
    assert all(item.track == OCR for item in found)
    return [(item.span.start_seconds, item.span.end_seconds, item.text) for item in found]


def test_the_scripted_reader_is_a_text_reader() -> None:
    reader: TextReader = ScriptedReader([])
    assert reader.read.__doc__ is None


def test_text_lasts_from_the_first_frame_with_it_to_the_first_without() -> None:
    found = watch([(2.0, [line("Hello world")]), (5.0, [line("Hello world")]), (9.0, []), (20.0, [])])
    assert rows(found) == [(2.0, 9.0, "Hello world")]
    assert found[0].provenance.stage == "ocr"
    assert found[0].provenance.model == "scripted"
    assert found[0].attributes == {"kind": "screen", "lines": ["Hello world"], "box": list(TITLE)}


def test_text_of_the_last_frame_lasts_to_the_end() -> None:
    assert rows(watch([(2.0, [line("The end")])], 7.5)) == [(2.0, 7.5, "The end")]


def test_no_text_no_rows() -> None:
    assert watch([(1.0, []), (2.0, [])]) == []
    assert OcrReader(ScriptedReader([])).observations(5.0) == []


def test_misread_letters_are_one_text_in_its_surest_reading() -> None:
    found = watch(
        [(1.0, [line("Hallo worId", confidence=0.7)]), (2.0, [line("Hello world")]), (3.0, [line("Helo world")])]
    )
    assert rows(found) == [(1.0, 60.0, "Hello world")]


def test_a_better_reading_replaces_a_worse_one() -> None:
    found = watch([(1.0, [line("Hallo worId", confidence=0.7)]), (2.0, [line("Hello world", confidence=0.99)])])
    assert rows(found) == [(1.0, 60.0, "Hello world")]
    assert found[0].confidence == pytest.approx(0.99)


def test_text_that_is_typed_is_one_growing_text() -> None:
    found = watch([(1.0, [line("Init")]), (2.0, [line("Initiate Sea")]), (3.0, [line("Initiate Search Program")])])
    assert rows(found) == [(1.0, 60.0, "Initiate Search Program")]


def test_other_text_in_the_same_place_is_another_row() -> None:
    found = watch([(1.0, [line("First subtitle here")]), (3.0, [line("Something else now")]), (5.0, [])])
    assert rows(found) == [(1.0, 3.0, "First subtitle here"), (3.0, 5.0, "Something else now")]


@pytest.mark.parametrize("second", ["The secret word is SADDLE", "ThesecretwordisSADDLE"])
def test_another_word_in_the_same_sentence_is_another_text(second: str) -> None:
    found = watch([(1.0, [line("The secret word is VIOLIN")]), (4.0, [line(second)]), (8.0, [])])
    assert rows(found) == [(1.0, 4.0, "The secret word is VIOLIN"), (4.0, 8.0, second)]


def test_the_text_of_a_second_over_a_moving_picture_is_timed_by_its_letters() -> None:
    """A frame is sent late, for text that came and for text that went; the small frames in between tell when."""
    rng, times = np.random.default_rng(4), np.arange(0.0, 6.0, 0.04)
    images = rng.integers(60, 120, (len(times), 90, 160, 3)).astype(np.uint8)
    shown = (times >= 2.0) & (times < 3.0)
    letters = rng.random((9, 128, 1)) < 0.4
    images[shown, 9:18, 16:144] = np.where(letters, 255, images[shown, 9:18, 16:144])
    script = {0.52: [], 2.64: [line("for one second")], 3.64: []}
    reader = OcrReader(ScriptedReader(list(script.values())))
    for first in range(0, len(times), 10):
        part = slice(first, first + 10)
        frames = tuple(sent(at) for at in script if times[part][0] <= at <= times[part][-1])
        reader.read(FrameBatch(times[part], images[part], frames))
    ((start, end, _),) = rows(reader.observations(6.0))
    assert (start, end) == pytest.approx((2.0, 3.0), abs=1e-6)


def test_the_gates_times_count_where_the_small_frames_show_nothing() -> None:
    """A cut behind the letters looks like a change of the place; the gate knows that the letters stayed."""
    reader = OcrReader(ScriptedReader([[line("for one second")], []]))
    small = np.zeros((1, 9, 16, 3), np.uint8)
    reader.read(FrameBatch(np.array([2.64]), small, (sent(2.64, came=2.0),)))
    reader.read(FrameBatch(np.array([3.64]), small, (sent(3.64, gone=3.0),)))
    assert rows(reader.observations(6.0)) == [(2.0, 3.0, "for one second")]


@pytest.mark.parametrize(("came", "count"), [(np.nan, 1), (2.5, 2)])
def test_a_sentence_that_is_drawn_anew_with_a_like_word_is_another_text(came: float, count: int) -> None:
    """HARBOUR may be misread as HARBOUK, where the letters stand that stood there; not where other ones were drawn."""
    reader = OcrReader(ScriptedReader([[line("The secret word is HARBOUR")], [line("The secret word is MARBLE")]]))
    small = np.zeros((1, 9, 16, 3), np.uint8)
    reader.read(FrameBatch(np.array([1.0]), small, (sent(1.0, came=0.5),)))
    reader.read(FrameBatch(np.array([3.0]), small, (sent(3.0, came=came),)))
    assert len(rows(reader.observations(6.0))) == count


def test_one_digit_more_is_another_text() -> None:
    found = watch([(1.0, [line("Chapter 3 of 9")]), (20.0, [line("Chapter 4 of 9")]), (40.0, [])])
    assert rows(found) == [(1.0, 20.0, "Chapter 3 of 9"), (20.0, 40.0, "Chapter 4 of 9")]


def test_one_missed_reading_does_not_split_a_text() -> None:
    found = watch([(1.0, [line("Logo text")]), (2.0, []), (3.0, [line("Logo text")]), (8.0, [])])
    assert rows(found) == [(1.0, 8.0, "Logo text")]


def test_text_that_comes_back_later_is_a_second_row() -> None:
    found = watch([(1.0, [line("Logo text")]), (2.0, []), (6.0, []), (9.0, [line("Logo text")]), (10.0, [])])
    assert rows(found) == [(1.0, 2.0, "Logo text"), (9.0, 10.0, "Logo text")]


def test_lines_of_one_slide_are_one_row_in_reading_order() -> None:
    slide = [line("second point", (0.1, 0.5, 0.5, 0.56)), line("Title"), line("first point", (0.1, 0.3, 0.5, 0.36))]
    found = watch([(1.0, [*slide, line("LIVE", CORNER)]), (9.0, [line("LIVE", CORNER)])])
    assert rows(found) == [(1.0, 9.0, "Title first point second point"), (1.0, 60.0, "LIVE")]
    assert found[0].attributes["lines"] == ["Title", "first point", "second point"]


def test_columns_are_read_one_after_the_other() -> None:
    left = [line(f"left {name}", (0.05, top, 0.4, top + 0.05)) for name, top in (("a", 0.3), ("b", 0.4))]
    right = [line(f"right {name}", (0.55, top, 0.9, top + 0.05)) for name, top in (("a", 0.3), ("b", 0.4))]
    found = watch([(1.0, [line("Two columns"), *right, *left])])
    assert rows(found)[0][2] == "Two columns left a left b right a right b"


def test_a_page_of_text_becomes_rows_of_bounded_length() -> None:
    page = [line(f"{number} " + "words " * 12, (0.1, number / 40, 0.9, (number + 0.8) / 40)) for number in range(30)]
    found = watch([(1.0, page)])
    assert len(found) > 3
    assert all(len(item.text) <= 600 for item in found)
    assert " ".join(item.text for item in found).split()[0] == "0"


def test_a_running_clock_is_a_row_per_ten_seconds_with_every_reading() -> None:
    script = [(float(second), [line(f"00:{second:02d}", CORNER), line("Channel Four")]) for second in range(40)]
    found = watch(script, 40.0)
    clock = [item for item in found if "readings" in item.attributes]
    assert [item.span for item in clock] == [Span(start, start + 10.0) for start in (0.0, 10.0, 20.0, 30.0)]
    assert "00:25" in clock[2].text
    assert [25.0, "00:25"] in clock[2].attributes["readings"]
    assert (0.0, 40.0, "Channel Four") in rows(found)


def test_noise_is_dropped() -> None:
    noise = [
        line("blurry thing", confidence=0.5),
        line("...", BODY),
        line("U", BODY),
        line("ab", CORNER, 0.7),
        line("  "),
    ]
    assert watch([(1.0, noise)]) == []
    assert rows(watch([(1.0, [line("7", CORNER), line("葱", BODY)])])) == [(1.0, 60.0, "7 葱")]


def test_text_of_strangers_is_cleaned() -> None:
    found = watch([(1.0, [line("pay\u202e now\x1b[31m\u200b!")])])
    assert rows(found)[0][2] == "pay now[31m!"


def written(text: str, size: tuple[int, int] = (640, 360), scale: float = 1.2, row: int = 180) -> np.ndarray:
    picture = np.full((size[1], size[0], 3), 40, np.uint8)
    cv2.putText(picture, text, (40, row), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 2, cv2.LINE_AA)
    return picture


@pytest.fixture(scope="module")
def engine() -> RapidTextReader:
    return RapidTextReader()


def test_rapidocr_reads_what_is_drawn_and_where(engine: RapidTextReader) -> None:
    lines = engine.read(written("Stream ciphers"))
    assert [found.text.replace(" ", "") for found in lines] == ["Streamciphers"]
    left, top, right, bottom = lines[0].box
    assert left == pytest.approx(40 / 640, abs=0.03)
    assert top < 0.5 < bottom + 0.05
    assert right == pytest.approx((40 + 285) / 640, abs=0.08)
    assert lines[0].confidence > 0.9
    assert engine.model.startswith("rapidocr/")
    assert engine.revision


def test_two_readings_that_agree_outvote_a_surer_one() -> None:
    readings = [TextReading("isMIOLIN", 0.98), TextReading("isVIOLIN", 0.9), TextReading("is VIOLIN", 0.93)]
    assert agreed(readings) == TextReading("isVIOLIN", 0.93)


def test_where_all_readings_differ_the_surest_is_kept() -> None:
    assert agreed([TextReading("a", 0.7), TextReading("b", 0.9), TextReading("c", 0.8)]) == TextReading("b", 0.9)


def test_no_more_readings_are_made_than_are_needed() -> None:
    def script(*found: TextReading) -> Iterator[TextReading]:
        yield from found
        raise AssertionError("read once more")

    assert agreed(script(TextReading("sure", 0.995))).text == "sure"
    assert agreed(script(TextReading("two", 0.8), TextReading("two", 0.9))).confidence == 0.9


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("GLAClER", "GLACIER"),
        ("THE VlOLlN lNDEX", "THE VIOLIN INDEX"),
        ("Small and tall, ClA", "Small and tall, CIA"),
        ("HTMl", "HTMl"),
        ("calling al Bl", "calling al Bl"),
        ("", ""),
    ],
)
def test_an_l_between_capitals_is_an_i(read: str, meant: str) -> None:
    assert capital_i(read) == meant


@pytest.mark.parametrize(("size", "scale"), [((640, 160), 1.2), ((480, 120), 0.7), ((300, 100), 0.8)])
def test_words_of_several_sizes_are_read_whole(engine: RapidTextReader, size: tuple[int, int], scale: float) -> None:
    for word in ("THUNDER", "GLACIER", "VIOLIN"):
        found = engine.read(written(word, size, scale, row=size[1] // 2))
        assert [read.text for read in found] == [word]


def test_rapidocr_reads_only_changed_lines_again(engine: RapidTextReader) -> None:
    first = engine.read(written("Chapter 3"))
    second = engine.read(written("Chapter 3"))
    assert second[0] is first[0]
    assert [found.text for found in engine.read(written("Chapter 8"))] == ["Chapter 8"]


def test_rapidocr_reads_small_pictures_and_finds_nothing_in_blank_ones(engine: RapidTextReader) -> None:
    assert [found.text for found in engine.read(written("GATE 12", size=(240, 136), scale=0.6, row=70))] == ["GATE 12"]
    assert engine.read(np.full((360, 640, 3), 90, np.uint8)) == []
    assert engine.read(np.zeros((8, 8, 3), np.uint8)) == []


def test_intervals_are_exact_where_the_small_frames_show_the_change(engine: RapidTextReader) -> None:
    """The gate sends a frame some looks late; the interval still begins and ends on the frame."""

    def screen(seconds: float) -> np.ndarray:
        return written("Breaking news") if 2.0 <= seconds < 4.0 else np.full((360, 640, 3), 40, np.uint8)

    times = np.arange(150) / 25
    small = np.stack([cv2.resize(screen(seconds), (160, 90), interpolation=cv2.INTER_AREA) for seconds in times])
    reader = OcrReader(engine)
    for first in range(0, 150, 50):
        part = slice(first, first + 50)
        frames = tuple(sent(s, screen(s)) for s in (0.0, 2.6, 4.56) if times[part][0] <= s <= times[part][-1])
        reader.read(FrameBatch(times[part], small[part], frames))
    assert rows(reader.observations(6.0)) == [(2.0, 4.0, "Breaking news")]


def test_a_recogniser_of_ones_own_is_read_with(engine: RapidTextReader, tmp_path: Path) -> None:
    own = tmp_path / "mine.onnx"
    shutil.copy(Path(rapidocr.__file__).parent / "models" / f"{engine.model.split('/')[1]}.onnx", own)
    reader = RapidTextReader(str(own))
    assert reader.model == "rapidocr/mine"
    assert [line.text for line in reader.read(written("Ticket prices"))] == ["Ticket prices"]


def test_a_recogniser_that_is_none_or_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ocr_letters: nowhere\.onnx: no such file"):
        RapidTextReader("nowhere.onnx")
    fake = tmp_path / "fake.onnx"
    fake.write_text("just text")
    with pytest.raises(ModelError, match=r"fake\.onnx' cannot be used: "):
        RapidTextReader(str(fake))


@pytest.mark.parametrize("letters", OCR_LETTERS)
def test_other_letters_are_fetched_only_where_that_is_allowed(letters: str, tmp_path: Path) -> None:
    kept = Outlet(kept=frozenset({"downloads"}))
    with pytest.raises(UsageError, match=f"the recogniser '{letters}' is not here and would come from www"):
        RapidTextReader(letters, cache=tmp_path, outlet=kept)
    damaged = tmp_path / "rapidocr" / f"{letters}_PP-OCRv5_rec_mobile.onnx"
    damaged.parent.mkdir()
    damaged.write_bytes(b"half of it")
    with pytest.raises(UsageError, match="is not here"):
        RapidTextReader(letters, cache=tmp_path, outlet=kept)


def test_other_letters_make_another_stage_and_the_usual_ones_the_same() -> None:
    assert OcrTrack().parameters(Settings()) == {"rapidocr": rapidocr_version(), "minimum_confidence": 0.6}
    assert OcrTrack().parameters(Settings(ocr_letters="korean")) != OcrTrack().parameters(Settings())
    with pytest.raises(ValueError, match="allowed: arabic, cyrillic"):
        Settings(ocr_letters="klingon")


def test_rapidocr_is_silent_and_needs_no_network() -> None:
    """A fresh process that may not connect reads a picture and writes nothing but its result."""
    code = """
import socket
def refuse(*arguments, **options): raise AssertionError("network")
socket.socket.connect = refuse
import numpy, cv2
from agentvid.perceive.text_reader import RapidTextReader
picture = numpy.zeros((200, 400, 3), numpy.uint8)
cv2.putText(picture, "Quiet", (40, 120), 0, 2, (255, 255, 255), 3)
print(RapidTextReader().read(picture)[0].text)
RapidTextReader().read(picture * 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["Quiet"]
    assert done.stderr == ""


def test_a_missing_package_is_named_with_the_command_that_adds_it() -> None:
    code = """
import sys
sys.modules["rapidocr"] = None
from agentvid.errors import MissingDependency
from agentvid.perceive.ocr import OcrReader
try:
    OcrReader()
except MissingDependency as error:
    print(error, "|", error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "rapidocr" in done.stdout
    assert "pip install" in done.stdout
