"""Run by test_durability.py: `write DIR FIRST PATHS` until stopped, `check DIR`, or `kill DIR TIMES` forked writers.

Loads no model and no FAISS, and forks from a process that has imported everything, so that nearly all of a writer's
life is writing.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.place_file import open_places, publish_places
from agentvid.indexes.vectors import Backend, open_index, publish
from agentvid.models.base import EmbeddingSpace
from agentvid.types import Clip, Observation, Passage, Provenance, Span, Video

SPACE = EmbeddingSpace("chance", "1", 16)
NUMPY = Backend("numpy")
LINES = 20
#: How many paths the killed writers use: video n lies at path n modulo this, and takes the place of an older one.
PATHS = 7


def record(name: str, paths: int) -> VideoRecord:
    spans = [Span(at, at + 1) for at in range(LINES)]
    texts = [f"{name} says word{at}" for at in range(LINES)]
    vectors = np.random.default_rng(int(name[1:])).standard_normal((LINES, SPACE.dimension)).astype(np.float32)
    identity = hashlib.sha256(name.encode()).hexdigest()
    return VideoRecord(
        video=Video(identity, identity, name, float(LINES), (f"/v/{int(name[1:]) % paths}.mp4",)),
        fingerprint="f",
        shots=(Span(0, LINES),),
        clips=(Clip(Span(0, LINES), 0),),
        observations=tuple(Observation(s, "speech", t, Provenance("test")) for s, t in zip(spans, texts, strict=True)),
        passages=tuple(Passage(s, "speech", t, 0, (at,)) for at, (s, t) in enumerate(zip(spans, texts, strict=True))),
        space=SPACE,
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def write(directory: Path, first: int, paths: int, say: Callable[[str], object]) -> None:
    with Catalogue.open(directory) as library:
        say("open\n")
        for number in itertools.count(first):
            library.put_video(record(f"v{number}", paths))
            say(f"v{number}\n")
            if number % 4 == 3:
                publish(library, SPACE, NUMPY)
                publish_places(library, SPACE)


def check(directory: Path) -> list[str]:
    """Names of the videos; raises AssertionError if rows, words, vectors or index files do not fit together."""
    with Catalogue.open(directory) as library:
        with library.store.raw() as connection:
            assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        videos, ids = library.videos(), library.passage_ids(Filter())
        parts = list(library.iter_vectors(SPACE))
        assert [at for part, _ in parts for at in part.tolist()] == ids.tolist()
        assert len(ids) == LINES * len(videos)
        assert library.lexical.containing("says", Filter()) == ids.tolist()
        assert all(len(library.observations(video.id)) == LINES for video in videos)
        places = open_places(library, SPACE)
        assert places.ids.tolist() == ids.tolist()
        assert places.has_vector.all()
        assert {places.video_ids[at] for at in places.video} == {video.id for video in videos}
        assert [term.rows.tolist() for term in places.terms(["say"])] == [[*range(len(ids))]] * bool(videos)
        index = open_index(library, SPACE, NUMPY)
        assert index.count == len(ids)
        if parts:
            query = parts[0][1][0]
            cosines = np.concatenate([vectors @ query for _, vectors in parts])
            np.testing.assert_allclose(index.search(query, 10)[1], np.sort(cosines)[::-1][:10], atol=1e-5)
        return [video.title for video in videos]


def kill(directory: Path, times: int) -> str:
    chance = random.Random(times)
    first = while_writing = 0
    for number in range(times):
        # One in three dies as it opens the library, one in its first transaction, one later or while it publishes.
        acknowledged = killed_write(directory, first, chance.uniform(0.0, 0.06), awaited=number % 3 * 2)
        while_writing += bool(acknowledged)
        stored = sorted(int(name[1:]) for name in check(directory))
        newest = stored[-1] if stored else -1
        # All that was acknowledged is there, at most one more, and of those that shared a path the last.
        if acknowledged:
            assert newest - acknowledged[-1] in (0, 1), (newest, acknowledged)
        assert stored == list(range(max(0, newest - PATHS + 1), newest + 1)), stored
        first = newest + 1
    return f"kills={times} while_writing={while_writing} videos={first}\n"


def killed_write(directory: Path, first: int, seconds: float, *, awaited: int) -> list[int]:
    """Kill a writer so many seconds after it has said `awaited` lines; returns what it said it had stored."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write(directory, first, PATHS, lambda text: os.write(writing, text.encode()))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = [pipe.readline() for _ in range(awaited)]
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [int(line[1:]) for line in [*said, *pipe] if line != "open\n"]


if __name__ == "__main__":
    command, place = sys.argv[1], Path(sys.argv[2])
    if command == "write":
        write(place, int(sys.argv[3]), int(sys.argv[4]), lambda text: (sys.stdout.write(text), sys.stdout.flush()))
    elif command == "check":
        sys.stdout.write(" ".join(check(place)))
    else:
        sys.stdout.write(kill(place, int(sys.argv[3])))
