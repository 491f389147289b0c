"""From an empty library to a server that is gone: one clear line each time, and never a blank page."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from agentvid.media.render import Scene, render_video
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.text import MAX_QUERY_CHARACTERS
from tests.page.conftest import opened, serving
from tests.page.looking import search, stands_at

HARD = "Explain why the ferry waits for the mail and compare that with the cranes"


def test_each_failure_is_one_clear_line(browser: Browser, rendered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(rendered / "harbour.mp4", folder)
    (folder / "broken.mp4").write_bytes(b"no video" * 100)
    with serving(tmp_path / "library", folder) as served, opened(browser, served.url, refusals=True) as page:
        page.goto("/")
        expect(page.locator("#list h1")).to_have_text("The library is empty")
        search(page, "ferry")
        expect(page.locator("#list")).to_contain_text("Nothing found")

        page.get_by_role("link", name="Add videos").click()
        expect(page.locator("#list li")).to_have_count(2)
        page.get_by_role("button", name="Index").click()
        expect(page.locator(".job")).to_contain_text("1 video indexed", timeout=60_000)
        expect(page.locator(".job .problem")).to_contain_text("broken.mp4")
        page.locator(".job a").click()
        expect(page.locator("h1").first).to_have_text("harbour.mp4")
        address = page.url.split("?")[0]

        search(page, "zebra crossing")
        expect(page.locator("#list")).to_contain_text("Nothing found")
        page.get_by_label("Search or question").fill("word " * MAX_QUERY_CHARACTERS)
        page.keyboard.press("Enter")
        expect(page.locator("#list .problem strong")).to_be_visible()
        page.goto("/?trace=20200101T000000000-00000000")
        expect(page.locator("#list .problem")).to_contain_text("no trace")
        page.goto("/v/0123456789abcdef")
        expect(page.locator("#watch .problem")).to_contain_text("This video is not in the library.")

        page.goto(f"{address}#t=8.5")
        stands_at(page, 8.5)
        (folder / "harbour.mp4").unlink()
        page.reload()
        expect(page.locator("#watch .no-screen")).to_contain_text("The file is not where it was")
        expect(page.locator(".row").first).to_contain_text("harbour office")
        served.agentvid("rm", "harbour.mp4")
        page.reload()
        expect(page.locator("#watch .problem")).to_contain_text("This video is not in the library.")

        served.end()
        page.get_by_label("Search or question").fill("ferry")
        page.keyboard.press("Enter")
        expect(page.locator("#list .problem")).to_contain_text("The server does not answer.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_file_that_goes_while_it_is_watched_is_told_in_the_player(
    browser: Browser, rendered: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film = folder / "harbour.mp4"
    shutil.copy(rendered / "harbour.mp4", film)
    with serving(tmp_path / "library", folder) as served:
        served.agentvid("index", str(film))
        with opened(browser, served.url, refusals=True) as page:
            page.goto("/")
            page.locator("li.card a.cover").click()
            page.locator("video").wait_for()
            film.unlink()
            # As when the browser has thrown its own copy away.
            page.evaluate("document.querySelector('video').src += '?again'")
            expect(page.locator(".stage .problem")).to_contain_text("not there any more")
            expect(page.locator(".row").first).to_contain_text("harbour office")


def test_indexing_is_stopped_by_keyboard_and_found_again(browser: Browser, rendered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(rendered / "bread.mp4", folder / "a-bread.mp4")
    scenes = [Scene(60.0, (10, 90, 160), motion="pan"), Scene(60.0, (160, 90, 10), motion="left")]
    render_video(folder / "z-long.mp4", scenes, size=(640, 360), rate=25)
    with serving(tmp_path / "library", folder) as served, opened(browser, served.url) as page:
        page.goto("/?view=inbox")
        page.get_by_role("button", name="Index").click()
        expect(page.locator(".job .running p")).to_contain_text("z-long.mp4", timeout=60_000)
        page.get_by_role("link", name="Library").click()
        page.get_by_role("link", name="Add videos").first.click()
        expect(page.locator(".job .running p")).to_contain_text("z-long.mp4")
        page.get_by_role("button", name="Stop").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".job")).to_contain_text("Stopped. 1 video indexed")
        expect(page.locator(".job")).to_contain_text("1 file not read")
        expect(page.locator(".job .problem")).to_have_count(0)
        expect(page.locator(".inbox li")).to_have_count(1)
        page.get_by_role("link", name="Library").click()
        expect(page.locator("li.card")).to_have_count(1)


def test_who_stops_a_question_is_shown_the_answer_so_far(browser: Browser, rendered: Path, tmp_path: Path) -> None:
    """The model answers later than anybody would wait."""
    with ScriptedServer(ScriptedChat(["never"]), faults=[Fault(delay_seconds=60)] * 9) as model:
        asked = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.base_url, "AGENTVID_MODEL": "openai:slow"}
        os.environ |= asked
        try:
            with serving(tmp_path / "library", tmp_path) as served, opened(browser, served.url) as page:
                served.agentvid("index", str(rendered / "harbour.mp4"))
                page.goto("/")
                page.keyboard.press("a")
                page.get_by_label("Search or question").fill(HARD)
                page.keyboard.press("Enter")
                expect(page.locator(".steps .step").first).to_be_visible()
                deadline = time.monotonic() + 30
                while not model.requests and time.monotonic() < deadline:
                    page.wait_for_timeout(50)
                page.get_by_role("button", name="Stop").focus()
                page.keyboard.press("Enter")
                expect(page.locator(".note")).to_have_text("Ended early: you stopped it.")
                expect(page.locator(".turn li.card.span").first).to_be_visible()
                expect(page.locator(".coverage")).to_be_visible()
                expect(page.get_by_label("Ask a follow-up")).to_be_visible()
        finally:
            for name in asked:
                del os.environ[name]


@pytest.mark.slow
def test_the_player_tells_how_much_is_converted_and_then_plays(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    render_video(folder / "old.avi", [Scene(60.0, (20, 120, 200), motion="pan")], size=(1280, 720), rate=12)
    os.environ["AGENTVID_CACHE"] = str(tmp_path / "cache")  # else the copy of a run before is found
    with serving(tmp_path / "library", folder) as served, opened(browser, served.url, refusals=True) as page:
        served.agentvid("index", str(folder))
        page.goto("/")
        page.locator("li.card a.cover").click()
        expect(page.locator(".converting")).to_contain_text(re.compile(r"Converting for the browser, \d+ %"))
        page.wait_for_function("() => document.querySelector('video').readyState >= 2", timeout=120_000)
        expect(page.locator(".converting")).to_have_count(0)
        expect(page.locator(".stage .problem")).to_have_count(0)
