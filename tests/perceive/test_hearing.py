"""Words of a recogniser have the video's times, each is there once, and what fails is a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.config import Settings
from agentvid.errors import ModelError
from agentvid.media.limits import DEFAULT
from agentvid.media.types import MediaInfo
from agentvid.models.base import Samples, Transcript, Word
from agentvid.models.scripted_speech import ScriptedRecognizer
from agentvid.perceive.base import Source
from agentvid.perceive.hearing import RATE, WINDOW_SECONDS, Window, hear, sentences_of, text_of, windows
from agentvid.perceive.partial import inside
from agentvid.types import Json

INFO = MediaInfo("mp4", "h264", 320, 180, 0, 600.0, 25.0, True, ())
SOURCE = Source(Path("talk.mp4"), INFO, "0" * 64, "v1", Settings(), DEFAULT)
WORDS = {300.0: "harbour", 500.0: "bridge", 700.0: "tide", 900.0: "mill."}


def tone(hertz: float, seconds: float) -> Samples:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def talk(spoken: Sequence[tuple[float, float, float]], seconds: float) -> Samples:
    """`spoken` are (start, end, hertz)."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for start, end, hertz in spoken:
        samples[round(start * RATE) : round(start * RATE) + round((end - start) * RATE)] = tone(hertz, end - start)
    return samples


def chunked(samples: Samples, start_seconds: float = 0.0) -> Iterator[tuple[float, Samples]]:
    for first in range(0, len(samples), 10 * RATE):
        yield start_seconds + first / RATE, samples[first : first + 10 * RATE]


class Exact:
    """Knows what is said and when; errs as real models do: times waver, and what touches a window's edge is cut off."""

    name, revision = "exact", "1"

    def __init__(self, words: Sequence[Word], waver_seconds: float = 0.0) -> None:
        self.parameters: Json = {}
        self._words = words
        self._waver = waver_seconds
        self.calls: list[tuple[float, float]] = []

    def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
        end_seconds = start_seconds + len(samples) / RATE
        self.calls.append((start_seconds, end_seconds))
        shift = self._waver if len(self.calls) % 2 else -self._waver
        heard = []
        for word in self._words:
            if word.end_seconds <= start_seconds or word.start_seconds >= end_seconds:
                continue
            is_cut = word.start_seconds < start_seconds or word.end_seconds > end_seconds
            text = word.text[: len(word.text) // 2] if is_cut else word.text
            heard.append(Word(word.start_seconds + shift, word.end_seconds + shift, text))
        return Transcript(tuple(heard), "en")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    seconds=st.floats(1.0, 130.0),
    start_seconds=st.floats(0.0, 50.0),
    waver_seconds=st.sampled_from([0.0, 0.1, 0.2]),
)
def test_no_word_is_lost_or_doubled_however_the_sound_is_cut(
    seed: int, seconds: float, start_seconds: float, waver_seconds: float
) -> None:
    random = np.random.default_rng(seed)
    words: list[Word] = []
    samples = np.zeros(round(seconds * RATE), np.float32)
    at = float(random.uniform(0, 1))
    while at + 0.6 < seconds:
        end = at + float(random.uniform(0.15, 0.6))
        words.append(Word(start_seconds + at, start_seconds + end, f"word{len(words)}"))
        samples[round(at * RATE) : round(end * RATE)] = 0.2
        at = end + float(random.uniform(0.0, 0.4))
    model = Exact(words, waver_seconds)
    reading = hear(chunked(samples, start_seconds), model, SOURCE)
    assert " ".join(row.text for row in reading.observations).split() == [word.text for word in words]
    assert all(end - start <= WINDOW_SECONDS + 1e-6 for start, end in model.calls)
    starts = [row.span.start_seconds for row in reading.observations]
    assert starts == sorted(starts)


def test_the_same_word_said_again_and_again_stays_as_often() -> None:
    words = [Word(at, at + 0.4, "no") for at in np.arange(0.0, 60.0, 0.5).tolist()]
    samples = np.full(60 * RATE, 0.2, np.float32)
    reading = hear(chunked(samples), Exact(words, 0.05), SOURCE)
    assert " ".join(row.text for row in reading.observations).split() == ["no"] * 120


def test_words_that_windows_hear_differently_change_hands_in_a_pause() -> None:
    class Moody(Exact):
        def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
            heard = super().recognize(samples, start_seconds)
            mood = "a" if len(self.calls) % 2 else "b"
            return Transcript(tuple(Word(w.start_seconds, w.end_seconds, w.text + mood) for w in heard.words))

    words = [Word(at, at + 0.5, f"w{at:.0f}") for at in np.arange(0.2, 50.0, 1.0).tolist()]
    samples = talk([(word.start_seconds, word.end_seconds, 300.0) for word in words], 50.0)
    reading = hear(chunked(samples), Moody(words), SOURCE)
    said = " ".join(row.text for row in reading.observations).split()
    assert [word[:-1] for word in said] == [word.text for word in words]


