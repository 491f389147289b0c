"""Every passage of a library as a row of arrays, with its words as postings: what ranking computes with.

Made from the catalogue, kept in one file beside it (see `place_file.py`), and read whole: 0.2 KB a passage. Rows are
in the order of passage ids, so that the passages of one track of one video are neighbours in time.
"""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import LibraryDamaged
from agentvid.indexes.base import Filter, Ids
from agentvid.indexes.spelling import Spellings, pack
from agentvid.models.base import Vectors
from agentvid.types import SPEECH
from agentvid.words import folded_words, index_parts, is_spaced, plain_word

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Lengths, in passages, of the windows that ranking compares: around every seed, and around the best seeds only.
SHORT_RUNS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
LONG_RUNS = (16, 24, 36, 54)
RUN_LENGTHS = (*SHORT_RUNS, *LONG_RUNS)
#: Cosines with this many rows, spread over the library, tell what cosine a query has with text about other things.
_SAMPLE_ROWS = 1024
#: Passages of so many seconds make a stream that is neither fine nor coarse; a shorter one counts as this long.
_USUAL_SECONDS, _LEAST_PASSAGE_SECONDS = 5.0, 0.5
#: The least and the most coarseness: passages of about 1 s and about a minute.
COARSENESS = (-1.6, 2.5)
_CHUNK_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Term:
    """A query's word in the library: its inverse document frequency, and where it is."""

    word: str
    weight: float
    rows: NDArray[np.uint32]
    counts: NDArray[np.uint16]
    title_videos: Rows


