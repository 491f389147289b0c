"""From sound to sentences by a speech recogniser: windows that overlap, words said once, rows with times.

The sound comes in runs without a break (`media.read_audio`). A run is cut into windows of at most 28 s that overlap by
4 s. Two windows share the words of the overlap: the change from one to the other is made at a word that both of them
heard at the same time, nearest to the middle, as no clock is exact at a window's edge (transformers joins the chunks of
Whisper by their longest common sequence, for the same reason). Where they share no word, the quietest moment of the
overlap decides.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agentvid import media
from agentvid.egress import Outlet, outlet_of
from agentvid.errors import AgentvidError
from agentvid.models.base import Recognizer, Samples, Transcript, Word
from agentvid.models.recognizers import load_recognizer
from agentvid.perceive.base import Reading, Source, reason_of
from agentvid.perceive.languages import language_tag
from agentvid.perceive.partial import MOST_FAILURES, add_gap
from agentvid.perceive.sentences import LONGEST_SENTENCE_SECONDS, PAUSE_SECONDS, ends_sentence
from agentvid.text import clean_text
from agentvid.types import SPEECH, Gap, Observation, Provenance, Span

#: Raise it when the same words become other rows.
REVISION = "1"
RATE = 16_000
WINDOW_SECONDS = 28.0
OVERLAP_SECONDS = 4.0
#: Chunks closer than this are one run.
_BREAK_SECONDS = 0.05
#: A window in which no 30 ms are louder than -60 dBFS is silent; models invent words for silence.
_SILENT_RMS = 0.001
_FRAME = 480
#: Two windows tell the time of a word that differently at most.
_SAME_WORD_SECONDS = 0.5
_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Window:
    """Samples from `start_seconds` on. `joins` says whether it overlaps the window before it."""

    start_seconds: float
    samples: Samples
    joins: bool

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + len(self.samples) / RATE

    @property
    def is_silent(self) -> bool:
        return bool(_loudness(self.samples).max(initial=0.0) < _SILENT_RMS)


def hear(
    chunks: Iterable[tuple[float, Samples]],
    recognizer: Recognizer,
    source: Source,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Reading:
    """Rows of the track `speech`: what `recognizer` hears in the sound of a video, a sentence each.

    `chunks` are (start_seconds, (n,) float32) in time order. A window for which the recogniser fails is a gap; after
    three in a row, all the rest is.
    """
    heard = _Heard()
    gaps: list[Gap] = []
    failures = 0
    for window in windows(chunks):
        if is_cancelled() or failures == MOST_FAILURES:
            break
        try:
            transcript = (
                Transcript(()) if window.is_silent else recognizer.recognize(window.samples, window.start_seconds)
            )
        except Exception as error:  # noqa: BLE001 - a model's errors have no common base; each is kept as a row
            failures += 1
            end_seconds = source.limits.max_seconds if failures == MOST_FAILURES else window.end_seconds
            add_gap(gaps, source.gap(Span(heard.begin_of_unheard(window), end_seconds), SPEECH, reason_of(error)))
            heard.before = None
        else:
            failures = 0
            heard.add(transcript, window)
    rows = [_row(sentence, heard.language, recognizer, source) for sentence in sentences_of(heard.words)]
    return Reading(rows, gaps)


def hear_file(source: Source, recognizers: Recognizers, is_cancelled: Callable[[], bool]) -> Reading:
    """`hear` of the file's sound with the recogniser of the settings.

    Raises ModelError if it cannot be loaded, MediaError if the sound cannot be read.
    """
    recognizer = recognizers.get(source.settings.asr, outlet_of(source.settings, "speech"))
    # Left to itself when the video is given up, the generator ends its decoder process when it is collected.
    return hear(media.read_audio(source.path, sample_rate=RATE, limits=source.limits), recognizer, source, is_cancelled)


def _transcript(window: Window, recognizer: Recognizer) -> Transcript:
    return Transcript(()) if window.is_silent else recognizer.recognize(window.samples, window.start_seconds)


class Recognizers:
    """Loads a recogniser once for all videos; what could not be loaded is not tried again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, Recognizer | AgentvidError] = {}

    def get(self, name: str, outlet: Outlet) -> Recognizer:
        """Raises ModelError, MissingDependency, UsageError as `load_recognizer`."""
        with self._lock:
            if name not in self._loaded:
                try:
                    self._loaded[name] = load_recognizer(name, outlet)
                except AgentvidError as error:
                    self._loaded[name] = error
            found = self._loaded[name]
        if isinstance(found, AgentvidError):
            raise found
        return found


@dataclass(slots=True)
class _Heard:
    """The words so far, and the window that brought the last of them."""

    words: list[Word] = field(default_factory=list)
    before: Window | None = None
    _letters_in: Counter[str] = field(default_factory=Counter)

    @property
    def language(self) -> str:
        """The language of most of the text."""
        return max(self._letters_in, key=lambda tag: self._letters_in[tag], default="")

    def add(self, transcript: Transcript, window: Window) -> None:
        found = _plausible(transcript.words, window)
        self._letters_in[language_tag(transcript.language) or ""] += sum(len(word.text) for word in found)
        self.words = joined(self.words, found, self.before, window)
        self.before = window

    def begin_of_unheard(self, window: Window) -> float:
        return max(window.start_seconds, self.before.end_seconds if self.before and window.joins else 0.0)


