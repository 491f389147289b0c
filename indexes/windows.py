"""From a query and the passages it touches to windows: runs of neighbouring passages, with the evidence for each.

What fits a query may be one sentence or two minutes. Instead of cutting videos into pieces of one size, every run of
up to twelve neighbours around a good passage is a candidate, and competes with its parts and with what it is part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentvid.indexes.places import LONG_RUNS, RUN_LENGTHS, SHORT_RUNS, Floats, Places, Rows, Term
from agentvid.indexes.question_kind import DESCRIPTION, FACT, KINDS
from agentvid.models.base import Vectors

#: Columns of the evidence, in order. `pooled` and `best` are cosines in standard deviations above the library's
#: mean cosine with the query: of the run's mean vector, and of its best passage. `words` is BM25 of the run as one
#: text, as a share of the best possible; `covered` the share of the query's rarity-weighted words that occur.
#: `video` and `video_covered` say the same of the whole video, title included. `phrase` is 1 if it holds a phrase
#: that the query quotes. `passages` is the logarithm of how many there are.
#: `position` is how far its middle is from where in the video the query wants it, as a share of the video, negative.
CONTENT = ("pooled", "best", "words", "covered", "video", "video_covered", "phrase", "position")
#: How long a moment is likely to be, in passages and in seconds together: logarithms of both, with their squares and
#: their product, as of a log-normal distribution. It is another one where the track is speech, and it shifts with how
#: coarse the track is in this video, that is, with `Places.coarseness`: among sentences of 2 s a moment is several of
#: them, a caption of 20 s may be all of it.
SHAPES = ("passages", "seconds", "passages_squared", "seconds_squared", "passages_seconds")
SPEECH_SHAPES, COARSE_SHAPES = (tuple(f"{where}_{shape}" for shape in SHAPES) for where in ("speech", "coarse"))
#: And the logarithm of its seconds by what is asked for: `long_speech` times the logarithm of the video's length
#: against four minutes, where the track is speech (an hour of talk stays with a topic for longer than a scene does),
#: `spoken_fact` where the track is speech and a fact is asked for, and for each kind of question.
LENGTH = (*SHAPES, *SPEECH_SHAPES, *COARSE_SHAPES, "long_speech", "spoken_fact", *KINDS)
EVIDENCE = (*CONTENT, *LENGTH)
#: A shorter moment is as good as one of this length; a single passage beyond the longest run as good as that run.
_LEAST_SECONDS = 0.5
_SCENE_SECONDS = 240.0

#: No run of several passages is longer than this; a long one, of many passages, may be a whole discussion.
LONGEST_SECONDS, LONGEST_LONG_SECONDS = 120.0, 420.0
#: Passages with much more silence between them than words are no one moment: this share of it must be told.
_LEAST_TOLD = 0.4
#: Long runs start at every eighth of their length: neighbours that share so much need no competition.
_STRIDE = 8
K1, B = 1.2, 0.75
#: BM25's length normalisation takes this many average passages for a text of normal length: runs are longer.
_NORMAL_PASSAGES = 8.0
#: Below this spread of cosines a library is about one thing, and small differences say little.
_LEAST_DEVIATION = 0.03


@dataclass(frozen=True, slots=True)
class Windows:
    """w candidates: rows `first` to `last` (exclusive), seconds `start` to `end`, `evidence` (w, len(EVIDENCE))."""

    first: Rows
    last: Rows
    start: Floats
    end: Floats
    video: NDArray[np.int32]
    track: NDArray[np.int16]
    evidence: Floats
    similarity: Floats

    def take(self, chosen: Rows) -> Windows:
        return Windows(
            self.first[chosen],
            self.last[chosen],
            self.start[chosen],
            self.end[chosen],
            self.video[chosen],
            self.track[chosen],
            self.evidence[chosen],
            self.similarity[chosen],
        )

    def joined(self, others: Windows, number: NDArray[np.int32]) -> Windows:
        """With `others` behind, whose videos are counted otherwise: theirs are positions in `number`."""
        theirs = others.video if not len(others.video) else number[others.video]
        return Windows(
            np.concatenate([self.first, others.first]),
            np.concatenate([self.last, others.last]),
            np.concatenate([self.start, others.start]),
            np.concatenate([self.end, others.end]),
            np.concatenate([self.video, theirs]),
            np.concatenate([self.track, others.track]),
            np.concatenate([self.evidence, others.evidence]),
            np.concatenate([self.similarity, others.similarity]),
        )

    def overlap(self) -> Floats:
        """(w, w) temporal intersection over union; 0 between videos."""
        shared = np.minimum.outer(self.end, self.end) - np.maximum.outer(self.start, self.start)
        union = np.maximum.outer(self.end, self.end) - np.minimum.outer(self.start, self.start)
        same = np.equal.outer(self.video, self.video)
        overlap: Floats = np.where(same, np.clip(shared, 0, None) / np.maximum(union, 1e-9), 0.0)
        return overlap


@dataclass(frozen=True, slots=True)
class Question:
    """A query as ranking sees it: terms of the library's vocabulary, its vector, rows with a quoted phrase.

    `known_share` is the part of the query's weight that the terms have: 1 if the library knows all its words; `kind`
    what kind of moment it asks for; `position` where in the video, as a share of its length.
    """

    terms: Sequence[Term]
    vector: Vectors | None
    phrase_rows: Rows
    known_share: float = 1.0
    kind: str = DESCRIPTION
    position: float | None = None


def passage_scores(places: Places, terms: Sequence[Term]) -> Floats:
    """(n,) BM25 (Robertson and Zaragoza, 2009) of every passage; a word of its video's title counts a quarter."""
    scores = np.zeros(places.count)
    for term in terms:
        length = 1 - B + B * places.lengths[term.rows] / places.mean_length
        scores[term.rows] += term.weight * term.counts * (K1 + 1) / (term.counts + K1 * length)
    titled = np.zeros(len(places.video_ids))
    for term in terms:
        titled[term.title_videos] += 0.25 * term.weight
    if titled.any():
        scores += titled[places.video]
    return scores


