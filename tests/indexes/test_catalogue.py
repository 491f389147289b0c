"""What the catalogue stores comes back as it was, under every name a user may give it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from agentvid.errors import (
    AmbiguousVideo,
    LibraryDamaged,
    LibraryError,
    LibraryTooNew,
    NotFound,
    UnknownVideo,
    UsageError,
)
from agentvid.indexes import schema
from agentvid.indexes.base import Filter, VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.digests import EMPTY
from agentvid.indexes.store import is_wal_safe
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Gap, Span

MakeRecord = Callable[..., VideoRecord]
LINES = ["the red door opens", "a dog barks", "rain on the roof", "the end", "after the end"]


def test_a_record_comes_back_as_it_was(library: Catalogue, make_record: MakeRecord) -> None:
    record = make_record("talk", LINES, gaps=[Gap("", Span(1.0, 2.0), "ocr", "too dark")])
    library.put_video(record)
    video = library.video(record.video.id)
    assert video == record.video
    observations = library.observations(video.id)
    assert [(o.span, o.text, o.provenance, o.confidence, o.attributes) for o in observations] == [
        (o.span, o.text, o.provenance, o.confidence, o.attributes) for o in record.observations
    ]
    assert [clip.span for clip in library.clips(video.id)] == [clip.span for clip in record.clips]
    assert library.shots(video.id) == list(record.shots)
    assert library.fingerprint(video.id) == record.fingerprint
    assert library.gaps() == [Gap(video.id, Span(1.0, 2.0), "ocr", "too dark")]
    assert library.gaps(["someone else"]) == []


def test_passages_name_their_observations(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("first", ["something before"]))
    library.put_video(make_record("talk", LINES))
    ids = library.passage_ids(Filter(video_ids=(library.find_video("talk").id,)))
    passages = library.passages([*ids, 10_000])
    assert list(passages) == ids.tolist()
    for passage in passages.values():
        (observation,) = library.observations_by_id(passage.observation_ids)
        assert (observation.text, observation.span) == (passage.text, passage.span)


def test_vectors_come_back_in_the_order_of_their_passages(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    ((ids, vectors),) = library.iter_vectors(embedder.space)
    assert record.vectors is not None
    assert ids.tolist() == library.passage_ids(Filter()).tolist()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, record.vectors, atol=1e-3)
    assert library.spaces() == [embedder.space]


def test_provenance_is_stored_once(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("talk", LINES))
    with library.store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.provenances)).scalar() == 1


@pytest.mark.parametrize("reference", ["id", "path", "talk.mp4", "talk", "prefix"])
def test_a_video_is_found_by(library: Catalogue, make_record: MakeRecord, reference: str) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    library.put_video(make_record("other", ["something else"]))
    names = {"id": record.video.id, "path": record.video.paths[0], "prefix": record.video.id[:6].upper()}
    assert library.find_video(names.get(reference, reference)) == record.video


def test_a_video_is_found_by_a_relative_path(library: Catalogue, make_record: MakeRecord, tmp_path: Path) -> None:
    library.put_video(make_record("talk", LINES, paths=[str(tmp_path / "talk.mp4")]))
    with contextlib.chdir(tmp_path):
        assert library.find_video("./talk.mp4").title == "talk"


def test_an_ambiguous_name_lists_the_candidates(library: Catalogue, make_record: MakeRecord) -> None:
    for folder in "ab":
        library.put_video(make_record(f"talk {folder}", LINES, paths=[f"/{folder}/talk.mp4"]))
    with pytest.raises(AmbiguousVideo, match=r"2 videos.*/a/talk\.mp4.*/b/talk\.mp4"):
        library.find_video("talk")


def test_an_unknown_name_suggests_near_ones(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("lecture", LINES))
    with pytest.raises(UnknownVideo, match="lectrue") as caught:
        library.find_video("lectrue")
    assert "lecture" in caught.value.hint


def test_names_that_hold_what_was_written_are_near(library: Catalogue, make_record: MakeRecord) -> None:
    for name in ("21", "31", "13-harbour"):
        library.put_video(make_record(f"s{name}", LINES))
    with pytest.raises(UnknownVideo) as caught:
        library.find_video("S13")
    assert caught.value.hint == "near: s13-harbour, s13-harbour.mp4"


def test_what_is_known_of_a_file_that_failed_goes_with_its_video(library: Catalogue, make_record: MakeRecord) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    for path in (record.video.name, "/a/other.mp4", "/b/other.mp4"):
        library.record_failure(path, "abc", "NotAVideo", "it is text", "name a video")
    assert library.find_failure("other.mp4") is None, "two files have that name"
    found = library.find_failure("/b/other.mp4")
    assert found is not None
    assert found.path == "/b/other.mp4"
    with pytest.raises(UnknownVideo, match="could not be indexed: it is text"):
        library.find_video("/b/other.mp4")
    library.remove_video(record.video.id)
    assert [failure.path for failure in library.failures()] == ["/a/other.mp4", "/b/other.mp4"]


def test_one_content_may_lie_at_several_paths(library: Catalogue, make_record: MakeRecord) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    library.add_path(record.video.id, "/copy/talk.mp4")
    library.add_path(record.video.id, "/copy/talk.mp4")
    copied = library.find_path("/copy/talk.mp4")
    assert copied is not None
    assert copied.paths == ("/videos/talk.mp4", "/copy/talk.mp4")
    library.put_video(make_record("talk", LINES, fingerprint="again"))
    assert library.find_video("talk").paths == ("/videos/talk.mp4", "/copy/talk.mp4")
    library.forget_path("/videos/talk.mp4")
    library.move_path("/copy/talk.mp4", "/moved/talk.mp4")
    assert library.find_video("talk").paths == ("/moved/talk.mp4",)
    library.forget_path("/moved/talk.mp4")
    assert library.videos() == []


def test_new_content_at_a_path_takes_the_place_of_the_old(
    library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    library.put_video(make_record("old", LINES, paths=["/v/film.mp4"]))
    library.put_video(make_record("new", ["other words"], paths=["/v/film.mp4"]))
    assert [video.title for video in library.videos()] == ["new"]
    assert library.lexical.containing("dog", Filter()) == []
    assert library.lexical.containing("other", Filter()) != []


def test_a_moved_file_drops_what_lay_at_its_new_place(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("a", ["one"], paths=["/v/a.mp4"]))
    library.put_video(make_record("b", ["two"], paths=["/v/b.mp4"]))
    library.move_path("/v/a.mp4", "/v/b.mp4")
    assert [(video.title, video.paths) for video in library.videos()] == [("a", ("/v/b.mp4",))]


def test_replaced_videos_go_in_the_same_transaction(library: Catalogue, make_record: MakeRecord) -> None:
    old = make_record("old", LINES, paths=())
    library.put_video(old)
    before = library.generation
    library.put_video(make_record("new", ["words"], paths=()), replaces=[old.video.id])
    assert [video.title for video in library.videos()] == ["new"]
    assert library.generation == before + 1


def test_a_removed_video_leaves_nothing(library: Catalogue, make_record: MakeRecord, embedder: HashEmbedder) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    library.remove_video(record.video.id)
    total = library.total()
    assert (total.videos, total.clips, total.observations, total.passages) == (0, 0, 0, 0)
    assert library.spaces() == []
    assert library.content_hash(embedder.space) == EMPTY
    assert library.lexical.containing("dog", Filter()) == []
    with library.store.reading() as connection:
        for table in (schema.provenances, schema.shots, schema.paths, schema.vectors, schema.embedded):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
    with pytest.raises(UnknownVideo):
        library.remove_video(record.video.id)


def test_ids_are_never_given_twice(library: Catalogue, make_record: MakeRecord) -> None:
    record = make_record("talk", LINES)
    library.put_video(record)
    first = set(library.passage_ids(Filter()).tolist())
    library.remove_video(record.video.id)
    library.put_video(record)
    assert first.isdisjoint(library.passage_ids(Filter()).tolist())


def test_the_content_hash_does_not_depend_on_order(
    tmp_path: Path, make_record: MakeRecord, embedder: HashEmbedder
) -> None:
    hashes = []
    for order in ([0, 1], [1, 0]):
        with Catalogue.open(tmp_path / str(order)) as library:
            records = [make_record("a", ["one"]), make_record("b", ["two"])]
            for at in order:
                library.put_video(records[at])
            library.put_video(make_record("c", ["three"]))
            hashes.append(library.content_hash(embedder.space))
            library.remove_video(library.find_video("c").id)
            assert library.content_hash(embedder.space) != hashes[-1]
    # Passage ids differ with the order, and an index file holds ids.
    assert hashes[0] != hashes[1]


def test_failures_count_attempts_until_the_content_changes(library: Catalogue, make_record: MakeRecord) -> None:
    for _ in range(2):
        library.record_failure("/videos/talk.mp4", "abc", "DamagedMedia", "cut short", "copy it again")
    (failure,) = library.failures()
    assert (failure.attempts, failure.message, failure.hint) == (2, "cut short", "copy it again")
    library.record_failure("/videos/talk.mp4", "def", "DamagedMedia", "cut short")
    assert library.failures()[0].attempts == 1
    library.put_video(make_record("talk", LINES))
    assert library.failures() == []


def test_observations_can_be_narrowed(library: Catalogue, make_record: MakeRecord) -> None:
    library.put_video(make_record("talk", LINES))
    video_id = library.find_video("talk").id
    inside = library.observations(video_id, within=Span(4.0, 10.0))
    assert [observation.text for observation in inside] == LINES[:2]
    assert library.observations(video_id, tracks=["ocr"]) == []
    assert library.summaries(video_id)[0].tracks == {"speech": 5}
    assert library.track_holders([video_id, "nothing"]) == {"speech": 1}


def test_summaries_tell_the_state(library: Catalogue, make_record: MakeRecord, tmp_path: Path) -> None:
    file = tmp_path / "here.mp4"
    file.write_bytes(b"video")
    library.put_video(make_record("here", LINES, paths=[str(file)]))
    library.put_video(make_record("gone", LINES))
    library.put_video(make_record("told", LINES, paths=(), gaps=[Gap("", Span(0, 1), "ocr", "dark")]))
    found = {summary.video.title: (summary.state, summary.clips, summary.tracks) for summary in library.summaries()}
    assert found == {
        "here": ("ready", 2, {"speech": 5}),
        "gone": ("missing", 2, {"speech": 5}),
        "told": ("partial", 2, {"speech": 5}),
    }


def test_a_file_name_that_is_not_unicode_is_kept(library: Catalogue, make_record: MakeRecord) -> None:
    path = os.fsdecode(b"/videos/caf\xe9.mp4")
    library.put_video(make_record("cafe", LINES, paths=[path]))
    video = library.find_path(path)
    assert video is not None
    assert video.paths == (path,)
    library.record_failure(path, None, "NotAVideo", "empty")
    assert library.failures()[0].path == path


def test_filters_keep_what_a_walk_over_all_passages_keeps(library: Catalogue, make_record: MakeRecord) -> None:
    for number in range(4):
        library.put_video(make_record(f"v{number}", LINES, track="speech" if number % 2 else "caption"))
    videos = library.videos()
    everything = library.passages(library.passage_ids(Filter()))
    for video_ids in ((), (videos[1].id,), (videos[0].id, videos[3].id), ("unknown",)):
        for tracks in ((), ("caption",), ("unknown",)):
            for within in (None, Span(4.0, 5.0), Span(5.0, 6.0), Span(900.0, 901.0)):
                expected = [
                    at
                    for at, passage in everything.items()
                    if (not video_ids or passage.video_id in video_ids)
                    and (not tracks or passage.track in tracks)
                    and (within is None or passage.span.overlaps(within))
                ]
                assert library.passage_ids(Filter(video_ids, tracks, within)).tolist() == expected


def test_a_record_that_contradicts_itself_is_refused_whole(library: Catalogue, make_record: MakeRecord) -> None:
    from dataclasses import replace

    record = make_record("talk", LINES)
    assert record.vectors is not None
    wrong = record.vectors.copy()
    wrong[0, 0] = np.nan
    for broken in (
        replace(record, vectors=record.vectors[:-1]),
        replace(record, vectors=None),
        replace(record, vectors=wrong),
        replace(record, observations=record.observations[:-1]),
        replace(record, observations=(replace(record.observations[0], text="\ud800"), *record.observations[1:])),
    ):
        with pytest.raises(UsageError):
            library.put_video(broken)
    assert library.videos() == []
    library.put_video(record)


def test_the_tables_are_what_the_migrations_make(library: Catalogue) -> None:
    inspector = sa.inspect(library.store._engine)
    for table in schema.metadata.tables.values():
        assert {column["name"] for column in inspector.get_columns(table.name)} == set(table.columns.keys())


def test_no_library_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no library at") as caught:
        Catalogue.open(tmp_path / "nothing", create=False)
    assert "agentvid index" in caught.value.hint
    assert not (tmp_path / "nothing").exists()


def test_a_place_that_cannot_be_a_library_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(LibraryError, match="cannot make a library"):
        Catalogue.open(tmp_path / "file" / "library")


def test_a_newer_library_is_not_touched(tmp_path: Path) -> None:
    Catalogue.open(tmp_path).close()
    path = tmp_path / "catalogue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LibraryTooNew, match="999"):
        Catalogue.open(tmp_path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "catalogue.sqlite3")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    with pytest.raises(LibraryDamaged, match="another program"):
        Catalogue.open(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite3").write_bytes(b"hello, world" * 500)
    with pytest.raises(LibraryDamaged, match="not a SQLite file"):
        Catalogue.open(tmp_path)


def test_a_backup_is_a_library(library: Catalogue, make_record: MakeRecord, tmp_path: Path) -> None:
    library.put_video(make_record("talk", LINES))
    (tmp_path / "copy").mkdir()
    library.backup(tmp_path / "copy" / "catalogue.sqlite3")
    with Catalogue.open(tmp_path / "copy", create=False) as copy:
        assert copy.videos() == library.videos()
        assert copy.lexical.containing("dog", Filter()) == library.lexical.containing("dog", Filter())


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [
        ("3.7.0", False),
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.6", False),
        ("3.50.7", True),
        ("3.50.10", True),
        ("3.51.0", False),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.53.0", True),
    ],
)
def test_the_write_ahead_log_only_where_it_is_safe(version: str, is_safe: bool) -> None:
    assert is_wal_safe(version) is is_safe


def test_the_journal_fits_this_sqlite(library: Catalogue) -> None:
    with library.store.raw() as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        assert mode == ("wal" if is_wal_safe(sqlite3.sqlite_version) else "delete")
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


READ_ONLY = """
import os, sys
from pathlib import Path
from agentvid.indexes.base import Filter
from agentvid.indexes.catalogue import Catalogue
from agentvid.errors import LibraryError
with Catalogue.open(Path(sys.argv[1]), create=False) as library:
    library.lexical.containing("dog", Filter())  # imports what is imported late, while it can be read
if os.geteuid() == 0:
    os.setuid(65534)  # nobody: the superuser may write anywhere
with Catalogue.open(Path(sys.argv[1]), create=False) as library:
    print(len(library.lexical.containing("dog", Filter())), library.store.is_writable)
    try:
        library.remove_video(library.videos()[0].id)
    except LibraryError as error:
        print(type(error).__name__)
"""


def test_a_read_only_library_can_be_searched(make_record: MakeRecord) -> None:
    # Not in pytest's own folders, which others may not enter.
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "library"
        with Catalogue.open(directory) as library:
            library.put_video(make_record("talk", LINES))
        (directory / "catalogue.sqlite3").chmod(0o444)
        directory.chmod(0o555)
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", READ_ONLY, str(directory)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        directory.chmod(0o755)
    assert run.stdout.split() == ["1", "False", "LibraryError"], run.stderr


def test_the_catalogue_loads_no_model_library(tmp_path: Path) -> None:
    script = (
        "import sys; from agentvid.indexes.retriever import Retriever; from agentvid.indexes import vectors, doctor;"
        "print([name for name in ('torch', 'transformers', 'faiss', 'cv2', 'langgraph') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert run.stdout.strip() == "[]"