def windows(chunks: Iterable[tuple[float, Samples]]) -> Iterator[Window]:
    """The sound cut into windows; at most one window and one chunk are held."""
    start_seconds, held = 0.0, np.empty(0, np.float32)
    joins = False
    size, step = round(WINDOW_SECONDS * RATE), round((WINDOW_SECONDS - OVERLAP_SECONDS) * RATE)
    overlap = size - step
    for seconds, samples in chunks:
        if len(held) and abs(seconds - start_seconds - len(held) / RATE) > _BREAK_SECONDS:
            if not joins or len(held) > overlap:
                yield Window(start_seconds, held, joins)
            held, joins = np.empty(0, np.float32), False
        if not len(held):
            start_seconds = seconds
        held = np.concatenate([held, samples])
        while len(held) >= size:
            yield Window(start_seconds, held[:size], joins)
            held, joins = held[step:], True
            start_seconds += step / RATE
    # What is left after the last window may be nothing but its overlap.
    if len(held) and (not joins or len(held) > overlap):
        yield Window(start_seconds, held, joins)


def joined(words: list[Word], fresh: Sequence[Word], before: Window | None, window: Window) -> list[Word]:
    """`words` so far and those of the next window, each word of their overlap once."""
    if before is None or not window.joins:
        return [*words, *fresh]
    begin, end = window.start_seconds, before.end_seconds
    old = [index for index in range(len(words)) if words[index].end_seconds > begin]
    shared = [
        (abs(_middle(words[index]) - (begin + end) / 2), abs(_middle(word) - _middle(words[index])), index, position)
        for index in old
        for position, word in enumerate(fresh)
        if word.start_seconds < end
        and _letters(word) == _letters(words[index])
        and abs(_middle(word) - _middle(words[index])) <= _SAME_WORD_SECONDS
    ]
    if shared:
        *_, index, position = min(shared)
        return [*words[: index + 1], *fresh[position + 1 :]]
    border = _quietest(window, end)
    return [word for word in words if _middle(word) < border] + [word for word in fresh if _middle(word) >= border]


def sentences_of(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Words in groups: a sentence ends at its full stop, at a pause of 1.5 s, or after 15 s."""
    sentence: list[Word] = []
    for word in words:
        if sentence and (
            word.start_seconds - sentence[-1].end_seconds > PAUSE_SECONDS
            or word.end_seconds - sentence[0].start_seconds > LONGEST_SENTENCE_SECONDS
        ):
            yield sentence
            sentence = []
        sentence.append(word)
        if ends_sentence(text_of(sentence)):
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def text_of(words: Sequence[Word]) -> str:
    """The words as a line. A recogniser of a language without spaces puts them where they belong by itself."""
    if any(word.text[:1].isspace() for word in words):
        return "".join(word.text for word in words).strip()
    return " ".join(word.text for word in words)


def _plausible(words: Iterable[Word], window: Window) -> list[Word]:
    """Words with a text and a time inside the window, in order of time; a model may say anything."""
    found = []
    for word in words:
        start_seconds = min(max(word.start_seconds, window.start_seconds), window.end_seconds)
        end_seconds = min(word.end_seconds, window.end_seconds)
        if clean_text(word.text, limit=200) and start_seconds < end_seconds:
            confidence = min(max(word.confidence, 0.0), 1.0)
            found.append(Word(start_seconds, end_seconds, word.text[:200], confidence))
    return sorted(found, key=lambda word: (word.start_seconds, word.end_seconds))


def _row(words: Sequence[Word], language: str, recognizer: Recognizer, source: Source) -> Observation:
    parameters = {"source": "asr", "rows": REVISION, **recognizer.parameters}
    return Observation(
        Span(words[0].start_seconds, max(word.end_seconds for word in words)),
        SPEECH,
        clean_text(text_of(words)),
        Provenance(SPEECH, recognizer.name, recognizer.revision, parameters, source.content_hash),
        confidence=float(np.mean([word.confidence for word in words])),
        language=language,
    )


def _middle(word: Word) -> float:
    return (word.start_seconds + word.end_seconds) / 2


def _letters(word: Word) -> str:
    return _LETTERS.sub("", word.text).casefold()


def _quietest(window: Window, end_seconds: float) -> float:
    """The moment of the overlap, which ends at `end_seconds`, in the middle of the quietest 30 ms."""
    loudness = _loudness(window.samples[: round((end_seconds - window.start_seconds) * RATE)])
    return window.start_seconds + (int(np.argmin(loudness)) + 0.5) * _FRAME / RATE


def _loudness(samples: Samples) -> Samples:
    """(n // 480,) root mean square of each 30 ms."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return np.sqrt(np.mean(np.square(frames), axis=1, dtype=np.float32))