def test_times_are_those_of_the_sound_across_breaks_and_late_starts() -> None:
    first = talk([(1.0, 1.5, 300.0), (2.0, 2.6, 500.0)], 5.0)
    second = talk([(0.5, 1.0, 700.0)], 3.0)
    reading = hear([(2.5, first), (20.0, second)], ScriptedRecognizer(WORDS, language="en"), SOURCE)
    rows = [(row.text, row.span.start_seconds, row.span.end_seconds) for row in reading.observations]
    assert [text for text, _, _ in rows] == ["harbour bridge", "tide"]
    assert rows[0][1:] == pytest.approx((3.5, 5.1), abs=0.03)
    assert rows[1][1:] == pytest.approx((20.5, 21.0), abs=0.03)
    assert {row.language for row in reading.observations} == {"en"}


def test_a_window_that_fails_is_a_gap_and_the_others_are_heard() -> None:
    spoken = [(float(at), at + 0.5, 300.0) for at in range(0, 100, 2)]
    reading = hear(chunked(talk(spoken, 100.0)), ScriptedRecognizer(WORDS, fails_at=[40.0]), SOURCE)
    (gap,) = reading.gaps
    assert gap.span.start_seconds <= 40.0 < gap.span.end_seconds
    assert gap.span.duration_seconds <= WINDOW_SECONDS
    assert gap.reason == "the script fails at 40 s"
    heard = [row.span for row in reading.observations]
    assert not any(span.start_seconds < 40.0 < span.end_seconds for span in heard)
    assert min(span.start_seconds for span in heard) < 1.0
    assert max(span.end_seconds for span in heard) > 98.0


def test_a_model_that_is_gone_is_not_asked_for_hours() -> None:
    class Gone(Exact):
        def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
            self.calls.append((start_seconds, 0.0))
            raise ModelError("the server is gone")

    model = Gone(())
    reading = inside(hear(chunked(np.full(600 * RATE, 0.1, np.float32)), model, SOURCE), 600.0)
    assert len(model.calls) == 3
    (gap,) = reading.gaps
    assert (gap.span.start_seconds, gap.span.end_seconds) == (0.0, 600.0)


def test_silence_is_not_sent() -> None:
    model = Exact([Word(5.0, 6.0, "invented")])
    assert hear(chunked(np.zeros(40 * RATE, np.float32)), model, SOURCE).observations == []
    assert model.calls == []


@pytest.mark.parametrize(
    "word",
    [
        Word(-5.0, -4.0, "before"),
        Word(50.0, 60.0, "after"),
        Word(3.0, 2.0, "backwards"),
        Word(1.0, 2.0, " \x00 "),
        Word(float("nan"), 2.0, "nowhere"),
    ],
)
def test_nonsense_of_a_model_is_left_out(word: Word) -> None:
    class Nonsense(Exact):
        def recognize(self, samples: Samples, start_seconds: float) -> Transcript:
            return Transcript((word, Word(0.5, 1.0, "x" * 100_000, 7.0)), "Klingon")

    reading = hear([(0.0, np.full(5 * RATE, 0.1, np.float32))], Nonsense(()), SOURCE)
    (row,) = reading.observations
    assert len(row.text) <= 200
    assert row.confidence == 1.0
    assert row.language == ""


def test_memory_is_one_window_however_long_the_sound() -> None:
    def endless() -> Iterator[tuple[float, Samples]]:
        for index in range(400):
            yield index * 10.0, np.full(10 * RATE, 0.1, np.float32)

    longest = max(len(window.samples) for window in windows(endless()))
    assert longest == WINDOW_SECONDS * RATE


def test_the_end_is_not_heard_twice() -> None:
    cut: list[Window] = list(windows(chunked(np.zeros(28 * RATE, np.float32))))
    assert [(window.start_seconds, window.joins) for window in cut] == [(0.0, False)]
    cut = list(windows(chunked(np.zeros(29 * RATE, np.float32))))
    assert [(window.start_seconds, window.joins) for window in cut] == [(0.0, False), (24.0, True)]


def test_sentences_end_at_stops_pauses_and_after_a_while() -> None:
    words = [Word(0.0, 0.4, " Good"), Word(0.5, 0.9, " morning."), Word(1.0, 1.5, " Then"), Word(4.0, 4.5, " later")]
    assert [text_of(sentence) for sentence in sentences_of(words)] == ["Good morning.", "Then", "later"]
    endless = [Word(float(at), at + 0.9, "and") for at in range(60)]
    assert max(len(sentence) for sentence in sentences_of(endless)) == 15
    assert text_of([Word(0, 1, "你"), Word(1, 2, "好"), Word(2, 3, " a")]) == "你好 a"
