"""On-screen text with the time it stays: lines read from single frames become intervals.

The decoder sends a frame when the text in it may have changed, and tells since when the edges at each place have stood
there, or have gone. The small frames around that time tell the very frame at which a line came or went. Lines that come
and go together (a slide, a caption of two lines) are one observation. A running clock or counter would be one row per
tick; its readings are joined into one row per ten seconds, which keeps every reading searchable, and its exact time in
the attributes.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.media.limits import TEXT_FRAME_LATENCY_SECONDS
from agentvid.media.types import FrameBatch, Image, TextFrame
from agentvid.perceive.base import Effort, Frames, Reader, Reading, Source, Track, Watched
from agentvid.perceive.rolling_text import RollingText
from agentvid.perceive.shown_text import BRIDGE_SECONDS, ShownLine, bare, hull, join_ticking, likeness, rows_of
from agentvid.perceive.text_kinds import with_kinds
from agentvid.perceive.text_reader import Box, RapidTextReader, TextLine, TextReader, overlap, rapidocr_version
from agentvid.text import clean_text
from agentvid.types import OCR, Json, Observation, Provenance, Span

#: Readings under this are mostly textures; short ones must be surer.
_MINIMUM_CONFIDENCE, _MINIMUM_CONFIDENCE_SHORT, _SHORT = 0.6, 0.85, 3
#: Letters in common (0..1) that make two readings of one place the same text.
_SAME_TEXT = 0.7
#: So many letters in a row that differ are another word, though fewer than these may agree among them by chance.
_WORD_LETTERS, _CHANCE_LETTERS = 4, 3
#: Small frames are kept this long.
_RECENT_SECONDS = 2.0
#: How much less a place looks like itself (correlation) where its text is not there: surely, or near the usual time.
_CLEAR_FALL, _FALL, _USUAL_SECONDS = 0.5, 0.3, 0.5
#: The gate looks at least this often; a jump of the likeness between two frames is where letters came or went.
_LOOK_SECONDS, _JUMP = 0.3, 0.1
#: The gate's times of a line count if this share of its cells has one; so many cells are drawn anew with another text.
_TOLD_SHARE, _REDRAWN_SHARE = 0.15, 0.5


@dataclass(slots=True)
class _Track:
    """A line that may still be on screen. `gone_seconds`: the first frame of late that did not show it; `look`: how its
    place looked in the last one that did."""

    line: TextLine
    start_seconds: float
    look: Image | None
    gone_seconds: float | None = None


class OcrTrack(Track):
    """Reads with RapidOCR unless the setting `ocr` is off."""

    name = OCR
    revision = 5
    frames: tuple[Frames, ...] = ("images", "text_frames")
    is_slow = True

    def parameters(self, settings: Settings) -> Json | None:
        if not settings.ocr:
            return None
        letters: Json = {"letters": settings.ocr_letters} if settings.ocr_letters else {}
        return {"rapidocr": rapidocr_version(), "minimum_confidence": _MINIMUM_CONFIDENCE, **letters}

    def open(self, source: Source) -> Reader:
        settings = source.settings
        outlet = outlet_of(settings, "downloads")
        return OcrReader(RapidTextReader(settings.ocr_letters, cache=settings.cache, outlet=outlet))


class OcrReader(Reader):
    """Reads `batch.text_frames`.

    `reader` defaults to RapidOCR. Raises MissingDependency if that is not installed.
    """

    def __init__(self, reader: TextReader | None = None) -> None:
        self._reader = RapidTextReader() if reader is None else reader
        self._tracks: list[_Track] = []
        self._lines: list[ShownLine] = []
        self._rolling = RollingText()
        self._recent = _Recent()
        self._pictures = self._with_text = 0

    def read(self, batch: FrameBatch) -> None:
        self._recent.extend(batch)
        for frame in batch.text_frames:
            read = (replace(line, text=clean_text(line.text)) for line in self._reader.read(frame.image))
            lines = [line for line in read if _is_text(line)]
            self._rolling.see(frame.seconds, lines)
            self._follow(frame, lines)
            self._pictures += 1
            self._with_text += bool(lines)
            self._recent.looked_seconds = frame.seconds

    def finish(self, watched: Watched) -> Reading:
        effort = Effort(pictures=self._pictures, held=self._with_text)
        return Reading(self.observations(watched.duration_seconds), effort=effort)

    def observations(self, duration_seconds: float) -> list[Observation]:
        """Every text with its interval, in time order. What the last frame shows holds until the video's end."""
        for track in self._tracks:
            self._close(track, duration_seconds)
        self._tracks = []
        still = self._rolling.replace(self._lines, duration_seconds)
        lines = with_kinds(join_ticking(still), duration_seconds)
        lines.sort(key=lambda line: (line.span, line.kind, line.box))
        groups = itertools.groupby(lines, key=lambda line: (line.span, line.kind))
        rows = [row for _, group in groups for row in rows_of([*group])]
        return [self._observe(row) for row in rows]

    def _follow(self, frame: TextFrame, lines: Sequence[TextLine]) -> None:
        """Match the lines of one frame with those on screen before."""
        seconds = frame.seconds
        missing = list(self._tracks)
        new = []
        for line in lines:
            same = [track for track in missing if _is_same(line, track.line) and not _is_redrawn(line, track, frame)]
            if not same:
                look = self._recent.look(line.box, seconds)
                new.append(_Track(line, self._recent.came_seconds(line.box, frame), look))
                continue
            track = max(same, key=lambda track: overlap(line.box, track.line.box))
            missing.remove(track)
            track.gone_seconds = None
            track.line = _better(track.line, line)
            track.look = self._recent.look(track.line.box, seconds)
        for track in missing:
            if track.gone_seconds is None:
                track.gone_seconds = self._recent.gone_seconds(track.line.box, track.look, frame)
            replaced = any(overlap(track.line.box, other.line.box) > 0.2 for other in new)
            if replaced or seconds - track.gone_seconds >= BRIDGE_SECONDS:
                self._tracks.remove(track)
                self._close(track, seconds)
        self._tracks += new

    def _close(self, track: _Track, seconds: float) -> None:
        end = seconds if track.gone_seconds is None else track.gone_seconds
        if end > track.start_seconds:
            line = track.line
            self._lines.append(ShownLine(Span(track.start_seconds, end), line.text, line.confidence, line.box))

    def _observe(self, row: Sequence[ShownLine]) -> Observation:
        weights = [len(line.text) for line in row]
        confidence = sum(line.confidence * weight for line, weight in zip(row, weights, strict=True)) / sum(weights)
        attributes: Json = {
            "kind": row[0].kind,
            "lines": [line.text for line in row],
            "box": [round(value, 4) for value in hull(line.box for line in row)],
        }
        readings = [reading for line in row for reading in line.readings]
        if readings:
            attributes["readings"] = [[round(seconds, 3), text] for seconds, text in readings]
        provenance = Provenance(
            stage="ocr",
            model=self._reader.model,
            revision=self._reader.revision,
            parameters={"minimum_confidence": _MINIMUM_CONFIDENCE},
        )
        text = clean_text(" ".join(line.text for line in row))
        return Observation(row[0].span, OCR, text, provenance, min(1.0, confidence), attributes=attributes)


