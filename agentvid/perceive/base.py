"""What a track is: a reader of one channel of a video. Built-in tracks and plug-ins come through the same door.

A track is one file with one subclass of `Track` and one of `Reader`, and one line in `TRACKS` (agentvid/perceive), or
in a package of its own an entry point of the group "agentvid.tracks"; docs/plugins.md shows a whole one.

In this order, for each video of which something is to be read (agentvid/ingest.py):

1. `parameters`, `inputs`, `revision` and `after` make the stage's key (agentvid/perceive/stages.py). A track whose key
   is the one stored with the video is not asked further: its rows stay as they are.
2. `open(source)` before the decode pass. A built-in track raises MissingDependency here if a package or model is not
   there: then nothing is read, and the user is told what to install.
3. `Reader.read(batch)` for every batch of the one decode pass, if the track names `frames`. A track that `is_slow`
   reads on a thread of its own, behind a queue that holds a few batches, while the file is decoded.
4. `Reader.finish(watched)` after the pass, in the order of `after`. Speech and what it needs finish before the clips
   are made, since sentences shape clips: they see no clips. All others do.
5. `Reader.close()` in every case.

Whatever an `open`, `read` or `finish` raises, and whatever is returned that is no `Reading` of this track, fails that
track and nothing else: the whole video becomes a gap of the track, with the reason, and the other tracks are stored. A
track that cannot read a part returns a `Gap` for it (`read_spans` does so). A track with gaps is read again by the next
`index`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agentvid.budget import NEVER, Cancel
from agentvid.config import Settings
from agentvid.errors import AgentvidError
from agentvid.indexes.results import ModelResults
from agentvid.media.limits import Limits
from agentvid.media.types import FrameBatch, MediaInfo
from agentvid.models.base import FrameVectors
from agentvid.types import Clip, Gap, Json, Observation, Span

#: What of a `FrameBatch` a track reads: `images`, `text_frames`, `key_frames`, `quality`.
Frames = Literal["images", "text_frames", "key_frames", "quality"]
#: Stages that are no tracks. A track may name SHOTS in `after`.
SHOTS, PASSAGES = "shots", "passages"


@dataclass(frozen=True, slots=True)
class Source:
    """The file that is read. `results`: what models said of contents before; None keeps and knows nothing.

    `cancel` ends it: who waits for work of another thread looks at it.
    """

    path: Path
    info: MediaInfo
    content_hash: str
    video_id: str
    settings: Settings
    limits: Limits
    results: ModelResults | None = None
    cancel: Cancel = NEVER

    def gap(self, span: Span, track: str, reason: str) -> Gap:
        return Gap(self.video_id, span, track, reason)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the pass found, and the rows of the tracks that this one names in `after`.

    `shots` and `clips` each tile the video, in order.
    """

    duration_seconds: float
    shots: Sequence[Span]
    clips: Sequence[Clip]
    observations: Sequence[Observation]


@dataclass(frozen=True, slots=True)
class Effort:
    """What it took to read a track: the seconds that its reader worked, which is measured for it.

    Of one that looks closely at some pictures also how many, and how many of them `held` what it looks for.
    """

    seconds: float = 0.0
    pictures: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a track brings: rows, what it failed to read and why, and one line for each thing the user should know.

    `frames`: of the track FRAME alone, the vectors of its rows in their order. A row is there for each vector, so that
    a frame is cited, counted and kept as all evidence is. `effort`: what `index` reports of the work; readings that
    brought the same are equal.
    """

    observations: Sequence[Observation]
    gaps: Sequence[Gap] = ()
    warnings: Sequence[str] = ()
    frames: FrameVectors | None = None
    effort: Effort = field(default=Effort(), compare=False)


class Reader(Protocol):
    """One video's worth of work. Subclass it, then only `finish` must be written."""

    def read(self, batch: FrameBatch) -> None:
        """Each batch of the decode pass, in order."""
        return

    @abstractmethod
    def finish(self, watched: Watched) -> Reading:
        """After the pass; may do the slow part."""
        ...

    def close(self) -> None:
        """Called once in every case, also after a failure, and then nothing else is."""
        return


class Track(Protocol):
    """A stream of timestamped text about a video. Subclass it to get the defaults.

    One object serves all videos of a run, so that a model that `open` loads may be kept in it.
    """

    #: Name of the track and of its rows' `track`: a-z, then up to 31 of a-z 0-9 _ -.
    name: str
    #: Raised when the output changes: videos read before are then read again.
    revision: int = 1
    #: Tracks, or SHOTS, whose rows decide this track's: it sees theirs alone, and is read again when they are.
    after: tuple[str, ...] = ()
    #: What it reads of the decode pass; without any, no file is decoded for its sake.
    frames: tuple[Frames, ...] = ()
    #: Whether it reads on a thread of its own, so that decoding need not wait.
    is_slow: bool = False

    @abstractmethod
    def parameters(self, settings: Settings) -> Json | None:
        """Everything that decides the result, model and its revision included; None if the track is switched off.

        JSON; called for every video, also where nothing is to be read, so it may load nothing. Settings on which
        the rows depend belong in here: `clip_min_seconds` and `clip_max_seconds` if there is a row for every clip.
        Clips may also move because speech changed: that alone reads no other track again, as a row is true of its
        own span.
        """
        ...

    def inputs(self, path: Path) -> Json:
        """What it reads beside the file at `path`, such as the hashes of files that lie there."""
        return {}

    @abstractmethod
    def open(self, source: Source) -> Reader:
        """Start to read a video. Raises MissingDependency where a package or model is absent."""
        ...


def read_spans(
    source: Source, track: str, spans: Iterable[Span], read: Callable[[Span], Sequence[Observation]]
) -> Reading:
    """`read` of every span; a span for which it raises is a gap with the reason, and the others go on."""
    observations: list[Observation] = []
    gaps: list[Gap] = []
    for span in spans:
        try:
            observations += read(span)
        except Exception as error:  # noqa: BLE001 - a model's errors have no common base; each is kept as a row
            gaps.append(source.gap(span, track, reason_of(error)))
    return Reading(observations, gaps)


def reason_of(error: BaseException) -> str:
    """An error as a gap tells it: our own in their words and with the way out, others with their class."""
    if isinstance(error, AgentvidError):
        return f"{error} - {error.hint}" if error.hint else str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
