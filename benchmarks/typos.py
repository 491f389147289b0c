"""What does search find of mistyped queries? `python -m benchmarks.typos WORK [SET...] [--limit N] [--seed N]`

WORK is that of `benchmarks.retrieval prepare`. One or two content words of each query of the halves that nothing was
fitted on are mistyped once: a letter is left out, doubled by a neighbour of the keyboard, exchanged for one, or changes
places with the next. Printed is R@5 at IoU 0.5 of the queries as they are, mistyped and searched word by word, mistyped
and respelt for words only, and mistyped and respelt for vectors too; then what respelling does to the queries as people
wrote them. `--words N` only times one look-up among N distinct words.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentvid import Library
from agentvid.config import load_settings
from agentvid.evaluate.metrics import Found, retrieval_scores
from agentvid.evaluate.queries import Asked, load_queries
from agentvid.indexes.places import Places
from agentvid.indexes.retriever import Retriever
from agentvid.indexes.spelling import LEAST_LETTERS, Respelt, Spellings, pack
from agentvid.words import FUNCTION_WORDS, placed_words

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_DEPTH = 5
_RIGHT = "R@5/0.5"


class Literal(Retriever):
    """Searches queries as they are typed."""

    def _spelt(self, places: Places, query: str, keep: Collection[str] = ()) -> Respelt:
        return Respelt(query, query)


class WordsOnly(Retriever):
    """Respells what words are looked for, and embeds the query as it is typed."""

    def _spelt(self, places: Places, query: str, keep: Collection[str] = ()) -> Respelt:
        return replace(super()._spelt(places, query, keep), meaning=query)


def neighbours(letter: str) -> str:
    """The keys around a letter; e where there are none, as around a letter of another script."""
    for at, row in enumerate(_KEYS):
        if letter in row:
            place = row.index(letter)
            near = "".join(keys[max(0, place - 1) : place + 2] for keys in _KEYS[max(0, at - 1) : at + 2])
            return near.replace(letter, "")
    return "e"


def mistyped(word: str, rng: random.Random) -> str:
    """The word with one error of typing."""
    while True:
        at, key = rng.randrange(len(word)), rng.choice("idst")
        near = rng.choice(neighbours(word[at]))
        typed = {
            "i": f"{word[:at]}{near}{word[at:]}",
            "d": word[:at] + word[at + 1 :],
            "s": f"{word[:at]}{near}{word[at + 1 :]}",
            "t": word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
        }[key]
        if typed != word:
            return typed


def with_typos(query: str, words: int, rng: random.Random) -> str:
    """The query with so many of its content words mistyped; with fewer where it has fewer."""
    text = unicodedata.normalize("NFKC", query)
    fit = [one for one in placed_words(text) if len(one[2]) >= LEAST_LETTERS and one[2] not in FUNCTION_WORDS]
    for start, end, word in sorted(rng.sample(fit, min(words, len(fit))), reverse=True):
        text = f"{text[:start]}{mistyped(word, rng)}{text[end:]}"
    return text


def _is_right(retriever: Retriever, query: str, asked: Asked, names: dict[str, str]) -> float:
    found = [Found(names[moment.video_id], moment.span) for moment in retriever.search(query, k=_DEPTH)]
    return retrieval_scores(found, asked.video.name, asked.query.spans)[_RIGHT]


def measure(name: str, folder: Path, limit: int, seed: int) -> Iterator[str]:
    """Two lines of the table: one and two words mistyped; and what respelling does to the queries as they are."""
    library = Library.open(settings=load_settings(flags={"library": str(folder / "library")}).settings)
    catalogue, embedder, backend = library.catalogue, library.retriever._embedder, library.retriever._backend
    as_typed, words_only, respelt = (kind(catalogue, embedder, backend) for kind in (Literal, WordsOnly, Retriever))
    names = {video.id: video.name for video in catalogue.videos()}
    asked = load_queries(library, folder / "queries.jsonl", part="test", limit=limit)
    rng = random.Random(seed)
    right = [_is_right(as_typed, one.query.query, one, names) for one in asked]
    for words in (1, 2):
        typed = [with_typos(one.query.query, words, rng) for one in asked]
        found = [
            np.mean([_is_right(retriever, query, one, names) for query, one in zip(typed, asked, strict=True)])
            for retriever in (as_typed, words_only, respelt)
        ]
        cells = " | ".join(f"{share:.3f}" for share in (np.mean(right), *found))
        yield f"| {name} | {len(asked)} | {words} | {cells} |"
    everything = load_queries(library, folder / "queries.jsonl", part="test")
    changed = [one for one in everything if respelt.respelt(one.query.query).changes]
    before, after = (
        sum(_is_right(retriever, one.query.query, one, names) for one in changed) for retriever in (as_typed, respelt)
    )
    of_all = f"{len(changed)} of {len(everything)} respelt"
    yield f"  {name} as written: {of_all}; of those right {before:.0f} before, {after:.0f} after"


def print_table(work: Path, names: Sequence[str], limit: int, seed: int) -> None:
    print("| set | queries | mistyped words | unharmed | as typed | words respelt | respelt |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        for line in measure(name, work / name, limit, seed):
            print(line, flush=True)


def print_times(count: int, seed: int) -> None:
    """Milliseconds of the first look-up, which unpacks the words, and of one, among `count` words that look English."""
    rng = random.Random(seed)
    syllables = [first + vowel + last for first in "bcdfglmnprst" for vowel in "aeiou" for last in ("", *"lnrst")]
    words: dict[str, int] = {}
    while len(words) < count:
        words["".join(rng.choices(syllables, k=rng.choice((2, 3, 3, 4))))] = rng.choice((1, 1, 2, 10, 1000))
    spellings = Spellings(*pack(words), {}.__contains__)
    sample = [mistyped(word, rng) for word in rng.sample(list(words), 51)]
    first, *others = (_milliseconds(spellings, word) for word in sample)
    print(
        f"{count} words: first {first:.0f} ms,"
        f" then median {statistics.median(others):.1f} ms, most {max(others):.1f} ms"
    )


def _milliseconds(spellings: Spellings, word: str) -> float:
    started = time.perf_counter()
    spellings.nearest(word)
    return 1000 * (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.typos", description=__doc__.splitlines()[0])
    parser.add_argument("work", nargs="?", type=Path, help="the folder of `benchmarks.retrieval prepare`")
    parser.add_argument("sets", nargs="*", help="folders in it; all by default")
    parser.add_argument("--limit", type=int, default=400, help="queries of a set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--words", type=int, help="time look-ups among so many words instead")
    options = parser.parse_args(arguments)
    if options.words:
        print_times(options.words, options.seed)
    elif options.work:
        names = options.sets or sorted(
            path.name for path in options.work.iterdir() if (path / "queries.jsonl").exists()
        )
        print_table(options.work, names, options.limit, options.seed)
    else:
        parser.error("name the folder of `benchmarks.retrieval prepare`, or --words N")


if __name__ == "__main__":
    main()