def windows_around(
    places: Places, seeds: Rows, allowed: NDArray[np.bool_] | None, best_seeds: Rows | None = None
) -> tuple[Rows, Rows]:
    """(first, last) rows of every run that holds a seed, lies in one stream and in `allowed`, and is not too long.

    Long runs hold one of `best_seeds`.
    """
    short = _runs(places, seeds, SHORT_RUNS, LONGEST_SECONDS)
    long = _runs(places, seeds[:0] if best_seeds is None else best_seeds, LONG_RUNS, LONGEST_LONG_SECONDS)
    first, last = (np.concatenate(pair) for pair in zip(short, long, strict=True))
    if allowed is not None:
        forbidden = np.concatenate([[0], np.cumsum(~allowed)])
        kept = forbidden[last] == forbidden[first]
        first, last = first[kept], last[kept]
    return first, last


def _runs(places: Places, seeds: Rows, lengths: Sequence[int], longest_seconds: float) -> tuple[Rows, Rows]:
    stream_first, stream_last = (bounds[seeds] for bounds in places.streams)
    firsts, lasts = [], []
    for length in lengths:
        first = seeds - np.arange(length)[:, None]
        fits = (first >= stream_first) & (first + length <= stream_last)
        if length in LONG_RUNS:
            fits &= first % (length // _STRIDE) == 0
        starts = np.sort(first[fits])
        starts = starts[np.diff(starts, prepend=-1) > 0]
        # The row that ends last need not be the last row.
        members = starts + np.arange(length)[:, None]
        seconds = places.end[members].max(axis=0) - places.start[starts]
        told = (places.end[members] - places.start[members]).sum(axis=0)
        starts = starts[(length == 1) | ((seconds <= longest_seconds) & (told >= _LEAST_TOLD * seconds))]
        firsts.append(starts)
        lasts.append(starts + length)
    return np.concatenate(firsts), np.concatenate(lasts)


def gather(places: Places, question: Question, first: Rows, last: Rows, cosines: Floats, rows: Rows) -> Windows:
    """The windows with their evidence. `rows`, ascending, hold all rows of all windows; `cosines` are theirs."""
    at, to = np.searchsorted(rows, first), np.searchsorted(rows, last - 1) + 1
    lengths = last - first
    evidence = np.zeros((len(first), len(EVIDENCE)))
    column = dict(zip(EVIDENCE, evidence.T, strict=True))
    end = _highest(places.end[rows], at, to)
    similarity = np.zeros(len(first))
    video = places.video[first]
    if question.vector is not None:
        similarity = _highest(cosines, at, to)
        column["pooled"][:], column["best"][:] = _meaning(
            places, question.vector, first, lengths, cosines, at, to, similarity
        )
        column["video"][:] = _video_meaning(places, question.vector)[video]
    words, covered = _word_evidence(places, question.terms, rows, at, to)
    column["words"][:], column["covered"][:] = words * question.known_share, covered * question.known_share
    column["video_covered"][:] = _video_words(places, question.terms)[video] * question.known_share
    if len(question.phrase_rows):
        column["phrase"][:] = _sums(np.isin(rows, question.phrase_rows), at, to) > 0
    if question.position is not None:
        middle = (places.start[first] + end) / 2 / np.maximum(places.video_seconds[video], 1e-9)
        column["position"][:] = -np.abs(middle - question.position)
    for name, values in _length_evidence(places, question.kind, first, lengths, end).items():
        column[name][:] = values
    return Windows(first, last, places.start[first], end, video, places.track[first], evidence, similarity)


def _length_evidence(places: Places, kind: str, first: Rows, lengths: Rows, end: Floats) -> dict[str, Floats]:
    """(w,) for each of LENGTH that is not 0 everywhere."""
    duration = np.clip(end - places.start[first], _LEAST_SECONDS, LONGEST_LONG_SECONDS)
    passages, seconds = np.log(lengths), np.log(duration)
    is_speech, coarseness = places.is_speech[first], places.coarseness[first]
    scenes = np.log(np.maximum(places.video_seconds, 1.0) / _SCENE_SECONDS)[places.video[first]]
    found: dict[str, Floats] = {"long_speech": seconds * is_speech * scenes}
    shapes = (passages, seconds, passages**2, seconds**2, passages * seconds)
    for names, share in ((SHAPES, 1.0), (SPEECH_SHAPES, is_speech), (COARSE_SHAPES, coarseness)):
        found |= {name: shape * share for name, shape in zip(names, shapes, strict=True)}
    if kind == FACT:
        found["spoken_fact"] = seconds * is_speech
    return found if kind == DESCRIPTION else found | {kind: seconds}


def _meaning(
    places: Places,
    vector: Vectors,
    first: Rows,
    lengths: Rows,
    cosines: Floats,
    at: Rows,
    to: Rows,
    best: Floats,
) -> tuple[Floats, Floats]:
    mean, deviation = _spread(places.sample @ vector)
    column = np.searchsorted(RUN_LENGTHS, lengths)
    norm = np.maximum(places.norms[first, column].astype(float), 1e-6)
    pooled = _sums(cosines, at, to) / norm
    return (pooled - mean) / deviation, (best - mean) / deviation


def _spread(cosines: NDArray[np.floating]) -> tuple[float, float]:
    if not len(cosines):
        return 0.0, 1.0
    return float(cosines.mean()), max(float(cosines.std()), _LEAST_DEVIATION)


def _video_meaning(places: Places, vector: Vectors) -> Floats:
    """(v,) how far above the other videos' each video's mean direction is, in standard deviations."""
    cosines = (places.centroids @ vector).astype(float)
    mean, deviation = _spread(cosines)
    return (cosines - mean) / deviation if len(cosines) > 1 else np.zeros(len(cosines))


def _word_evidence(places: Places, terms: Sequence[Term], rows: Rows, at: Rows, to: Rows) -> tuple[Floats, Floats]:
    """(BM25 share, covered share) of each window."""
    words, covered = np.zeros(len(at)), np.zeros(len(at))
    most = sum(term.weight for term in terms)
    if not most:
        return words, covered
    size = _sums(places.lengths[rows], at, to) / (places.mean_length * _NORMAL_PASSAGES)
    looked_up = rows.astype(np.uint32)  # as the postings are: searchsorted would convert all of them
    for term in terms:
        counts = np.zeros(len(rows))
        found = np.searchsorted(term.rows, looked_up)
        inside = found < len(term.rows)
        inside[inside] = term.rows[found[inside]] == looked_up[inside]
        counts[inside] = term.counts[found[inside]]
        count = _sums(counts, at, to)
        words += term.weight * count / (count + K1 * (1 - B + B * size))
        covered += term.weight * (count > 0)
    return words / most, covered / most


def _video_words(places: Places, terms: Sequence[Term]) -> Floats:
    """(v,) the covered share of each video's text and title."""
    covered = np.zeros(len(places.video_ids))
    for term in terms:
        holds = np.zeros(len(covered), bool)
        holds[places.video[term.rows]] = True
        holds[term.title_videos] = True
        covered += term.weight * holds
    return covered / max(sum(term.weight for term in terms), 1e-9)


def _sums(values: NDArray[np.generic], at: Rows, to: Rows) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    sums: Floats = total[to] - total[at]
    return sums


def _highest(values: NDArray[np.floating], at: Rows, to: Rows) -> Floats:
    """The largest of `values[at:to]` for each window."""
    borders = np.stack([at, to], axis=1).ravel()
    padded = np.append(values, -np.inf)  # a border may be the end
    highest: Floats = np.maximum.reduceat(padded, borders)[::2].astype(float) if len(at) else np.empty(0)
    return highest
