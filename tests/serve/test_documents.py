"""The API as its OpenAPI document has it: schemathesis, no paths in anything, exports, jobs."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agentvid.exports.registry import EXPORTS
from agentvid.library import Library
from agentvid.media.render import Scene, render_video
from agentvid.serve.downloads import disposition
from agentvid.serve.names import plain_line

from .conftest import HOSTILE, SUBTITLES, Site, events_of, running, settings_for

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def everything(site: Site) -> list[str]:
    """Every route that reads, with ids that are there."""
    paths = ["/api/library", "/api/videos", "/api/exports", "/api/threads", "/api/inbox", "/api/search?q=key"]
    for row in site.get("/api/videos").json()["videos"]:
        base = f"/api/videos/{row['video_id']}"
        paths += [base, f"{base}/observations", f"/media/{row['video_id']}/chapters.vtt"]
        paths += [f"{base}/export/{name}" for name, one in EXPORTS.items() if "chapters" in one.subjects]
        paths += [f"{base}/export/{name}?track=speech" for name, one in EXPORTS.items() if "track" in one.subjects]
    events = events_of(site.post("/api/ask", {"question": "Which boat leaves the pier?"}).body)
    trace_id = events[-1][1]["trace_id"]
    paths.append(f"/api/traces/{trace_id}")
    paths += [f"/api/answers/{trace_id}/export/{name}" for name, one in EXPORTS.items() if "answer" in one.subjects]
    return paths


def test_nothing_tells_where_files_lie_and_exports_are_safe_downloads(site: Site) -> None:
    folder = str(site.library.catalogue.directory.parent)
    works = 0
    for path in everything(site):
        reply = site.get(path)
        assert reply.status == 200 or "error" in reply.json(), path
        assert reply.status < 500, path
        assert folder.encode() not in reply.body, path
        assert quote(folder).encode() not in reply.body, path
        if "/export/" in path and reply.status == 200:
            works += 1
            assert reply.headers["Content-Disposition"].startswith("attachment; filename=")
            assert reply.headers["Content-Disposition"].isascii()
    assert works >= len(EXPORTS)


NAMES = [
    *("../../etc/passwd", 'a"b.mp4', "a\r\nSet-Cookie: x", "\u202egpj.exe", "naïve \U0001f600.mp4", "", ".", "x" * 500),
    *(HOSTILE, "a;b.mp4", "C:\\x"),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_downloads(name: str) -> None:
    """One parameter each, nothing that ends the header, leads out of a folder or runs backwards (RFC 6266)."""
    header = disposition(name)
    assert header.isascii()
    found = re.fullmatch(r"attachment; filename=\"([^\"\\/\r\n]+)\"; filename\*=UTF-8''([\w.~!$&+%'()*-]+)", header)
    assert found, header
    assert len(header) < 1_500
    assert not found[1].startswith(".")


def test_messages_lose_directories_and_keep_words() -> None:
    assert plain_line("cannot use /home/ann/my films/a.db: read/write failed") == "cannot use a.db: read/write failed"
    assert plain_line("no trace 'x' in /srv/lib/traces") == "no trace 'x' in traces"
    assert plain_line("and/or 1/2 https://example.org/a/b") == "and/or 1/2 https://example.org/a/b"
    assert "\n" not in plain_line("a\nb\tc" * 400)
    assert len(plain_line("x" * 5_000)) == 300


def test_rows_come_in_pages(site: Site) -> None:
    (text,) = [video for video in site.library.catalogue.videos() if video.kind == "import"]
    base = f"/api/videos/{text.id}/observations"
    whole = site.get(f"{base}?limit=5000").json()
    assert whole["next"] is None
    rows: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = site.get(f"{base}?limit=5&cursor={cursor}").json()
        rows += page["rows"]
        cursor = page["next"]
    assert rows == whole["rows"]
    assert len(rows) == 24
    assert {row["text"] for row in site.get(f"{base}?from=3&to=4").json()["rows"]} == {"Stream ciphers use a key."}
    assert site.get(f"{base}?track=nothing").json()["rows"] == []
    wrong = "from=5&to=5 from=9&to=1 cursor=x cursor=1:y limit=0 limit=99999 from=-1 from=nan to=inf"
    for query in wrong.split():
        assert site.get(f"{base}?{query}").status == 422, query


def test_search_filters(site: Site) -> None:
    hits = site.get(f"/api/search?q=boat&video={site.ids['north']}").json()["hits"]
    assert {hit["video_id"] for hit in hits} == {site.ids["north"]}
    assert site.get("/api/search?q=boat&track=ocr").json()["hits"] == []
    assert site.get(f"/api/search?q=boat&video={site.ids['north'][:6]}").status == 404
    assert site.get("/api/search?q=boat&level=video").json()["hits"]
    for query in ("q=", "", "q=x&k=0", "q=x&k=5000", "q=x&level=shot", "q=x&from=9&to=2", "q=%20", "q=x&from=inf"):
        assert site.get(f"/api/search?{query}").status == 422, query


def test_hostile_texts_come_as_json_and_nothing_else(site: Site) -> None:
    (text,) = [video for video in site.library.catalogue.videos() if video.kind == "import"]
    for path in (
        "/api/videos",
        f"/api/videos/{text.id}",
        f"/api/videos/{text.id}/observations",
        "/api/search?q=passwd",
    ):
        reply = site.get(path)
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_routes_of_the_documentation_are_those_of_the_server(site: Site) -> None:
    document = site.get("/api/openapi.json").json()
    served = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")
    assert set(re.findall(r"^\| `((?:GET|POST) [^`?]+)", page, re.MULTILINE)) == served


# -- schemathesis -----------------------------------------------------------------------------------------------------


def against_the_schema(site: Site, examples: int) -> int:
    """Call every operation with generated arguments; returns how many calls were made."""
    from hypothesis import HealthCheck, Phase, given, settings

    schema = schemathesis.openapi.from_url(f"{site.url}/api/openapi.json")
    found: Any = schema.get_all_operations()
    operations = [result.ok() for result in found]
    calls = 0
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=max(2, examples // len(operations)),
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def call(case: Any) -> None:
            nonlocal calls
            calls += 1
            case.call_and_validate(base_url=site.url, checks=CHECKS)

        call()
    return calls


def test_generated_requests_never_fail_and_match_the_schema(site: Site) -> None:
    assert against_the_schema(site, 300) >= 200


@pytest.mark.slow
def test_many_generated_requests_never_fail(site: Site) -> None:
    assert against_the_schema(site, 5_000) >= 3_000


# -- indexing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[tuple[Site, Path]]:
    """A site with a folder of two files of one name, a broken one, a link that leads out, and a text."""
    folder = tmp_path / "films"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        scenes = [Scene(1.0, (len(name) * 90, 30, 40 + 50 * (name == "b")))]
        render_video(folder / name / "clip.mp4", scenes, size=(160, 90), rate=5, subtitles=SUBTITLES[:1])
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "notes.txt").write_text("nothing")
    outside = tmp_path / "secret.mp4"
    shutil.copy(folder / "a" / "clip.mp4", outside)
    (folder / "link.mp4").symlink_to(outside)
    with Library.open(settings=settings_for(tmp_path)) as library, running(library, folders=(folder,)) as site:
        yield site, folder


def finished(site: Site, job_id: str) -> Any:
    deadline = time.monotonic() + 60
    job = site.get(f"/api/jobs/{job_id}").json()
    while job["state"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.05)
        job = site.get(f"/api/jobs/{job_id}").json()
    return job


def test_files_of_the_inbox_are_indexed(inbox: tuple[Site, Path]) -> None:
    site, folder = inbox
    files = site.get("/api/inbox").json()["files"]
    assert sorted(file["name"] for file in files) == ["broken.mp4", "clip.mp4", "clip.mp4"]
    assert len({file["file_id"] for file in files}) == 3
    started = site.post("/api/jobs", {"files": [file["file_id"] for file in files]})
    assert started.status == 202
    again = site.post("/api/jobs", {"files": [files[0]["file_id"]]})
    assert again.status == 202
    waiting = [job["job_id"] for job in site.get("/api/jobs").json()["jobs"]]
    assert waiting[-2:] == [started.json()["job_id"], again.json()["job_id"]]
    job = finished(site, started.json()["job_id"])
    assert (job["state"], job["done"], job["total"]) == ("done", 3, 3)
    assert len(job["report"]["indexed"]) == 2
    (failed,) = job["report"]["failed"]
    assert failed["name"] == "broken.mp4"
    assert str(folder) not in str(job)
    assert len(site.get("/api/videos").json()["videos"]) == 2
    assert [file["name"] for file in site.get("/api/inbox").json()["files"]] == ["broken.mp4"]
    assert site.get("/api/search?q=mill").json()["hits"]
    assert site.get("/api/library").json()["may"]["index"]


def test_only_files_of_the_inbox_are_indexed(inbox: tuple[Site, Path]) -> None:
    site, _ = inbox
    for files in (["nothing"], ["../secret.mp4"], ["/etc/passwd"], ["0" * 16]):
        assert site.post("/api/jobs", {"files": files}).status == 404
    documents: list[Any] = [{"files": []}, {"files": "x"}, {"files": [1]}, {"paths": ["x"]}, {}]
    for document in documents:
        assert site.post("/api/jobs", document).status == 422
    assert site.get("/api/jobs/nothing").status == 404
    assert site.post("/api/jobs/nothing/stop", {}).status == 404


def test_a_job_is_stopped_and_what_it_finished_stays(inbox: tuple[Site, Path]) -> None:
    site, folder = inbox
    scenes = [Scene(40.0, (10, 90, 160), motion="pan"), Scene(40.0, (160, 90, 10), motion="left")]
    render_video(folder / "z-long.mp4", scenes, size=(640, 360), rate=25)
    ids = {file["name"]: file["file_id"] for file in site.get("/api/inbox").json()["files"]}
    job_id = site.post("/api/jobs", {"files": [ids["clip.mp4"], ids["z-long.mp4"]]}).json()["job_id"]
    waiting = site.post("/api/jobs", {"files": [ids["broken.mp4"]]}).json()["job_id"]
    assert site.post(f"/api/jobs/{waiting}/stop", {}).json()["state"] == "stopped"
    deadline = time.monotonic() + 60
    while (job := site.get(f"/api/jobs/{job_id}").json())["file"] != "z-long.mp4" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (job["state"], job["done"]) == ("running", 1)
    assert [site.post(f"/api/jobs/{job_id}/stop", {}).status for _ in range(2)] == [200, 200]
    job = finished(site, job_id)
    assert (job["state"], job["done"], job["total"]) == ("stopped", 1, 2)
    assert [item["name"] for item in job["report"]["indexed"]] == ["clip.mp4"]
    assert job["report"]["skipped"] == [{"name": "z-long.mp4", "reason": "stopped"}]
    assert site.post(f"/api/jobs/{job_id}/stop", {}).json() == job
    assert [video["name"] for video in site.get("/api/videos").json()["videos"]] == ["clip.mp4"]
    assert site.get("/api/search?q=mill").json()["hits"]
    assert {file["name"] for file in site.get("/api/inbox").json()["files"]} >= {"broken.mp4", "z-long.mp4"}
    again = site.post("/api/jobs", {"files": [ids["z-long.mp4"]]}).json()["job_id"]
    done = finished(site, again)
    assert (done["state"], len(done["report"]["indexed"])) == ("done", 1)


def test_without_a_folder_nothing_is_offered(site: Site) -> None:
    assert site.get("/api/inbox").json() == {"files": []}
    assert not site.get("/api/library").json()["may"]["index"]
    assert site.post("/api/jobs", {"files": ["x"]}).status == 404


def test_how_much_of_a_copy_is_made_is_told(tmp_path: Path) -> None:
    path = tmp_path / "films" / "old" / "film.avi"
    path.parent.mkdir(parents=True)
    render_video(path, [Scene(20.0, (20, 120, 200), motion="pan")], size=(1280, 720), rate=12, burn_time=False)
    with Library.open(settings=settings_for(tmp_path)) as library:
        library.add([path])
        with running(library) as site, ThreadPoolExecutor(1) as pool:
            url = f"/media/{site.ids['old']}"
            made = pool.submit(site.get, url)
            told = []
            while not made.done():
                told.append(site.get(f"{url}/copy").json())
                time.sleep(0.1)
            assert made.result().status in (200, 503)
            while site.get(f"{url}/copy").json()["is_being_made"]:
                time.sleep(0.2)
            whole = site.get(url)
            assert len(whole.body) > 500_000
            with closing(HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
                connection.request("GET", url)
                response = connection.getresponse()
                first = response.read(1000)
                part = site.get(url, Range="bytes=0-9")  # somebody else looks at it meanwhile
                assert first + response.read() == whole.body
            assert (part.status, part.headers["Last-Modified"]) == (206, whole.headers["Last-Modified"])
    shares = [state["progress"] for state in told if state["is_being_made"]]
    assert shares == sorted(shares)
    assert [share for share in shares if 0 < share <= 1]


def test_what_browsers_do_not_play_is_copied_for_them(tmp_path: Path) -> None:
    path = tmp_path / "films" / "odd" / "film.mkv"
    path.parent.mkdir(parents=True)
    render_video(path, [Scene(2.0, (20, 120, 200))], size=(160, 90), rate=10, subtitles=SUBTITLES[:1], audio="tone")
    with Library.open(settings=settings_for(tmp_path)) as library:
        library.add([path])
        with running(library) as site:
            url = f"/media/{site.ids['odd']}"
            assert site.get(f"{url}/copy").json() == {"is_being_made": False, "progress": 0.0}
            whole = site.get(url)
            assert (whole.status, whole.headers["Content-Type"]) == (200, "video/mp4")
            assert whole.body[4:8] == b"ftyp"
            part = site.get(url, Range="bytes=10-19", If_Range=whole.headers["ETag"])
            assert (part.status, part.body) == (206, whole.body[10:20])
            clip = site.get(f"{url}/clip.mp4?start=0.5&end=1.5")
            assert clip.status == 200
            assert 'filename="film 0_00-0_01.mp4"' in clip.headers["Content-Disposition"]
            for query in "start=1&end=1 start=2&end=1 start=5&end=9 start=-1&end=1 start=0 start=nan&end=1".split():
                assert site.get(f"{url}/clip.mp4?{query}").status == 422, query
