"""Who has something already is told so, and never of something that changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agentvid.library import Library

from .conftest import Site, make_videos, running, settings_for

PATHS = (
    "/",
    "/static/app.js",
    "/static/app.css",
    "/api/library",
    "/api/videos",
    "/api/videos/{north}",
    "/api/videos/{north}/observations",
    "/api/search?q=boat",
    "/api/threads",
)


def tag_of(site: Site, path: str) -> str:
    reply = site.get(path)
    assert reply.status == 200
    assert "no-cache" in reply.headers["Cache-Control"]
    return reply.headers["ETag"]


@pytest.mark.parametrize("path", PATHS)
def test_what_the_caller_has_is_not_sent_again(path: str, site: Site) -> None:
    path = path.format(**site.ids)
    tag = tag_of(site, path)
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        reply = site.get(path, If_None_Match=known)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", tag)
    for unknown in ('"other"', tag.strip('"'), "", '""'):
        reply = site.get(path, If_None_Match=unknown)
        assert (reply.status, reply.headers["ETag"]) == (200, tag)
        assert reply.body


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/api/videos/none", "/api/videos/none/observations", "/api/search"]
)
@pytest.mark.parametrize("known", ["*", '"other"'])
def test_an_error_is_never_unchanged(path: str, known: str, site: Site) -> None:
    reply = site.get(path, If_None_Match=known)
    assert reply.status in (404, 422)
    assert reply.headers["ETag"] is None


def test_a_change_is_seen_at_once(tmp_path: Path) -> None:
    row = {"video": "lecture", "duration": 9, "track": "speech", "start": 1, "end": 2, "text": "A boat, again."}
    with Library.open(settings=settings_for(tmp_path)) as library:
        north, _ = make_videos(tmp_path / "films")
        library.add([north])
        with running(library) as site:
            paths = [path.format(**site.ids) for path in PATHS if path.startswith(("/api/l", "/api/v", "/api/s"))]
            before = {path: tag_of(site, path) for path in paths}
            library.import_file([json.dumps(row).encode()])
            after = {path: tag_of(site, path) for path in paths}
            assert len(site.get("/api/search?q=boat", If_None_Match=before["/api/search?q=boat"]).json()["hits"]) == 2
            same = {path for path in paths if before[path] == after[path]}
            assert same == {f"/api/videos/{site.ids['north']}"}
            # The catalogue knows nothing of this.
            north.unlink()
            (video, _) = site.get("/api/videos", If_None_Match=after["/api/videos"]).json()["videos"]
            assert not video["playable"]
            assert site.get("/api/search?q=boat", If_None_Match=after["/api/search?q=boat"]).status == 304


def test_tags_are_of_one_run_and_open_nothing(serve: Callable[..., AbstractContextManager[Site]]) -> None:
    token = "t0ken" * 9
    with serve() as site:
        tag = tag_of(site, "/api/search?q=boat")
    with serve(token=token) as site:
        assert site.get("/api/search?q=boat", If_None_Match=tag).status == 401
        allowed = {"Authorization": f"Bearer {token}", "If_None_Match": tag}
        assert site.get("/api/search?q=boat", **allowed).status == 200