@dataclass(frozen=True)
class Places:
    """n passages of v videos. `video` and `track` number into `video_ids` and `tracks`; times are seconds.

    `rows` and `counts` are the postings of word w at `offsets[w]:offsets[w + 1]`; row n + i is the title of video i.
    `norms` (n, len(RUN_LENGTHS)) float16 are the lengths of the sum of the vectors from a row on; `centroids`
    (v, dimension) the mean directions of the videos; `sample` some passages' vectors. Without vectors they are empty.
    `written` and `written_counts` are the words as they are written (`spelling.pack`), `languages` those of the rows.
    """

    video_ids: tuple[str, ...]
    tracks: tuple[str, ...]
    languages: tuple[str, ...]
    ids: Ids
    video: NDArray[np.int32]
    track: NDArray[np.int16]
    start: Floats
    end: Floats
    lengths: NDArray[np.int32]
    vocabulary: dict[str, int]
    offsets: Rows
    rows: NDArray[np.uint32]
    counts: NDArray[np.uint16]
    written: NDArray[np.uint8]
    written_counts: NDArray[np.int32]
    has_vector: NDArray[np.bool_]
    norms: NDArray[np.float16]
    centroids: Vectors
    sample: Vectors

    @property
    def count(self) -> int:
        return len(self.ids)

    @cached_property
    def mean_length(self) -> float:
        """Words of the average passage."""
        return max(1.0, float(self.lengths.mean())) if self.count else 1.0

    @cached_property
    def streams(self) -> tuple[Rows, Rows]:
        """(first row, row after the last) of the stream of every row: one track of one video, while time goes on."""
        if not self.count:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        breaks = (np.diff(self.video) != 0) | (np.diff(self.track) != 0) | (np.diff(self.start) < 0)
        borders = np.concatenate([[0], np.flatnonzero(breaks) + 1, [self.count]])
        sizes = np.diff(borders)
        return np.repeat(borders[:-1], sizes), np.repeat(borders[1:], sizes)

    @cached_property
    def spellings(self) -> Spellings:
        """Tells which of the library's words a misspelt one stands for."""
        return Spellings(self.written, self.written_counts, self.vocabulary.__contains__, self.languages)

    @cached_property
    def is_speech(self) -> NDArray[np.bool_]:
        """(n,) whether a row is of the track speech."""
        return np.array([name == SPEECH for name in self.tracks], bool)[self.track]

    @cached_property
    def coarseness(self) -> Floats:
        """(n,) how long the passages of a row's stream are: logarithm of their geometric mean against _USUAL_SECONDS.

        No further out than COARSENESS: the libraries that ranking was fitted on have too few such videos to tell.
        """
        first, last = self.streams
        logarithms = np.log(np.maximum(self.end - self.start, _LEAST_PASSAGE_SECONDS) / _USUAL_SECONDS)
        total = np.concatenate([[0.0], np.cumsum(logarithms)])
        means: Floats = (total[last] - total[first]) / np.maximum(last - first, 1)
        return means.clip(*COARSENESS)

    @cached_property
    def video_seconds(self) -> Floats:
        """(v,) when the last passage of each video ends; 0 without any."""
        seconds = np.zeros(len(self.video_ids))
        np.maximum.at(seconds, self.video, self.end)
        return seconds

    def allowed(self, where: Filter) -> NDArray[np.bool_] | None:
        """Which rows a filter keeps; None for all."""
        if where.is_empty:
            return None
        kept = np.ones(self.count, bool)
        if where.video_ids:
            wanted = set(where.video_ids)
            kept &= np.array([name in wanted for name in self.video_ids], bool)[self.video]
        if where.tracks:
            kept &= np.array([name in where.tracks for name in self.tracks], bool)[self.track]
        if where.within is not None:
            kept &= (self.start < where.within.end_seconds) & (self.end > where.within.start_seconds)
        return None if kept.all() else kept

    def rows_of_each(self, ids: Ids) -> Rows:
        """Row numbers of passage ids, in their order; ids that the places do not know are left out."""
        found: Rows = np.searchsorted(self.ids, ids)
        inside = found < self.count
        found, ids = found[inside], ids[inside]
        found = found[self.ids[found] == ids]
        return found

    def terms(self, words: Iterable[str]) -> list[Term]:
        """The stems among `words` that some passage or title has."""
        found = []
        for word in words:
            at = self.vocabulary.get(word)
            if at is None:
                continue
            part = slice(int(self.offsets[at]), int(self.offsets[at + 1]))
            rows, counts = self.rows[part], self.counts[part]
            passages = int(np.searchsorted(rows, self.count))
            weight = math.log(1 + (self.count - passages + 0.5) / (passages + 0.5))
            titles = rows[passages:].astype(np.int64) - self.count
            found.append(Term(word, weight, rows[:passages], counts[:passages], titles))
        return found

    def known_share(self, words: Sequence[str], terms: Sequence[Term]) -> float:
        """How much of a query's weight the library's words have; a word that nobody ever says weighs most."""
        known = sum(term.weight for term in terms)
        unknown = (len(words) - len(terms)) * math.log(1 + (self.count + 0.5) / 0.5)
        return known / (known + unknown) if known else 0.0

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        text = json.dumps([self.video_ids, self.tracks, self.languages, list(self.vocabulary)]).encode()
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(file, allow_pickle=False, text=np.frombuffer(text, np.uint8), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Places:
        """What `to_bytes` gave. Raises LibraryDamaged for anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                video_ids, tracks, languages, words = json.loads(file["text"].tobytes())
                arrays = {name: file[name] for name in _ARRAYS}
            vocabulary = {word: at for at, word in enumerate(words)}
            return cls(tuple(video_ids), tuple(tracks), tuple(languages), vocabulary=vocabulary, **arrays)
        except Exception as error:
            # zipfile and NumPy's header parser have a dozen ways to say that this is no file of theirs.
            raise LibraryDamaged(
                f"the ranking file cannot be read: {error}", hint="agentvid doctor --repair"
            ) from error


_ARRAYS = (
    "ids",
    "video",
    "track",
    "start",
    "end",
    "lengths",
    "offsets",
    "rows",
    "counts",
    "written",
    "written_counts",
    "has_vector",
    "norms",
    "centroids",
    "sample",
)


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One passage as the catalogue holds it; `video` numbers into the videos."""

    id: int
    video: int
    track: str
    start: float
    end: float
    text: str


def make_places(
    videos: Sequence[tuple[str, str]],
    passages: Sequence[PlaceRow],
    vectors: Callable[[], Iterator[tuple[Ids, Vectors]]] | None,
    dimension: int = 0,
    languages: Iterable[str] = (),
) -> Places:
    """Arrays of all `passages`, ascending by id; `videos` are (id, title), `languages` the BCP 47 tags of their rows.

    `vectors` gives ((m,) ids, (m, dimension) float32) ascending by id; a passage may have none.
    """
    tracks = sorted({passage.track for passage in passages})
    ids = np.array([passage.id for passage in passages], np.int64)
    video = np.array([passage.video for passage in passages], np.int32)
    postings = _postings([passage.text for passage in passages], [title for _, title in videos])
    has_vector, norms, centroids, sample = _vector_arrays(ids, video, len(videos), vectors, dimension)
    return Places(
        tuple(video_id for video_id, _ in videos),
        tuple(tracks),
        tuple(sorted(set(languages) - {""})),
        ids,
        video,
        np.array([tracks.index(passage.track) for passage in passages], np.int16),
        np.array([passage.start for passage in passages], float),
        np.array([passage.end for passage in passages], float),
        has_vector=has_vector,
        norms=norms,
        centroids=centroids,
        sample=sample,
        **postings,
    )


def _postings(texts: Sequence[str], titles: Sequence[str]) -> dict[str, Any]:
    """Words of texts, then titles, as compressed sparse rows by word."""
    vocabulary: dict[str, int] = {}
    written: Counter[str] = Counter()
    words: list[int] = []
    counts: list[int] = []
    lengths = np.zeros(len(texts) + len(titles), np.int32)
    sizes = np.zeros(len(lengths), np.int64)
    for row, text in enumerate((*texts, *titles)):
        folded = folded_words(text)
        written.update(folded)
        found = Counter(part for word in folded for part in index_parts(word))
        words += [vocabulary.setdefault(word, len(vocabulary)) for word in found]
        counts += found.values()
        lengths[row], sizes[row] = found.total(), len(found)
    packed, written_counts = pack(_plain(written))
    by_word = np.argsort(np.array(words, np.int64), kind="stable")
    starts = np.bincount(np.array(words, np.int64), minlength=len(vocabulary)).cumsum()
    return {
        "vocabulary": vocabulary,
        "offsets": np.concatenate([[0], starts]).astype(np.int64),
        "rows": np.repeat(np.arange(len(lengths), dtype=np.uint32), sizes)[by_word],
        "counts": np.minimum(counts, 65535).astype(np.uint16)[by_word],
        "lengths": lengths[: len(texts)],
        "written": packed,
        "written_counts": written_counts,
    }


def _plain(folded: Counter[str]) -> Counter[str]:
    plain: Counter[str] = Counter()
    for word, count in folded.items():
        if is_spaced(word):
            plain[plain_word(word)] += count
    return plain


def _vector_arrays(
    ids: Ids,
    video: NDArray[np.int32],
    videos: int,
    vectors: Callable[[], Iterator[tuple[Ids, Vectors]]] | None,
    dimension: int,
) -> tuple[NDArray[np.bool_], NDArray[np.float16], Vectors, Vectors]:
    """(has_vector, norms, centroids, sample) in one pass, a chunk at a time."""
    has_vector = np.zeros(len(ids), bool)
    norms = np.zeros((len(ids), len(RUN_LENGTHS)), np.float16)
    sums = np.zeros((videos, dimension), np.float32)
    if vectors is None or not len(ids):
        return has_vector, norms, sums, np.empty((0, dimension), np.float32)
    sampled = np.unique(np.linspace(0, len(ids) - 1, _SAMPLE_ROWS).astype(np.int64))
    sample = np.zeros((len(sampled), dimension), np.float32)
    reach = max(RUN_LENGTHS)
    window = np.zeros((0, dimension), np.float32)  # vectors of the rows from `first` on that have no norms yet
    first = 0
    for rows, part in _dense_rows(ids, vectors, dimension, has_vector):
        np.add.at(sums, video[rows], part)
        here = (sampled >= rows[0]) & (sampled <= rows[-1])
        sample[here] = part[sampled[here] - rows[0]]
        window = np.concatenate([window, part])
        done = len(window) if rows[-1] + 1 == len(ids) else max(0, len(window) - reach)
        norms[first : first + done] = _run_norms(window, done)
        window, first = window[done:], first + done
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return has_vector, norms, sums / np.maximum(lengths, 1e-6), sample[has_vector[sampled]]


def _dense_rows(
    ids: Ids,
    vectors: Callable[[], Iterator[tuple[Ids, Vectors]]],
    dimension: int,
    has_vector: NDArray[np.bool_],
) -> Iterator[tuple[Rows, Vectors]]:
    """(row numbers, vectors) of all rows in chunks, zero where there is no vector; marks those that have one."""
    row = 0
    for found_ids, found in vectors():
        at = np.searchsorted(ids, found_ids)
        if at[-1] == len(ids) or (ids[at] != found_ids).any():
            raise LibraryDamaged("there are vectors of passages that are not there", hint="agentvid doctor --repair")
        has_vector[at] = True
        last = int(at[-1]) + 1
        dense = np.zeros((last - row, dimension), np.float32)
        dense[at - row] = found
        for begin in range(row, last, _CHUNK_ROWS):
            end = min(begin + _CHUNK_ROWS, last)
            yield np.arange(begin, end), dense[begin - row : end - row]
        row = last
    if row < len(ids):
        yield np.arange(row, len(ids)), np.zeros((len(ids) - row, dimension), np.float32)


def _run_norms(vectors: Vectors, count: int) -> NDArray[np.float16]:
    """(count, len(RUN_LENGTHS)): the length of the sum of the next 1, 2, 3... vectors from each of the first rows."""
    padded = np.concatenate([vectors, np.zeros((max(RUN_LENGTHS), vectors.shape[1]), np.float32)])
    norms = np.empty((count, len(RUN_LENGTHS)), np.float16)
    total = np.zeros((count, vectors.shape[1]), np.float32)
    for step in range(max(RUN_LENGTHS)):
        total += padded[step : step + count]
        if step + 1 in RUN_LENGTHS:
            norms[:, RUN_LENGTHS.index(step + 1)] = np.linalg.norm(total, axis=1)
    return norms
