"""Whatever is done in whatever order: the rows, the words and the vectors tell the same story."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from agentvid.indexes import schema
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.doctor import examine, repair
from agentvid.indexes.vectors import Backend, open_index
from agentvid.models.scripted import HashEmbedder

MakeRecord = Callable[..., VideoRecord]
NUMPY = Backend("numpy")
NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.sampled_from(["/v/1.mp4", "/v/2.mp4", "/v/3.mp4"])
LINES = st.lists(st.sampled_from(["red door", "红门", "dog barks", "rain, rain"]), max_size=4)


class LibraryMachine(RuleBasedStateMachine):
    """`expected` maps a video's id to (its paths, its lines)."""

    def __init__(self, make_record: MakeRecord, embedder: HashEmbedder) -> None:
        super().__init__()
        self.make_record, self.embedder = make_record, embedder
        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name)
        self.library = Catalogue.open(self.directory)
        self.expected: dict[str, tuple[list[str], list[str]]] = {}

    def teardown(self) -> None:
        self.library.close()
        self.folder.cleanup()

    def release(self, path: str) -> None:
        for video_id, (paths, _) in list(self.expected.items()):
            if path in paths:
                paths.remove(path)
                if not paths:
                    del self.expected[video_id]

    @rule(name=NAMES, lines=LINES, path=PATHS, is_embedded=st.booleans(), replaced=st.none() | NAMES)
    def put(self, name: str, lines: list[str], path: str, is_embedded: bool, replaced: str | None) -> None:
        record = self.make_record(name, lines, paths=[path], is_embedded=is_embedded)
        replaces = [video.id for video in self.library.videos() if video.title == replaced]
        kept = [old for old in self.expected.pop(record.video.id, ([], []))[0] if old != path]
        for video_id in replaces:
            self.expected.pop(video_id, None)
        self.release(path)
        self.library.put_video(record, replaces=replaces)
        self.expected[record.video.id] = ([path, *kept], lines)

    @rule(path=PATHS, data=st.data())
    def add_path(self, path: str, data: st.DataObject) -> None:
        if self.expected:
            video_id = data.draw(st.sampled_from(sorted(self.expected)))
            self.library.add_path(video_id, path)
            if path not in self.expected[video_id][0]:
                self.release(path)
                self.expected[video_id][0].append(path)

    @rule(old=PATHS, new=PATHS)
    def move(self, old: str, new: str) -> None:
        owner = self.library.find_path(old)
        if owner is not None and old != new:
            self.library.move_path(old, new)
            self.expected[owner.id][0].remove(old)
            if new in self.expected[owner.id][0]:
                self.expected[owner.id][0].remove(new)
            self.release(new)
            self.expected[owner.id][0].append(new)

    @rule(path=PATHS)
    def forget(self, path: str) -> None:
        self.library.forget_path(path)
        self.release(path)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.expected:
            video_id = data.draw(st.sampled_from(sorted(self.expected)))
            self.library.remove_video(video_id)
            del self.expected[video_id]

    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = Catalogue.open(self.directory, create=False)

    @rule()
    def check_health(self) -> None:
        open_index(self.library, self.embedder.space, NUMPY)
        repair(self.directory, backend=NUMPY)
        assert repair(self.directory, backend=NUMPY) == []
        problems = [problem.what for problem in examine(self.directory, backend=NUMPY)]
        assert [what for what in problems if "is not there" not in what and "no vectors" not in what] == []

    @invariant()
    def videos_are_as_expected(self) -> None:
        assert {video.id: list(video.paths) for video in self.library.videos()} == {
            video_id: paths for video_id, (paths, _) in self.expected.items()
        }

    @invariant()
    def words_match_passages(self) -> None:
        for word in ("door", "红", "dog", "rain"):
            hits = self.library.lexical.containing(word, Filter())
            count = sum(word in line for _, lines in self.expected.values() for line in lines)
            assert len(hits) == count

    @invariant()
    def vectors_match_passages(self) -> None:
        with self.library.store.reading() as connection:
            embedded = connection.execute(
                sa.select(schema.passages.c.id).where(
                    schema.passages.c.video_key.in_(sa.select(schema.embedded.c.video_key))
                )
            )
            expected = sorted(embedded.scalars())
        parts = [ids for ids, _ in self.library.iter_vectors(self.embedder.space)]
        assert np.concatenate(parts or [np.empty(0, np.int64)]).tolist() == expected
        assert open_index(self.library, self.embedder.space, NUMPY).count == len(expected)


def test_any_history_leaves_a_consistent_library(make_record: MakeRecord, embedder: HashEmbedder) -> None:
    class Machine(LibraryMachine):
        def __init__(self) -> None:
            super().__init__(make_record, embedder)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
