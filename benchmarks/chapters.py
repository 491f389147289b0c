"""How well chapters agree with people's: `python -m benchmarks.chapters FOLDER_OF_QMSUM`.

QMSum's annotators divided meetings into topics (val.jsonl; agentvid/evaluate/sets/qmsum.py tells of its clock). Printed
are, for agentvid's chapters with and without an embedder and for as many equal parts, WindowDiff (Pevzner and Hearst,
2002) and Pk (Beeferman, Berger and Lafferty, 1999), lower is better, and F1 of the borders within 30 seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentvid.config import Settings
from agentvid.evaluate.sets import qmsum
from agentvid.evaluate.sets.pace import spoken_clock
from agentvid.library import Library

_STEP_SECONDS, _NEAR_SECONDS = 5.0, 30.0
#: Borders this near to each other, or to an end of the meeting, are one.
_SAME_SECONDS = 20.0

Borders = list[float]


def topics(folder: Path) -> Iterator[tuple[str, float, Borders]]:
    """(video, seconds, borders between topics) of each meeting."""
    lines = (folder / "val.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(filter(str.strip, lines), 1):
        meeting = json.loads(line)
        clock = spoken_clock(words for _, words in map(qmsum.turn, meeting["meeting_transcripts"]))
        spans = [map(int, span) for topic in meeting["topic_list"] for span in topic["relevant_text_span"]]
        turns = {turn for first, last in spans for turn in (first, min(last + 1, len(clock) - 1))}
        borders: Borders = []
        for border in sorted(clock[turn] for turn in turns):
            if min(border - max([0.0, *borders]), clock[-1] - border) > _SAME_SECONDS:
                borders.append(border)
        yield f"qmsum_val_{number}", clock[-1], borders


def agreement(gold: Borders, found: Borders, seconds: float) -> tuple[float, float, float]:
    """(WindowDiff, Pk, F1)."""
    one, other = _counts(gold, seconds), _counts(found, seconds)
    window = max(2, round(len(one) / (2 * (len(gold) + 1))))
    inside, inside_found = one[window:] - one[:-window], other[window:] - other[:-window]
    near = [any(abs(border - other) <= _NEAR_SECONDS for other in found) for border in gold]
    right = [any(abs(border - other) <= _NEAR_SECONDS for other in gold) for border in found]
    f1 = 2 * sum(near) * sum(right) / max(1, sum(near) * len(found) + sum(right) * len(gold))
    return (
        float((inside != inside_found).mean()),
        float(((inside == 0) != (inside_found == 0)).mean()),
        f1,
    )


def _counts(borders: Borders, seconds: float) -> NDArray[np.int64]:
    """How many borders lie before each step."""
    return np.searchsorted(np.array(borders), np.arange(0.0, seconds, _STEP_SECONDS))


def _chapters(folder: Path, *, embed: bool) -> dict[str, Borders]:
    """The borders between agentvid's chapters of each meeting."""
    rows = [json.dumps(row.to_json()).encode() for row in qmsum.read(folder).rows]
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(library=Path(directory) / "library", cache=Path(directory), embed=embed, index="numpy")
        with Library.open(settings.library, settings=settings) as library:
            library.import_file(rows)
            return {
                video.title: [part.span.end_seconds for part in library.catalogue.sections(video.id)[:-2]]
                for video in library.catalogue.videos()
            }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chapters", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds QMSum's val.jsonl")
    folder = parser.parse_args(arguments).folder
    embedded, by_words = _chapters(folder, embed=True), _chapters(folder, embed=False)
    scores: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(list)
    for video, seconds, gold in topics(folder):
        parts = len(embedded[video]) + 1
        for name, found in {
            "chapters": embedded[video],
            "chapters by words": by_words[video],
            "equal parts": [seconds * part / parts for part in range(1, parts)],
        }.items():
            scores[name].append(agreement(gold, found, seconds))
            counts[name].append(len(found) + 1)
        counts["people"].append(len(gold) + 1)
    print(f"{'':<20}{'WindowDiff':>11}{'Pk':>7}{'F1':>7}{'chapters':>10}")
    for name, values in scores.items():
        difference, pk, f1 = np.mean(values, axis=0)
        print(f"{name:<20}{difference:>11.3f}{pk:>7.3f}{f1:>7.3f}{np.mean(counts[name]):>10.1f}")
    print(f"{'people':<20}{'':>25}{np.mean(counts['people']):>10.1f}")


if __name__ == "__main__":
    main()
