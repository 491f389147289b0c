"""Files of videos over HTTP: ranges as RFC 9110 has them, and no byte of anything but the library's content."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agentvid.library import Library
from agentvid.serve.cache import Cache
from agentvid.serve.content import Contents
from agentvid.serve.errors import Refused
from agentvid.serve.ranges import Part, Unsatisfiable, parse_range

from .conftest import Reply, Site, running, settings_for

Serve = Callable[..., AbstractContextManager[Site]]


@pytest.fixture(scope="module")
def film(site: Site) -> bytes:
    """The bytes of the video "north"."""
    return Path(site.library.catalogue.video(site.ids["north"]).paths[0]).read_bytes()


def ask(site: Site, header: str | None, method: str = "GET", **headers: Any) -> Reply:
    given: dict[str, Any] = {"Range": header} if header is not None else {}
    return site.get(f"/media/{site.ids['north']}", method, **given, **headers)


# -- ranges -----------------------------------------------------------------------------------------------------------


def test_the_whole_file(site: Site, film: bytes) -> None:
    reply = ask(site, None)
    assert (reply.status, reply.body) == (200, film)
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["Content-Type"] == "video/mp4"
    assert int(reply.headers["Content-Length"]) == len(film)


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, None),
        ("bytes=-1", -1, None),
        ("bytes=-500", -500, None),
        ("bytes=-999999999", 0, None),
        ("bytes=0-999999999999", 0, None),
        ("bytes = 5-9", 5, 9),
        ("Bytes=5-9", 5, 9),
        ("bytes=00000005-0000009", 5, 9),
    ],
)
def test_one_range(site: Site, film: bytes, header: str, first: int, last: int | None) -> None:
    expected = film[first:] if last is None else film[first : last + 1]
    start = first % len(film)
    reply = ask(site, header)
    assert (reply.status, reply.body) == (206, expected)
    assert reply.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(film)}"
    head = ask(site, header, "HEAD")
    assert (head.status, head.body) == (206, b"")
    assert int(head.headers["Content-Length"]) == len(expected)


@pytest.mark.parametrize("header", ["bytes=999999999-", "bytes=-0", "bytes=99999999999999999-999999999999999999"])
def test_a_range_outside_of_the_file(site: Site, film: bytes, header: str) -> None:
    reply = ask(site, header)
    assert reply.status == 416
    assert reply.headers["Content-Range"] == f"bytes */{len(film)}"
    assert set(reply.json()) == {"error", "hint"}


BROKEN = [
    f"{unit}{rest}"
    for unit in ("bytes", "bytes=", "bytes=a", "items=", "bytes:", "=", "", "bytes==", "b\xe4tes=", "seconds=")
    for rest in (
        "",
        "-",
        "5",
        "5-4",
        "--5",
        "-5-",
        "1-2-3",
        "0x1-0x2",
        "1.0-2",
        "+1-2",
        "\u0661-2",
        "1-2,3-4",
        "-1,-2",
        "1-2,",
    )
] + [
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 2)),
    "bytes=0-,0-,0-",
    "bytes=" + "9" * 400 + "-",
    "bytes=1-" + "9" * 400,
    "bytes=0-1; q=2",
    "bytes=0-1 bytes=2-3",
    "none",
    "bytes=0 - 5",
    "bytes=\t",
    "bytes=NaN-",
]


def test_there_are_enough_broken_ranges() -> None:
    assert len(BROKEN) >= 150


def test_broken_ranges_are_ignored(site: Site, film: bytes) -> None:
    """What is no single range of bytes gives the whole; nothing gives wrong bytes, nothing fails."""
    for header in BROKEN:
        reply = ask(site, header.encode("utf-8").decode("latin-1"), "HEAD")
        assert reply.status in (200, 416), header
        if reply.status == 200:
            assert int(reply.headers["Content-Length"]) == len(film), header


def test_ranges_are_those_of_a_plain_reading() -> None:
    """Against every small range written out."""
    data = bytes(range(7))
    for first in range(9):
        for last in (None, *range(9)):
            header = f"bytes={first}-{'' if last is None else last}"
            expected = data[first:] if last is None else data[first : last + 1]
            if first >= len(data) and (last is None or last >= first):
                with pytest.raises(Unsatisfiable):
                    parse_range(header, len(data))
            elif last is not None and last < first:
                assert parse_range(header, len(data)) is None
            else:
                part = parse_range(header, len(data))
                assert part is not None
                assert data[part.first : part.last + 1] == expected
                assert part.size == len(expected)
    assert parse_range("bytes=-3", 7) == Part(4, 6)
    for header in ("bytes=0-", "bytes=-5"):
        with pytest.raises(Unsatisfiable):
            parse_range(header, 0)


def test_if_range(site: Site, film: bytes) -> None:
    reply = ask(site, None, "HEAD")
    tag, date = reply.headers["ETag"], reply.headers["Last-Modified"]
    for unless, status in (
        (tag, 206),
        (date, 206),
        (f"W/{tag}", 200),
        ('"other"', 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("yesterday", 200),
        ("", 200),
        (tag[:-1], 200),
    ):
        assert ask(site, "bytes=0-9", If_Range=unless).status == status, unless


def test_what_the_caller_has_is_not_sent_again(site: Site) -> None:
    tag = ask(site, None, "HEAD").headers["ETag"]
    for header, status in ((tag, 304), ("*", 304), (f'"x", {tag}', 304), (f"W/{tag}", 304), ('"x"', 200), ("", 200)):
        reply = ask(site, None, If_None_Match=header)
        assert reply.status == status, header
        if status == 304:
            assert reply.body == b""
            assert reply.headers["ETag"] == tag


# -- stills -----------------------------------------------------------------------------------------------------------


def still(site: Site, milliseconds: object, query: str = "", name: str = "north") -> Reply:
    return site.get(f"/media/{site.ids[name]}/still/{milliseconds}.jpg{query}")


def picture(reply: Reply) -> Any:
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/jpeg")
    decoded = cv2.imdecode(np.frombuffer(reply.body, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def test_a_still_shows_its_time(site: Site) -> None:
    first, second = picture(still(site, 500)), picture(still(site, 4000, "?width=160"))
    assert first.shape == (180, 320, 3)
    assert second.shape == (90, 160, 3)
    blue, green, red = (int(value) for value in first[20, 160])
    assert red > 150 > max(blue, green)
    blue, green, red = (int(value) for value in second[20, 80])
    assert green > 90 > max(blue, red)
    other = picture(still(site, 500, name="south"))
    assert int(other[20, 160][0]) > 150


def test_stills_after_the_end_are_the_last_frame(site: Site) -> None:
    assert picture(still(site, 10_000_000)).shape == (180, 320, 3)


@pytest.mark.parametrize(
    ("milliseconds", "query"),
    [("-1", ""), ("x", ""), ("1.5", ""), (10**15, ""), (1, "?width=1"), (1, "?width=99999"), (1, "?width=x"), ("", "")],
)
def test_wrong_stills_are_one_line(site: Site, milliseconds: object, query: str) -> None:
    reply = still(site, milliseconds, query)
    assert reply.status in (404, 422)
    assert set(reply.json()) == {"error", "hint"}


def test_many_stills_at_once_are_right_and_kept(site: Site) -> None:
    """Decoded together, and each for its own time."""
    found: dict[int, Reply] = {}
    times = [*range(0, 2400, 200), *range(2600, 4900, 200)]
    threads = [threading.Thread(target=lambda t=t: found.update({t: still(site, t, "?width=64")})) for t in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for time in times:
        _, green, red = (int(value) for value in picture(found[time])[4, 32])
        assert (red > green) == (time < 2500), time
    assert all(still(site, time, "?width=64").body == found[time].body for time in times)


# -- nothing but the content ------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, shelf: Library) -> Iterator[tuple[Site, Path]]:
    """A library of its own with one video, and the path of that."""
    with Library.open(settings=settings_for(tmp_path)) as library:
        source = Path(shelf.catalogue.videos()[0].paths[0])
        path = tmp_path / "films" / "north" / source.name
        path.parent.mkdir(parents=True)
        shutil.copy(source, path)
        library.add([path])
        with running(library) as site:
            yield site, path


def everything(site: Site) -> list[Reply]:
    (video_id,) = site.ids.values()
    return [
        site.get(f"/media/{video_id}"),
        site.get(f"/media/{video_id}", Range="bytes=0-10"),
        site.get(f"/media/{video_id}/still/700.jpg"),
        site.get(f"/media/{video_id}/clip.mp4?start=1&end=2"),
    ]


def test_a_video_deleted_under_the_player(own: tuple[Site, Path]) -> None:
    site, path = own
    assert [reply.status for reply in everything(site)] == [200, 206, 200, 200]
    path.unlink()
    first, second, _, last = everything(site)
    for reply in (first, second, last):
        assert reply.status == 410
        assert "not there" in reply.json()["error"]
        assert str(path.parent) not in reply.body.decode()
    (video_id,) = site.ids.values()
    row = site.get(f"/api/videos/{video_id}").json()
    assert (row["state"], row["playable"]) == ("missing", False)
    assert site.get("/api/search?q=boat").json()["hits"]  # its rows still answer


def test_another_content_under_the_path_is_never_sent(own: tuple[Site, Path], tmp_path: Path) -> None:
    site, path = own
    content, (video_id,) = path.read_bytes(), site.ids.values()
    for how in ("written", "replaced", "linked", "same size and time", "a pipe", "a folder"):
        assert site.get(f"/media/{video_id}").body == content
        put_something_else(path, tmp_path / "secret.mp4", how)
        for url in (
            f"/media/{video_id}",
            f"/media/{video_id}/still/9.jpg",
            f"/media/{video_id}/clip.mp4?start=0&end=1",
        ):
            reply = site.get(url)
            assert reply.status in (409, 410), (how, url)
            assert set(reply.json()) == {"error", "hint"}
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(content)


def put_something_else(path: Path, secret: Path, how: str) -> None:
    status = path.stat()
    secret.write_bytes(os.urandom(status.st_size))
    if how == "written":
        path.write_bytes(secret.read_bytes())
    elif how == "replaced":
        os.replace(secret, path)
    elif how == "linked":
        path.unlink()
        path.symlink_to(secret)
    elif how == "same size and time":
        path.write_bytes(secret.read_bytes())
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        path.unlink()
        os.mkfifo(path) if how == "a pipe" else path.mkdir()


def test_a_link_that_is_swapped_again_and_again_never_leads_out(own: tuple[Site, Path], tmp_path: Path) -> None:
    site, path = own
    content = path.read_bytes()
    good, secret = tmp_path / "good.mp4", tmp_path / "secret.mp4"
    good.write_bytes(content)
    secret.write_bytes(b"\0secret" * (len(content) // 7))
    stopped = threading.Event()

    def swap() -> None:
        while not stopped.is_set():
            for target in (secret, good):
                link = tmp_path / "link"
                link.symlink_to(target)
                os.replace(link, path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    (video_id,) = site.ids.values()
    statuses = set()
    try:
        for _ in range(200):
            reply = site.get(f"/media/{video_id}", Range="bytes=0-499")
            statuses.add(reply.status)
            assert reply.body == content[:500] if reply.status == 206 else reply.status in (409, 410)
    finally:
        stopped.set()
        swapping.join()
    assert 206 in statuses


def test_a_link_that_the_user_indexed_is_served(tmp_path: Path, shelf: Library) -> None:
    target = Path(shelf.catalogue.videos()[0].paths[0])
    link = tmp_path / "films" / "linked" / "film.mp4"
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    with Library.open(settings=settings_for(tmp_path)) as library:
        library.add([link])
        with running(library) as site:
            assert site.get(f"/media/{site.ids['linked']}").body == target.read_bytes()


def test_a_file_that_grows_while_it_is_read_is_cut_off(own: tuple[Site, Path]) -> None:
    """The connection breaks instead of sending bytes that nobody indexed."""
    site, path = own
    (video_id,) = site.ids.values()
    content = site.library.catalogue.video(video_id)
    contents = Contents(Cache(path.parent / "cache", 1 << 20), threading.Event())
    file = contents.open(content)
    assert file.read(0, 10) == path.read_bytes()[:10]
    with path.open("ab") as growing:
        growing.write(b"more")
    with pytest.raises(Refused, match="changed"):
        file.read(10, 10)
    file.close()


NASTY = [
    f"{prefix}{separator.join(['..'] * depth)}{separator}{target}"
    for prefix in ("/media/", "/static/", "/v/", "/", "/api/videos/", "/api/traces/", "/api/threads/")
    for separator in ("/", "%2f", "%5c", "%252f", "..;/", "/./")
    for depth in (1, 3, 8)
    for target in ("etc/passwd", "catalogue.sqlite3")
] + [
    "/media//etc/passwd",
    "/media/%00",
    "/media/%2e%2e/%2e%2e/etc/passwd",
    "/media/..%c0%af..%c0%afetc/passwd",
    "/media/C:%5cwindows%5cwin.ini",
    "/media/%5c%5cserver%5cshare%5cfile",
    "/media/file:///etc/passwd",
    "/static/..",
    "/static/",
    "/static//etc/passwd",
    "/static/index.html/../../run.py",
    "/static/%2e%2e/run.py",
    "/static/..%2frun.py",
    "/static/__init__.py",
    "/media/{id}/../../run.py",
    "/media/{id}/..%2f..%2fetc%2fpasswd.vtt",
    "/media/{id}/still/..%2f..%2f1.jpg",
    "/media/{id}%00",
    "/media/{id}%0a",
    "/media/{id}/",
    "/media/{id}.mp4",
    "/media/{id}/still/1.jpg%00.txt",
    "/api/traces/..%2fcatalogue",
    "/api/traces/%2e%2e%2fcatalogue.sqlite3",
    "/api/answers/..%2f..%2fx/export/html",
    "/api/videos/{id}/export/..%2f..%2fetc",
    "//etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
]


def test_no_path_leads_out(site: Site) -> None:
    assert len(NASTY) >= 200
    for path in NASTY:
        reply = site.get(path.format(id=site.ids["north"]))
        assert reply.status in (200, 400, 404, 405, 409, 410, 422), path
        assert b"root:" not in reply.body, path
        assert b"SQLite" not in reply.body, path
        assert b"import " not in reply.body or path.startswith("/v/"), path
        if not path.startswith("/v/"):
            assert reply.status != 200, path


@pytest.mark.parametrize("video_id", ["0" * 16, "x", "%20", "north", "talk%20at%20the%20mill.mp4", "a" * 3000])
def test_unknown_videos(site: Site, video_id: str) -> None:
    for path in (
        "/media/{}",
        "/media/{}/still/0.jpg",
        "/media/{}/speech.vtt",
        "/api/videos/{}",
        "/api/videos/{}/observations",
    ):
        reply = site.get(path.format(video_id))
        assert reply.status == 404, path
        assert len(reply.body) < 800
        assert "\n" not in reply.json()["error"]


def test_the_beginning_of_an_id_is_no_id(site: Site) -> None:
    assert site.get(f"/media/{site.ids['north'][:8]}").status == 404


def test_a_video_without_a_file_has_no_media(site: Site) -> None:
    (text,) = [video for video in site.library.catalogue.videos() if video.kind == "import"]
    assert site.get(f"/media/{text.id}").status == 404
    assert site.get(f"/media/{text.id}/still/0.jpg").status == 404
    assert site.get(f"/media/{text.id}/speech.vtt").status == 200


def test_subtitles_hold_nothing_that_a_browser_obeys(site: Site) -> None:
    (text,) = [video for video in site.library.catalogue.videos() if video.kind == "import"]
    reply = site.get(f"/media/{text.id}/speech.vtt")
    assert reply.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert b"<" not in reply.body
    assert b"Stream ciphers use a key." in reply.body
    assert site.get(f"/media/{site.ids['north']}/speech.vtt").body.count(b"-->") == 2


def test_two_videos_of_one_name_are_two(site: Site) -> None:
    rows = [row for row in site.get("/api/videos").json()["videos"] if row["name"] == "talk at the mill.mp4"]
    assert len({row["video_id"] for row in rows}) == 2