class _Recent:
    """The small frames of the last seconds: they tell when a place changed between two frames that were read."""

    def __init__(self) -> None:
        self.looked_seconds = 0.0
        self._frames: deque[tuple[float, Image]] = deque()

    def extend(self, batch: FrameBatch) -> None:
        self._frames.extend(zip(batch.seconds.tolist(), batch.images, strict=True))
        start = min(batch.seconds.tolist(), default=0.0)
        while self._frames and self._frames[0][0] < start - _RECENT_SECONDS:
            self._frames.popleft()

    def came_seconds(self, box: Box, frame: TextFrame) -> float:
        """When the text that this place shows in `frame` came, since the last frame read."""
        look = self.look(box, frame.seconds)
        coarse = _typical(frame.came, frame.cell, box)
        if coarse is not None:
            return self._refined(coarse, box, look, is_end=False)
        # Without the frame itself, which is like itself whatever it shows.
        frames = self._since_read(frame.seconds)[:-1]
        at, fall = _step(_likeness(frames, box, look)[::-1])
        return self._trusted(frames[-at][0], fall, frame.seconds) if at else frame.seconds

    def gone_seconds(self, box: Box, look: Image | None, frame: TextFrame) -> float:
        """When this place ceased to look like `look`, its picture while it showed a text, since the last frame read."""
        coarse = _typical(frame.gone, frame.cell, box)
        if coarse is not None:
            return self._refined(coarse, box, look, is_end=True)
        frames = self._since_read(frame.seconds)[1:]
        at, fall = _step(_likeness(frames, box, look))
        return self._trusted(frames[at][0], fall, frame.seconds) if at else frame.seconds

    def _refined(self, coarse: float, box: Box, look: Image | None, *, is_end: bool) -> float:
        """The frame at which the place changed most, among those since the gate's look before the one at `coarse`."""
        frames = [frame for frame in self._frames if coarse - _LOOK_SECONDS <= frame[0] <= coarse + 1e-3]
        jumps = np.diff(_likeness(frames, box, look)) * (-1 if is_end else 1)
        at = int(np.argmax(jumps)) if len(jumps) else 0
        return frames[at + 1][0] if len(jumps) and jumps[at] >= _JUMP else coarse

    def _trusted(self, changed_seconds: float, fall: float, seconds: float) -> float:
        """That time if likeness fell clearly there; else what is usual between a change and the frame sent for it."""
        usual = max(self.looked_seconds, seconds - TEXT_FRAME_LATENCY_SECONDS)
        near = abs(changed_seconds - usual) <= _USUAL_SECONDS
        return changed_seconds if fall >= _CLEAR_FALL or (fall >= _FALL and near) else usual

    def look(self, box: Box, seconds: float) -> Image | None:
        """The place in the small frame that is shown at `seconds`; None if that is no longer held."""
        shown = [image for start, image in self._frames if start <= seconds + 1e-6]
        return _place(shown[-1], box).copy() if shown else None

    def _since_read(self, seconds: float) -> list[tuple[float, Image]]:
        first = max(self.looked_seconds, seconds - _RECENT_SECONDS)
        return [frame for frame in self._frames if first - 1e-6 <= frame[0] <= seconds + 1e-6]


