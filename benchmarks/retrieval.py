"""`python -m benchmarks.retrieval COMMAND SETS WORK`: choose and judge the ranking on published annotated sets.

SETS holds a folder per set with its own files; WORK keeps libraries and measurements between runs.

- `prepare`: a library per set with the queries that it can answer, and what plain methods reach on both halves.
- `fit`: weights of the evidence from the development halves, printed for `indexes/ranking.py` (needs cma).
- `presence`: weights that tell by the shipped weights whether a moment is there at all, from the same halves.
- `report`: the product against the best plain method of each set, on the halves that were not used for fitting.
- `limit`: the product with and without its limit for one video, on the same halves.
- `ablate`: the same with parts of the method taken out (weights fitted again without them).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentvid import Library
from agentvid.config import load_settings
from agentvid.evaluate.baselines import Baselines, read_rows
from agentvid.evaluate.grounding import other_videos
from agentvid.evaluate.metrics import DEPTH, Found, retrieval_scores
from agentvid.evaluate.queries import Asked
from agentvid.evaluate.retrieval import open_embedder
from agentvid.evaluate.sets import read_set
from agentvid.evaluate.types import Part, part_of
from agentvid.indexes import ranking
from agentvid.indexes.base import Filter
from agentvid.indexes.places import COARSENESS, Floats, Rows
from agentvid.indexes.question_kind import KINDS
from agentvid.indexes.ranking import RECALL_AT_IOU
from agentvid.indexes.windows import COARSE_SHAPES, CONTENT, EVIDENCE, LENGTH, SPEECH_SHAPES, Windows
from agentvid.types import Span

#: Set -> the folder of its files. Star's own files lack the videos' actions; it reads those of Charades beside it.
FOLDERS = {
    "tutorialvqa": "tutorialvqa",
    "youcook2": "youcook2_asr",
    "qmsum": "qmsum",
    "friendsqa": "friendsqa",
    "soccer": "soccer",
    "pororoqa": "pororoqa",
    "activitynet:human": "activitynet_captions",
    "activitynet:machine": "activitynet_captions",
    "tacos": "tacos",
    "charades": "charades",
    "star": "star",
    "nextgqa": "nextgqa",
}
#: A library holds so many rows, or more where so many queries (of both halves) need them.
_MOST_ROWS, _LEAST_QUERIES = 6000, 300
#: So many queries of a half are asked.
_MOST_QUERIES = 400
#: So many of the best windows by the weights in use, and by content whatever their length, take part in fitting.
_WINDOWS, _WINDOWS_BY_CONTENT = 400, 200
#: `fit` tries weights for so long, this many at a time, on so many windows a query.
_FIT_SECONDS, _POPULATION, _FIT_WINDOWS = 1800, 16, 150
#: It begins near the weights in use, this much nearer to those by likelihood, and tries others this many standard
#: deviations of the evidence away.
_SHARE_BY_LIKELIHOOD, _FIRST_STEP = 0.3, 0.1
#: The weight of the square of the seconds' logarithm is at least so far below 0 in every kind of track.
_LEAST_FALL = 0.02
#: So many queries of a set, each asked of two videos, tell what absence looks like.
_MOST_PRESENCE = 100
_RIGHT = "R@5/0.5"
_MISSES = "misses@20"
_LEAST_RIGHT = 0.06


@dataclass(frozen=True, slots=True)
class Case:
    """One query with its candidates: windows, and the IoU of each with the gold spans."""

    asked: Asked
    windows: Windows
    iou: Floats


@dataclass(frozen=True)
class Prepared:
    """One set's library and queries."""

    name: str
    library: Library
    asked: Mapping[Part, Sequence[Asked]]
    folder: Path

    def references(self, part: Part) -> dict[str, dict[str, float]]:
        """What every plain method reaches on this half; computed once for both halves and kept."""
        file = self.folder / "references.json"
        if not file.exists():
            asked = [*self.asked["dev"], *self.asked["test"]]
            halves = slice(0, len(self.asked["dev"])), slice(len(self.asked["dev"]), None)
            baselines = Baselines(read_rows(self.library), asked, open_embedder(self.library), False)
            means: dict[str, dict[str, dict[str, float]]] = {"dev": {}, "test": {}}
            for run in baselines.runs():
                for half, chosen in zip(("dev", "test"), halves, strict=True):
                    means[half][run.name] = _means(asked[chosen], run.found[chosen])
            file.write_text(json.dumps(means, indent=1))
        found: dict[str, dict[str, float]] = json.loads(file.read_text())[part]
        return found

    def cases(self, part: Part) -> list[Case]:
        return [_case(self.library, asked) for asked in self.asked[part]]


