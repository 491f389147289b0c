"""What captions of some files would cost, before anything is spent: calls, tokens, money, time, disk.

Nothing is sent to a provider and nothing is written. Headers tell how long the files are; how many captions that makes
depends on cuts, which nobody knows before decoding, so the number is a range with a likely value. A model in this
process is tried on one unit of the first file, and the time it takes is multiplied.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentvid import media
from agentvid.budget import Price
from agentvid.config import Settings
from agentvid.discover import find_videos
from agentvid.egress import outlet_of
from agentvid.errors import MediaError
from agentvid.identity import hash_file
from agentvid.indexes.results import ModelResults
from agentvid.media.limits import KEY_FRAME_SIDE, limits_of
from agentvid.models import load_vision
from agentvid.models.base import VisionModel
from agentvid.models.image_text import ImageTextModel
from agentvid.perceive.caption import captions_model
from agentvid.perceive.caption_units import LONGEST_SECONDS, SHORTEST_SECONDS, Unit, chosen
from agentvid.perceive.captioner import Asking, Captioner
from agentvid.prompts import source
from agentvid.types import Json, Span, Usage
from agentvid.watch.sampling import at_rate
from agentvid.watch.showing import counter

#: Seconds of a unit: 7.8 in 12 real videos of several kinds (2.3 in a short, 15 where nothing is cut);
#: `python -m benchmarks.caption_units VIDEO...` measures yours.
TYPICAL_UNIT_SECONDS = 8.0
#: Tokens of a caption as JSON, of the words before a frame, of speech and an earlier caption; characters of a token.
_OUTPUT_TOKENS, _LABEL_TOKENS, _CONTEXT_TOKENS, _CHARACTERS_PER_TOKEN = 90, 10, 150, 4
#: A caption's row, its words in the index, its vector and the kept reply.
_BYTES_PER_CAPTION = 3_500


@dataclass(frozen=True, slots=True)
class Estimate:
    """`calls`: at least, likely, at most. Of the likely number: tokens, money (None without a price), seconds of the
    model (None where nobody can know) and bytes. `known`: captions that are paid for already and not in `calls`."""

    videos: int
    seconds: float
    model: str
    calls: tuple[int, int, int]
    known: int
    input_tokens: int
    output_tokens: int
    money: float | None
    caption_seconds: float | None
    disk_bytes: int
    failed: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> Json:
        least, likely, most = self.calls
        return {
            "videos": self.videos,
            "seconds": round(self.seconds, 3),
            "model": self.model,
            "calls": {"least": least, "likely": likely, "most": most},
            "known": self.known,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "money": None if self.money is None else round(self.money, 4),
            "caption_seconds": None if self.caption_seconds is None else round(self.caption_seconds, 1),
            "disk_bytes": self.disk_bytes,
            "failed": [{"path": path, "error": error} for path, error in self.failed],
        }


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    seconds: float
    size: tuple[int, int]
    known: int


def estimate(paths: Sequence[str | Path], settings: Settings, results: ModelResults | None) -> Estimate:
    """For the videos at `paths`, under these settings; `results` are those of the library, None if there is none yet.

    Raises UsageError if captions are set and no model is, and what a model in this process raises.
    """
    found = find_videos(paths)
    wanted = settings.captions == "all"
    name = captions_model(settings) if settings.captions != "none" else ""
    model = load_vision(name, settings.model_timeout_seconds, outlet_of(settings, "captions")) if wanted else None
    files, failed = _measured(found.videos, settings, results, model)
    failed = (*((problem.path, problem.error) for problem in found.problems), *failed)
    seconds = sum(file.seconds for file in files)
    known = sum(file.known for file in files)
    if model is None:
        return Estimate(len(files), seconds, name, (0, 0, 0), known, 0, 0, 0.0, 0.0, 0, failed)
    calls = _calls(files)
    asking = Asking.of(settings)
    each = _expected(asking, files[0].size if files else (KEY_FRAME_SIDE, KEY_FRAME_SIDE), name)
    each_seconds = None
    if isinstance(model, ImageTextModel) and files:
        each, each_seconds = _sampled(model, files[0], settings)
    price = settings.price(name) or (Price(0.0, 0.0) if isinstance(model, ImageTextModel) else None)
    likely = calls[1]
    total = Usage(input_tokens=likely * each.input_tokens, output_tokens=likely * each.output_tokens)
    return Estimate(
        len(files),
        seconds,
        name,
        calls,
        known,
        total.input_tokens,
        total.output_tokens,
        price.of(total) if price else None,
        None if each_seconds is None else likely * each_seconds,
        likely * _BYTES_PER_CAPTION,
        failed,
    )


def _measured(
    paths: Sequence[Path], settings: Settings, results: ModelResults | None, model: VisionModel | None
) -> tuple[list[_File], tuple[tuple[str, str], ...]]:
    """Each file once by its content, and (path, error) of those that cannot be read."""
    files: dict[str, _File] = {}
    failed = []
    version = Asking.of(settings).version
    for path in paths:
        try:
            info, content = media.probe(path, limits=limits_of(settings)), hash_file(path)
        except (MediaError, OSError) as error:
            failed.append((str(path), str(error)))
            continue
        has = results.spans(content, model.name, model.revision, version) if results and model else []
        files[content] = _File(path, info.duration_seconds, (info.width, info.height), len(has))
    return [*files.values()], tuple(failed)


def _calls(files: Sequence[_File]) -> tuple[int, int, int]:
    least, likely, most = (
        sum(max(0, math.ceil(file.seconds / length) - file.known) for file in files)
        for length in (LONGEST_SECONDS + SHORTEST_SECONDS, TYPICAL_UNIT_SECONDS, SHORTEST_SECONDS)
    )
    return least, likely, most


def _expected(asking: Asking, size: tuple[int, int], model: str) -> Usage:
    """Of one call: all frames differ, as those of a moving camera do."""
    scale = min(1.0, KEY_FRAME_SIDE / max(size))
    frame = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    seconds = min(float(asking.frames), TYPICAL_UNIT_SECONDS)
    images = min(asking.image_tokens, math.ceil(seconds) * counter(model)(*frame))
    words = len(source("caption")) // _CHARACTERS_PER_TOKEN + math.ceil(seconds) * _LABEL_TOKENS + _CONTEXT_TOKENS
    return Usage(input_tokens=images + words, output_tokens=_OUTPUT_TOKENS)


def _sampled(model: VisionModel, file: _File, settings: Settings) -> tuple[Usage, float]:
    """What one caption of the first seconds of a file took: tokens, and seconds without those for loading the model."""
    asking = Asking.of(settings)
    span = Span(0.0, min(TYPICAL_UNIT_SECONDS, max(file.seconds, 0.1)))
    times = at_rate(span, 1.0, most=asking.frames)
    frames = media.frames_at(file.path, times, max_side=KEY_FRAME_SIDE, limits=limits_of(settings))
    shown = chosen([*{frame.seconds: frame for frame in frames}.values()], asking.frames)
    model.look("", ["Answer with one word: what is this?"])
    started = time.perf_counter()
    (told,) = Captioner(model, "", asking).tell([Unit(span, shown)])
    seconds = time.perf_counter() - started
    tokens = [(reply.input_tokens, reply.output_tokens) for reply in told.replies]
    return Usage(input_tokens=sum(t[0] for t in tokens), output_tokens=sum(t[1] for t in tokens)), seconds