def _typical(
    times: NDArray[np.float32], cell: tuple[float, float], box: Box, *, share: float = _TOLD_SHARE
) -> float | None:
    """The median over the cells that a box touches; None if too few of them tell."""
    left, top = int(box[0] / cell[0]), int(box[1] / cell[1])
    right, bottom = math.ceil(box[2] / cell[0]), math.ceil(box[3] / cell[1])
    inside = times[top:bottom, left:right]
    known = inside[~np.isnan(inside)]
    return float(np.median(known)) if len(known) >= max(2, share * inside.size) else None


def _likeness(frames: Sequence[tuple[float, Image]], box: Box, look: Image | None) -> list[float]:
    """-1 to 1 for each frame: the correlation of the place with `look`. Letters are what differs most in it; a
    background that moves behind them changes it less."""
    if look is None:
        return []
    wanted = _contrast(look)
    return [float((_contrast(_place(image, box)) * wanted).sum()) for _, image in frames]


def _contrast(image: Image) -> NDArray[np.float64]:
    """Brightness with mean 0 and length 1; zeros for a place of one colour."""
    grey: NDArray[np.float64] = image.mean(axis=2, dtype=np.float64)
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    return grey / length if length > 1e-6 else grey


def _step(likeness: Sequence[float]) -> tuple[int, float]:
    """Where numbers fall from high to low, as the position of the first low one, and by how much; (0, 0) for too few.

    The two-segment fit of least squares.
    """
    values = np.array(likeness)
    if len(values) < 2:
        return 0, 0.0
    counts = np.arange(1, len(values))
    before = np.cumsum(values)[:-1] / counts
    after = (values.sum() - np.cumsum(values)[:-1]) / (len(values) - counts)
    explained = counts * (len(values) - counts) * (before - after) ** 2
    at = int(np.argmax(explained))
    return at + 1, float(before[at] - after[at])