def _prepared(name: str, sets: Path, work: Path) -> Prepared:
    folder = work / name.replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    annotated = read_set(name, sets / FOLDERS[name])
    rows_of: dict[str, list[Any]] = {}
    for row in annotated.rows:
        rows_of.setdefault(row.video, []).append(row)
    queries_of = Counter(query.video for query in annotated.queries)
    kept: list[Any] = []
    queries = 0
    # Asked videos first, in an order that has nothing to do with their content, then distractors.
    for video in sorted(rows_of, key=lambda video: (not queries_of[video], hash_of(video))):
        is_needed = queries_of[video] and queries < _LEAST_QUERIES
        if is_needed or len(kept) + len(rows_of[video]) <= _MOST_ROWS:
            kept += rows_of[video]
            queries += queries_of[video]
    settings = load_settings(flags={"library": str(folder / "library")}).settings
    library = Library.open(settings=settings)
    library.import_file((json.dumps(row.to_json()) + "\n").encode() for row in kept)
    videos = {video.title: video for video in library.catalogue.videos()}
    asked: dict[Part, list[Asked]] = {"dev": [], "test": []}
    for query in annotated.queries:
        if query.video in videos:
            asked[part_of(query.video)].append(Asked(query, videos[query.video]))
    lines = (json.dumps(one.query.to_json()) + "\n" for half in asked.values() for one in half)
    (folder / "queries.jsonl").write_text("".join(lines))
    return Prepared(name, library, {part: _spread(found) for part, found in asked.items()}, folder)


def hash_of(video: str) -> str:
    import hashlib

    return hashlib.sha256(b"order " + video.encode()).hexdigest()


def _spread(found: Sequence[Asked]) -> list[Asked]:
    step = max(1.0, len(found) / _MOST_QUERIES)
    return [found[int(at * step)] for at in range(int(len(found) / step))]


def _case(library: Library, asked: Asked) -> Case:
    everywhere = Filter()
    most = library.retriever.most_of_one_video(everywhere)
    candidates = library.retriever.candidates(asked.query.query, everywhere, most=most)
    by_content = {name: weight for name, weight in ranking.WEIGHTS.items() if name in CONTENT}
    kept = [
        np.argsort(-ranking.scores(candidates.windows, weights), kind="stable")[:most]
        for weights, most in (
            (ranking.WEIGHTS, _WINDOWS),
            (dict.fromkeys(LENGTH, 0.0) | by_content, _WINDOWS_BY_CONTENT),
        )
    ]
    # And those that take part so that one video does not have all hits.
    order = np.argsort(-ranking.scores(candidates.windows), kind="stable")
    kept.append(order[ranking.spread(candidates.windows.video[order])])
    windows = candidates.windows.take(np.unique(np.concatenate(kept)))
    right = windows.video == candidates.places.video_ids.index(asked.video.id)
    iou = np.zeros(len(right))
    for gold in asked.query.spans:
        shared = np.minimum(windows.end, gold.end_seconds) - np.maximum(windows.start, gold.start_seconds)
        union = np.maximum(windows.end, gold.end_seconds) - np.minimum(windows.start, gold.start_seconds)
        iou = np.maximum(iou, np.where(right, np.clip(shared, 0, None) / union, 0.0))
    return Case(asked, windows, iou)


