"""Is text seen that stays for one second? `python -m benchmarks.ocr_needles VIDEO... [--seed N]`

As VNBench's "edit" needles (Zhao et al., 2024): a sentence with a secret word is drawn over real video for a second, at
random times and places; the file is encoded again and read. A needle counts as read exactly if one observation of `ocr`
holds the word and both its ends are within half a second, and as found by search if one of the first five hits for the
word, in a library of that video alone, begins within half a second of it. Printed are both, what was read at a wrong
time, and the seconds of reading per hour of video.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from agentvid import Library, media
from agentvid.perceive.ocr import OcrReader
from agentvid.types import Observation, Span

_WORDS = (
    "WALNUT HARBOUR PEPPER CACTUS VIOLIN GLACIER SADDLE THUNDER MARBLE PIGEON LADDER GINGER FALCON MEADOW ANCHOR VELVET"
    " TUNNEL CHERRY ROCKET WILLOW MAGNET PIRATE CANYON BUTTON"
).split()
_NEEDLE_SECONDS, _GAP_SECONDS, _NEAR_SECONDS = 1.0, 2.5, 0.5
_HITS = 5
#: Letters are so high, as a share of the picture's height: what subtitles are, and a little less.
_LETTERS = (0.045, 0.08)


@dataclass(frozen=True, slots=True)
class Needle:
    """A word, when it is shown, and where: the upper left corner as shares, and the height of its letters."""

    word: str
    span: Span
    place: tuple[float, float]
    letters: float

    @property
    def text(self) -> str:
        return f"The secret word is {self.word}"


def plant(seconds: float, rng: random.Random) -> list[Needle]:
    """Needles at random times of a video, at least 2.5 s from each other and from its ends."""
    needles = []
    start = _GAP_SECONDS + rng.uniform(0, 1.0)
    words = rng.sample(_WORDS, len(_WORDS))
    while words and start + _NEEDLE_SECONDS + _GAP_SECONDS < seconds:
        place = rng.uniform(0.04, 0.3), rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.7, 0.88)])
        span = Span(start, start + _NEEDLE_SECONDS)
        needles.append(Needle(words.pop(), span, place, rng.uniform(*_LETTERS)))
        start += _NEEDLE_SECONDS + _GAP_SECONDS + rng.uniform(0, 2.0)
    return needles


def burn(source: Path, needles: Sequence[Needle], to: Path) -> None:
    """Encode `source` again with the needles drawn into it, on its own times."""
    with av.open(str(source)) as read, av.open(str(to), "w") as write:
        stream = read.streams.video[0]
        assert stream.time_base is not None
        out = write.add_stream("libx264", rate=Fraction(stream.average_rate or 25), options={"crf": "22"})
        out.width, out.height = stream.width // 2 * 2, stream.height // 2 * 2
        out.pix_fmt, out.time_base = "yuv420p", stream.time_base
        out.codec_context.time_base = stream.time_base
        first = last = None
        for frame in read.decode(stream):
            if frame.pts is None or (last is not None and frame.pts <= last):
                continue
            first, last = frame.pts if first is None else first, frame.pts
            seconds = float((frame.pts - first) * stream.time_base)
            image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for needle in needles:
                if needle.span.contains(seconds):
                    image = draw(image, needle)
            drawn = av.VideoFrame.from_ndarray(image[: out.height, : out.width], format="rgb24")
            drawn.pts, drawn.time_base = frame.pts - first, stream.time_base
            write.mux(out.encode(drawn))
        write.mux(out.encode())


def draw(image: NDArray[np.uint8], needle: Needle) -> NDArray[np.uint8]:
    """White letters with a black edge, as subtitles have; smaller where the picture is too narrow for them."""
    height, width = image.shape[:2]
    canvas = Image.fromarray(image)
    left, top = needle.place[0] * width, needle.place[1] * height
    size = needle.letters * height
    font = ImageFont.load_default(size)
    size *= min(1.0, (width * 0.98 - left) / font.getlength(needle.text))
    ImageDraw.Draw(canvas).text(
        (left, top),
        needle.text,
        "white",
        ImageFont.load_default(size),
        stroke_width=max(1, int(size / 14)),
        stroke_fill="black",
    )
    return np.asarray(canvas)


def read(path: Path) -> tuple[list[Observation], float]:
    """The `ocr` rows of a file, and its seconds of video."""
    reader = OcrReader()
    scan = media.scan(path, text_frames=True)
    for batch in scan:
        reader.read(batch)
    return reader.observations(scan.duration_seconds), scan.duration_seconds


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocr_needles", description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    print(f"{'video':<36}{'needles':>8}{'read exactly':>13}{'found by search':>16}{'other time':>11}{'s per hour':>11}")
    totals = np.zeros(4, np.int64)
    with tempfile.TemporaryDirectory() as folder:
        for video in options.videos:
            needles = plant(media.probe(video).duration_seconds, rng)
            burnt = Path(folder) / "burnt.mp4"
            burn(video, needles, burnt)
            started = time.monotonic()
            rows, seconds = read(burnt)
            cost = (time.monotonic() - started) / seconds * 3600
            exact, other = judge(needles, rows)
            counts = len(needles), len(exact), len(found_by_search(needles, rows, seconds)), len(other)
            totals += counts
            print(_line(video.name[:35], counts, f"{cost:>11.0f}"), flush=True)
    print(_line("all", totals.tolist(), ""))
    exact, found = totals[1:3] / max(1, totals[0])
    print(f"recall: read exactly {exact:.3f}, found by search {found:.3f}")


def _line(name: str, counts: Sequence[int], cost: str) -> str:
    needles, exact, found, other = counts
    return f"{name:<36}{needles:>8}{exact:>13}{found:>16}{other:>11}{cost}"


def judge(needles: Sequence[Needle], rows: Sequence[Observation]) -> tuple[list[Needle], list[Needle]]:
    """Needles found, and those seen at another time only."""
    found, other = [], []
    for needle in needles:
        seen = [row.span for row in rows if needle.word in row.text.upper().replace(" ", "")]
        near = [
            span
            for span in seen
            if abs(span.start_seconds - needle.span.start_seconds) <= _NEAR_SECONDS
            and abs(span.end_seconds - needle.span.end_seconds) <= _NEAR_SECONDS
        ]
        if near:
            found.append(needle)
        elif seen:
            other.append(needle)
    return found, other


def found_by_search(needles: Sequence[Needle], rows: Sequence[Observation], seconds: float) -> list[Needle]:
    """The needles whose moment a search for their word returns, in a library of these rows."""
    lines = [
        {"video": "haystack", "duration": seconds, "track": "ocr", **row.span.to_json(), "text": row.text}
        for row in rows
    ]
    with tempfile.TemporaryDirectory() as folder, Library.open(Path(folder)) as library:
        library.import_file((json.dumps(line) + "\n").encode() for line in lines)
        return [needle for needle in needles if _is_found(library, needle)]


def _is_found(library: Library, needle: Needle) -> bool:
    hits = library.search(needle.word, k=_HITS)
    start = needle.span.start_seconds
    return any(abs(hit.moment.span.start_seconds - start) <= _NEAR_SECONDS for hit in hits)


if __name__ == "__main__":
    main()