def _place(image: Image, box: Box) -> Image:
    """The part of the picture inside the box, at least one pixel."""
    height, width = image.shape[:2]
    left, top = min(width - 1, int(box[0] * width)), min(height - 1, int(box[1] * height))
    return image[top : max(top + 1, math.ceil(box[3] * height)), left : max(left + 1, math.ceil(box[2] * width))]


def _is_text(line: TextLine) -> bool:
    """Sure enough, and more than punctuation: two letters or digits, or one that is a word by itself."""
    characters = [character for character in line.text if character.isalnum()]
    alone = len(characters) == 1 and (characters[0].isdigit() or ord(characters[0]) >= 0x2E80)
    if len(characters) < 2 and not alone:
        return False
    return line.confidence >= (_MINIMUM_CONFIDENCE_SHORT if len(characters) <= _SHORT else _MINIMUM_CONFIDENCE)


def _is_same(line: TextLine, before: TextLine) -> bool:
    """Whether two readings are of one text: in one place, alike, and with the same digits; or growing; or scrolling."""
    new, old = bare(line.text), bare(before.text)
    if new == old and len(new) >= 8:
        return True
    if overlap(_row_of(line.box), _row_of(before.box)) < 0.4 or not _shares_columns(line.box, before.box):
        return False
    if len(old) >= 3 and new.startswith(old):
        return True
    digits_agree = re.findall(r"\d", new) == re.findall(r"\d", old)
    is_alike = likeness(new, old) >= _SAME_TEXT
    return digits_agree and is_alike and not _other_word(new, old)


def _is_redrawn(line: TextLine, track: _Track, frame: TextFrame) -> bool:
    """Whether a line that reads differently was also drawn anew: letters that are misread stand where they stood."""
    if bare(line.text) == bare(track.line.text):
        return False
    return _typical(frame.came, frame.cell, track.line.box, share=_REDRAWN_SHARE) is not None


def _other_word(new: str, old: str) -> bool:
    """Whether two texts differ in a whole word: a misreading changes a few of its letters, and drops spaces."""
    blocks = SequenceMatcher(None, new, old, autojunk=False).get_matching_blocks()
    # The last block is empty and stands at both ends.
    same = [(0, 0, 0), *(block for block in blocks if block.size >= _CHANCE_LETTERS), blocks[-1]]
    return any(
        min(two[0] - one[0] - one[2], two[1] - one[1] - one[2]) >= _WORD_LETTERS
        for one, two in itertools.pairwise(same)
    )


def _row_of(box: Box) -> Box:
    return (0.0, box[1], 1.0, box[3])


def _shares_columns(one: Box, other: Box) -> bool:
    """Whether the narrower box lies at least half inside the other's columns."""
    shared = min(one[2], other[2]) - max(one[0], other[0])
    return shared >= 0.5 * min(one[2] - one[0], other[2] - other[0])


def _better(before: TextLine, now: TextLine) -> TextLine:
    """The surer and longer reading, at the place where the text is now."""
    best = max(before, now, key=lambda line: line.confidence**2 * len(line.text))
    return replace(best, box=now.box)