def _means(asked: Sequence[Asked], found: Sequence[Sequence[Found]]) -> dict[str, float]:
    scores = [retrieval_scores(hits, one.video.name, one.query.spans) for one, hits in zip(asked, found, strict=True)]
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


# -- fitting ------------------------------------------------------------------------------------------------------


def fit(cases: Mapping[str, Sequence[Case]], evidence: Sequence[str]) -> dict[str, float]:
    """Weights that make the tightest windows most probable (listwise softmax); every set counts the same.

    A quoted phrase is rare in the sets and keeps the weight it was given by hand.
    """
    import torch

    columns = [EVIDENCE.index(name) for name in evidence if name != "phrase"]
    packs = [_pack(found, columns) for found in cases.values()]
    weights = torch.zeros(len(columns), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        bulges = _bulges({EVIDENCE[column]: weight for column, weight in zip(columns, weights, strict=True)})
        total = 0.01 * (weights**2).sum() + 100 * sum(torch.as_tensor(bulge).clamp(min=0) ** 2 for bulge in bulges)
        for values, right, real in packs:
            scores = (values @ weights).masked_fill(~real, -1e9)
            hit = torch.logsumexp(scores.masked_fill(~right, -1e9), 1)
            total = total - (hit - torch.logsumexp(scores, 1)).mean() / len(packs)
        total.backward()
        return total

    optimiser.step(loss)
    return _weights(columns, weights.detach().numpy())


def _bulges(weights: Mapping[str, Any]) -> list[Any]:
    """How much too little likelihood falls, in every kind of track, as seconds grow: at most 0 where all is well.

    The sets hold few sparse or very long moments, so that nothing else keeps those from being the likeliest of all.
    """
    names = ("seconds_squared", "speech_seconds_squared", "coarse_seconds_squared")
    plain, speech, coarse = (weights.get(name, 0.0) for name in names)
    return [plain + is_speech * speech + c * coarse + _LEAST_FALL for is_speech in (0, 1) for c in COARSENESS]


def _weights(columns: Sequence[int], values: Floats) -> dict[str, float]:
    named = {EVIDENCE[column]: float(value) for column, value in zip(columns, values, strict=True)}
    return dict.fromkeys(EVIDENCE, 0.0) | {"phrase": ranking.WEIGHTS["phrase"]} | named


def _pack(cases: Sequence[Case], columns: Sequence[int]) -> tuple[Any, Any, Any]:
    """(evidence, tightest, real) of the queries that some window answers, padded to one number of windows."""
    import torch

    kept = [case for case in cases if case.iou.max(initial=0.0) >= RECALL_AT_IOU[0]]
    most = max(len(case.iou) for case in kept)
    values = torch.zeros(len(kept), most, len(columns), dtype=torch.float64)
    right = torch.zeros(len(kept), most, dtype=torch.bool)
    real = torch.zeros(len(kept), most, dtype=torch.bool)
    for at, case in enumerate(kept):
        count = len(case.iou)
        values[at, :count] = torch.from_numpy(case.windows.evidence[:, columns])
        right[at, :count] = torch.from_numpy(case.iou >= 0.98 * case.iou.max())
        real[at, :count] = True
    return values, right, real


@dataclass(frozen=True, slots=True)
class Trial:
    """One query, small enough to be asked thousands of times: evidence, what windows earn of each other, the right.

    All windows take part, whatever the weights that fitting begins with think of them: others may like them best.
    `earned` counts the steps of RECALL_AT_IOU.
    """

    evidence: NDArray[np.float32]
    earned: NDArray[np.uint8]
    video: NDArray[np.int32]
    is_right: NDArray[np.bool_]

    @classmethod
    def of(cls, case: Case) -> Trial:
        windows = case.windows
        steps = np.rint(ranking.recall(windows.overlap()) * len(RECALL_AT_IOU)).astype(np.uint8)
        return cls(windows.evidence.astype(np.float32), steps, windows.video, case.iou >= 0.5)

    def first_right(self, weights: Floats) -> int:
        """The rank, from 0, of the first right one of the chosen hits; DEPTH if none is."""
        score = (self.evidence @ weights.astype(np.float32)).astype(float)
        top = ranking.highest(score, _FIT_WINDOWS)
        if not self.is_right[top].any():
            return DEPTH
        probability = np.exp(score[top] - score[top[0]])
        earned = self.earned[np.ix_(top, top)].astype(np.float32) / len(RECALL_AT_IOU)
        limit = ranking.Limit.of(self.video[top], ranking.MOST_OF_ONE_VIDEO)
        chosen, _ = ranking.greedy(earned, probability / probability.sum(), min(DEPTH, len(top)), limit)
        ranks = np.flatnonzero(self.is_right[top[chosen]])
        return int(ranks[0]) if len(ranks) else DEPTH


@dataclass(frozen=True)
class Tuning:
    """What weights are worth on the development halves; every worker process has its own copy."""

    trials: Mapping[str, Sequence[Trial]]
    references: Mapping[str, Mapping[str, Mapping[str, float]]]

    def cost(self, weights: Floats) -> float:
        # Where the best plain method finds next to nothing, ratios are mostly chance.
        shares = [1.0 if best(self.references[name], _RIGHT)[1] >= _LEAST_RIGHT else 0.2 for name in self.trials]
        worth = [
            _worth([one.first_right(weights) for one in trials], self.references[name])
            for name, trials in self.trials.items()
        ]
        return -float(np.average(worth, weights=shares))


def tune(
    dev: Mapping[str, Sequence[Case]],
    references: Mapping[str, Mapping[str, Mapping[str, float]]],
    start: Mapping[str, float],
    seconds: float = _FIT_SECONDS,
) -> dict[str, float]:
    """Weights by what the chosen hits find: likelihood knows nothing of the choice that follows, CMA-ES does.

    Hansen and Ostermeier, 2001. The worth of weights is the mean over the sets of the logarithms of R@5 and, for half
    as much, of hits at 20, both against the best plain method; a set that gains less than 15 % counts three times.
    """
    import cma

    trials = {name: [Trial.of(case) for case in cases] for name, cases in dev.items()}
    columns = [at for at, name in enumerate(EVIDENCE) if name != "phrase"]
    # Of evidence that spreads widely a little weight goes far.
    spread = np.concatenate([one.evidence for found in trials.values() for one in found]).std(axis=0)[columns]
    scale = 1 / np.maximum(spread, 1e-3)

    def weights(values: Floats) -> Floats:
        full = np.zeros(len(EVIDENCE))
        full[columns] = values * scale
        return full

    def extra(values: Floats) -> float:
        """What weights cost by themselves: a little weight for nothing is too much, and so is length without end."""
        named = dict(zip(EVIDENCE, weights(values).tolist(), strict=True))
        return 0.002 * float(np.linalg.norm(values)) + 5 * float(np.clip(_bulges(named), 0, None).sum())

    begin = np.array([start[EVIDENCE[at]] for at in columns]) / scale
    search = cma.CMAEvolutionStrategy(begin, _FIRST_STEP, {"popsize": _POPULATION, "seed": 1, "verbose": -9})
    until = time.monotonic() + seconds
    tuning = Tuning(trials, references)
    with ProcessPoolExecutor(initializer=_hold, initargs=(tuning,)) as pool:
        while time.monotonic() < until:
            tried = search.ask()
            costs = pool.map(_cost, [weights(np.asarray(values)) for values in tried])
            search.tell(tried, [cost + extra(v) for v, cost in zip(tried, costs, strict=True)])
    return _weights(columns, search.mean * scale)


_held: list[Tuning] = []


def _hold(tuning: Tuning) -> None:
    _held.append(tuning)


def _cost(weights: Floats) -> float:
    return _held[0].cost(weights)


def _worth(first_right: Sequence[int], reference: Mapping[str, Mapping[str, float]]) -> float:
    # A little is added to both sides of a ratio, so that one query of a hard set is not everything.
    hits = np.array(first_right)
    right = math.log((float(np.mean(hits < 5)) + 0.02) / (best(reference, _RIGHT)[1] + 0.02))
    misses = math.log((float(np.mean(hits >= DEPTH)) + 0.02) / (best(reference, _MISSES)[1] + 0.02))
    return min(right, math.log(2)) - 0.5 * misses - 2 * max(0.0, math.log(1.15) - right)


def fit_presence(prepared: Sequence[Prepared], names: Sequence[str]) -> dict[str, float]:
    """Weights of `names` for "it is there at all": queries asked of their own video against another one's."""
    import torch

    values, present, share = [], [], []
    for one in prepared:
        found = list(_located(one, names))
        values += [row for row, _ in found]
        present += [float(is_there) for _, is_there in found]
        share += [1 / len(found)] * len(found)
    table, truth = torch.tensor(np.array(values)), torch.tensor(present, dtype=torch.float64)
    importance = torch.tensor(share, dtype=torch.float64) / len(prepared)
    weights = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(table @ weights, truth, reduction="none")
        total = (importance * losses).sum()
        total.backward()
        return total

    optimiser.step(loss)
    return {name: round(float(weight), 2) for name, weight in zip(names, weights.detach(), strict=True)}


def _located(prepared: Prepared, names: Sequence[str]) -> Iterator[tuple[Floats, bool]]:
    """(evidence by name of the tightest likely window, whether it is the right video) for both videos of a query."""
    retriever = prepared.library.retriever
    asked = prepared.asked["dev"][:: max(1, len(prepared.asked["dev"]) // _MOST_PRESENCE)]
    others = other_videos([one.video for one in asked])
    for one in asked:
        for video in (one.video, others[one.video.id]):
            where = Filter(video_ids=(video.id,))
            candidates = retriever.candidates(one.query.query, where)
            windows, score = candidates.windows, ranking.scores(candidates.windows)
            if len(score):
                margins = retriever.margins(one.query.query, where, candidates.places, windows, score)
                best_window = ranking.choose(windows, score / ranking.SPAN_TEMPERATURE, 1, ranking.iou).windows
                columns = ranking.presence_columns(windows, margins)
                yield np.array([columns[name][best_window][0] for name in names]), video is one.video


# -- judging ------------------------------------------------------------------------------------------------------

Choice = Callable[[Windows, Floats], Rows]


def shipped(windows: Windows, score: Floats) -> Rows:
    """As `search` chooses in a library where no video is named."""
    return ranking.choose(windows, score, DEPTH, most=ranking.MOST_OF_ONE_VIDEO).windows


def expected_recall(windows: Windows, score: Floats) -> Rows:
    """The same without a limit for one video."""
    return ranking.choose(windows, score, DEPTH).windows


def suppression(windows: Windows, score: Floats) -> Rows:
    """Best first without overlaps of IoU 0.5 or more: the usual non-maximum suppression."""
    order = np.argsort(-score, kind="stable")
    overlap = windows.take(order).overlap()
    kept: list[int] = []
    for at in range(len(order)):
        if not kept or overlap[at, kept].max() < 0.5:
            kept.append(at)
        if len(kept) == DEPTH:
            break
    return order[kept]


def best_only(windows: Windows, score: Floats) -> Rows:
    return np.argsort(-score, kind="stable")[:DEPTH]


def judged(prepared: Prepared, cases: Sequence[Case], weights: dict[str, float], choose: Choice) -> dict[str, float]:
    names = [video.name for video in prepared.library.catalogue.videos()]
    found = []
    for case in cases:
        chosen = case.windows.take(choose(case.windows, ranking.scores(case.windows, weights)))
        found.append(
            [
                Found(names[video], Span(float(start), float(end)))
                for video, start, end in zip(chosen.video, chosen.start, chosen.end, strict=True)
            ]
        )
    return _means([case.asked for case in cases], found)


def summary(
    ours: Mapping[str, Mapping[str, float]], references: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> tuple[float, float, float]:
    """(geometric mean of the ratios of R@5, smallest ratio, geometric mean of the ratios of misses)."""
    ratios = [ours[name][_RIGHT] / best(references[name], _RIGHT)[1] for name in ours]
    misses = [ours[name][_MISSES] / best(references[name], _MISSES)[1] for name in ours]
    return _geometric(ratios), min(ratios), _geometric(misses)


def best(references: Mapping[str, Mapping[str, float]], metric: str) -> tuple[str, float]:
    """The plain method that does best by this metric, and how well it does."""
    pick = min if metric == _MISSES else max
    name = pick(references, key=lambda run: references[run][metric])
    return name, references[name][metric]


def _geometric(values: Sequence[float]) -> float:
    return math.exp(sum(math.log(max(value, 1e-9)) for value in values) / len(values))


def report(prepared: Sequence[Prepared], part: Part, weights: dict[str, float]) -> Iterator[str]:
    """A table row per set: R@5 and misses of the product and of the best plain method."""
    yield "| set | queries | R@1 | R@5 | best plain R@5 | ratio | misses@20 | best plain | ratio | MRR | video-R@5 |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    ours, references = {}, {}
    for one in prepared:
        references[one.name] = one.references(part)
        ours[one.name] = found = judged(one, one.cases(part), weights, shipped)
        plain, right = best(references[one.name], _RIGHT)
        _, misses = best(references[one.name], _MISSES)
        yield (
            f"| {one.name} | {len(one.asked[part])} | {found['R@1/0.5']:.3f} | {found[_RIGHT]:.3f}"
            f" | {right:.3f} ({plain}) | {found[_RIGHT] / right:.2f} | {found[_MISSES]:.3f} | {misses:.3f}"
            f" | {found[_MISSES] / misses:.2f} | {found['MRR']:.3f} | {found['video-R@5']:.3f} |"
        )
    ratio, least, misses = summary(ours, references)
    yield f"geometric mean of R@5 ratios {ratio:.3f} (least {least:.2f}), of misses@20 ratios {misses:.3f}"


def limit(prepared: Sequence[Prepared]) -> Iterator[str]:
    """A table row per set, and the geometric means of the ratios of what the limit for one video leaves."""
    names = ("R@1/0.5", _RIGHT, "R@10/0.5", _MISSES)
    ratios: dict[str, list[float]] = {name: [] for name in names}
    yield f"| set | {' | without | '.join(names)} | without |"
    yield f"|---|{'---|' * 2 * len(names)}"
    for one in prepared:
        cases = one.cases("test")
        limited, free = (judged(one, cases, ranking.WEIGHTS, choose) for choose in (shipped, expected_recall))
        for name in names:
            ratios[name].append(limited[name] / free[name] if free[name] else 1.0)
        yield f"| {one.name} | {' | '.join(f'{limited[name]:.3f} | {free[name]:.3f}' for name in names)} |"
    means = ", ".join(f"{name} {_geometric(values):.3f}" for name, values in ratios.items())
    yield f"geometric means of the ratios: {means}"


def ablate(prepared: Sequence[Prepared]) -> Iterator[str]:
    """Fitted on development halves with one part taken out, judged on the others."""
    dev = {one.name: one.cases("dev") for one in prepared}
    test = {one.name: one.cases("test") for one in prepared}
    references = {one.name: one.references("test") for one in prepared}
    yield "| what | R@5 ratio | least | misses@20 ratio | R@1 | R@5 at IoU 0.7 | mIoU |"
    yield "|---|---|---|---|---|---|---|"
    for what, weights, choose in _variants(dev):
        ours = {one.name: judged(one, test[one.name], weights, choose) for one in prepared}
        ratio, least, misses = summary(ours, references)
        means = [np.mean([found[name] for found in ours.values()]) for name in ("R@1/0.5", "R@5/0.7", "mIoU")]
        rest = " | ".join(f"{mean:.3f}" for mean in means)
        yield f"| {what} | {ratio:.3f} | {least:.2f} | {misses:.3f} | {rest} |"


def _variants(dev: Mapping[str, Sequence[Case]]) -> Iterator[tuple[str, dict[str, float], Choice]]:
    yield "as shipped", ranking.WEIGHTS, shipped
    yield "one video may have all hits", ranking.WEIGHTS, expected_recall
    yield "no overlap of IoU 0.5 instead of expected recall", ranking.WEIGHTS, suppression
    yield "the best windows, overlapping or not", ranking.WEIGHTS, best_only
    yield "weights by likelihood alone", _sharpened(fit(dev, EVIDENCE)), expected_recall
    for what, left_out in _LEFT_OUT.items():
        kept = [name for name in EVIDENCE if name not in left_out]
        yield f"... without {what}", _sharpened(fit(dev, kept)), expected_recall


_LEFT_OUT = {
    "`pooled`": ("pooled",),
    "`best`": ("best",),
    "`words`": ("words",),
    "`covered`": ("covered",),
    "`video`": ("video",),
    "`video_covered`": ("video_covered",),
    "vectors (words only)": ("pooled", "best", "video"),
    "words (vectors only)": ("words", "covered", "video_covered"),
    "kinds of question": (*KINDS, "spoken_fact"),
    "speech of its own": (*SPEECH_SHAPES, "long_speech", "spoken_fact"),
    "how coarse a track is": COARSE_SHAPES,
    "seconds of any kind": tuple(name for name in LENGTH if "seconds" in name or "passages" not in name),
    "length of any kind": LENGTH,
}
#: Weights by likelihood are divided by this: probabilities of windows that overlap are not independent, and a sharper
#: distribution spreads the hits less.
TEMPERATURE = 0.7


def _sharpened(weights: Mapping[str, float]) -> dict[str, float]:
    return {name: value / TEMPERATURE for name, value in weights.items()}


def print_fit(prepared: Sequence[Prepared]) -> Iterator[str]:
    """Fitted weights, what they give on the development halves, and those that tell presence by the shipped ones."""
    dev = {one.name: one.cases("dev") for one in prepared}
    references = {one.name: one.references("dev") for one in prepared}
    likely = _sharpened(fit(dev, EVIDENCE))
    start = {
        name: (1 - _SHARE_BY_LIKELIHOOD) * ranking.WEIGHTS[name] + _SHARE_BY_LIKELIHOOD * likely[name]
        for name in EVIDENCE
    }
    found = tune(dev, references, start)
    for what, weights in (("by likelihood", likely), ("begun with", start), ("by what is found", found)):
        ours = {one.name: judged(one, dev[one.name], weights, shipped) for one in prepared}
        ratio, least, misses = summary(ours, references)
        each = ", ".join(f"{name} {ours[name][_RIGHT] / best(references[name], _RIGHT)[1]:.2f}" for name in ours)
        yield f"{what}: R@5 {ratio:.3f} (least {least:.2f}), misses@20 {misses:.3f}; {each}"
        yield f"  weights: {_rounded(weights)}"


def print_presence(prepared: Sequence[Prepared]) -> Iterator[str]:
    yield f"presence: {fit_presence(prepared, tuple(ranking.PRESENCE))}"
    yield f"presence in a library of one video: {fit_presence(prepared, tuple(ranking.PRESENCE_ALONE))}"


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in weights.items()}


def main() -> None:
    if len(sys.argv) < 4 or sys.argv[1] not in ("prepare", "fit", "presence", "report", "limit", "ablate"):
        sys.exit(__doc__)
    command, sets, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    names = sys.argv[4:] or list(FOLDERS)
    prepared = []
    for name in names:
        prepared.append(_prepared(name, sets, work))
        if command == "prepare":
            prepared[-1].references("dev")
            print(f"{name}: {prepared[-1].library.catalogue.total().passages} passages", flush=True)
    lines: Mapping[str, Callable[[], Iterator[str]]] = {
        "prepare": lambda: iter(()),
        "fit": lambda: print_fit(prepared),
        "presence": lambda: print_presence(prepared),
        "report": lambda: report(prepared, "test", ranking.WEIGHTS),
        "limit": lambda: limit(prepared),
        "ablate": lambda: ablate(prepared),
    }
    for line in lines[command]():
        print(line, flush=True)


if __name__ == "__main__":
    main()
