"""B3: shots found in videos whose boundaries are known, by our default and by each of scenedetect's detectors.

`python -m benchmarks.shots [--seeds 100 101 102] [--videos DIRECTORY]`. The thresholds of our detector were chosen on
seeds 0 to 3; these are others. scenedetect runs as its users run it: its own reader, PyAV, default settings.

A boundary is found if one detection lies in it, to a frame on either side. More detections in the same boundary, and
all elsewhere, are false. Precision of a kind is that of the videos of this kind, which hold no other boundaries.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av.logging

from agentvid import media
from agentvid.segment import ShotReader
from benchmarks.shot_corpus import KINDS, RATE, Boundary, render

SEEDS = (100, 101, 102)
_OURS = "agentvid transitions"
#: What B3 asks for at once: the kinds of its two scores.
_HARD, _GRADUAL = ("cuts", "flashes", "pans", "crossings", "static"), ("dissolves", "fades")


@dataclass(slots=True)
class Score:
    found: int = 0
    false: int = 0
    missed: int = 0

    def __iadd__(self, other: Score) -> Score:
        self.found += other.found
        self.false += other.false
        self.missed += other.missed
        return self

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.found / max(1, 2 * self.found + self.false + self.missed)


def ours(path: Path, detector: str = "transitions") -> list[float]:
    """Where our pass finds new shots, in seconds."""
    reader = ShotReader(detector)
    scan = media.scan(path, text_frames=False)
    for batch in scan:
        reader.read(batch)
    return [shot.start_seconds for shot in reader.shots(scan.duration_seconds)[1:]]


def _peers() -> dict[str, Callable[[Path], list[float]]]:
    from scenedetect import (
        AdaptiveDetector,
        ContentDetector,
        HashDetector,
        HistogramDetector,
        ThresholdDetector,
        detect,
    )
    from scenedetect.detector import SceneDetector

    def peer(kind: Callable[[], SceneDetector]) -> Callable[[Path], list[float]]:
        def run(path: Path) -> list[float]:
            scenes = detect(str(path), kind(), backend="pyav", start_in_scene=True)
            return [start.seconds for start, _ in scenes[1:]]

        return run

    av.logging.set_level(av.logging.ERROR)  # scenedetect lets FFmpeg tell everything
    kinds = (AdaptiveDetector, ContentDetector, HistogramDetector, ThresholdDetector, HashDetector)
    return {f"scenedetect {kind.__name__.removesuffix('Detector').lower()}": peer(kind) for kind in kinds}


def score(truth: Sequence[Boundary], found_seconds: Sequence[float], tolerance: int = 1) -> Score:
    """Greedy, one to one, in order of time."""
    free = sorted(round(seconds * RATE) for seconds in found_seconds)
    count = len(free)
    for boundary in truth:
        inside = [at for at in free if boundary.first - tolerance <= at <= boundary.last + tolerance]
        if inside:
            free.remove(inside[0])
    hits = count - len(free)
    return Score(hits, len(free), len(truth) - hits)


def measure(folder: Path, seeds: Sequence[int]) -> dict[str, dict[str, Score]]:
    """Detector -> kind -> its score over all seeds; "exact" is "cuts" without tolerance."""
    detectors = {_OURS: ours, **_peers()}
    scores = {name: {kind: Score() for kind in (*KINDS, "exact")} for name in detectors}
    for seed in seeds:
        for kind in KINDS:
            path = folder / f"{kind}-{seed}.mp4"
            truth = render(path, kind, seed)
            for name, run in detectors.items():
                found = run(path)
                scores[name][kind] += score(truth, found)
                if kind == "cuts":
                    scores[name]["exact"] += score(truth, found, tolerance=0)
            path.unlink()
    return scores


def pooled(scores: Mapping[str, Score], kinds: Sequence[str]) -> Score:
    total = Score()
    for kind in kinds:
        total += scores[kind]
    return total


def run(seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        scores = measure(Path(folder), seeds)
    yield f"B3 corpus: {len(KINDS)} kinds, seeds {', '.join(map(str, seeds))}; precision/recall/F1, one frame tolerated"
    yield f"{'':<24}" + "".join(f"{kind:>16}" for kind in (*KINDS, "cuts exact"))
    for name, row in scores.items():
        cells = (f"{cell.precision:.2f}/{cell.recall:.2f}/{cell.f1:.3f}" for cell in row.values())
        yield f"{name:<24}" + "".join(f"{cell:>16}" for cell in cells)
    for label, kinds in (("hard cuts", _HARD), ("dissolves and fades", _GRADUAL), ("all", KINDS)):
        mine = pooled(scores[_OURS], kinds).f1
        best, peer = max((pooled(row, kinds).f1, name) for name, row in scores.items() if name != _OURS)
        verdict = "met" if mine >= best else "NOT met"
        yield f"B3 {label}: F1 {mine:.3f}, best peer {best:.3f} ({peer}) -> {verdict}"


def compare(folder: Path) -> Iterator[str]:
    """The boundaries of videos without truth, and of those with an entry in GOLD.json its values."""
    gold = json.loads((folder / "GOLD.json").read_text("utf-8")) if (folder / "GOLD.json").exists() else {}
    detectors = {_OURS: ours, **_peers()}
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".mp4", ".webm", ".avi", ".mkv"):
            continue
        yield f"{path.name} {json.dumps(gold[path.name]) if path.name in gold else ''}"
        for name, run_detector in detectors.items():
            yield f"  {name:<24} {' '.join(f'{seconds:.2f}' for seconds in run_detector(path))}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shots", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--videos", type=Path, help="a directory of real videos: print what each detector finds there")
    options = parser.parse_args(arguments)
    for line in compare(options.videos) if options.videos else run(options.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
