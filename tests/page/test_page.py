"""Searching, asking and watching through the page's own controls."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.conftest import Served, opened
from tests.page.looking import ask, now, search, stands_at

PHONE = {"width": 375, "height": 760}


def test_a_hit_is_watched_at_its_second_and_back_leads_back(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#list h1")).to_have_text("Library")
    expect(page.locator("li.card.video")).to_have_count(3)
    expect(page.locator("li.card.video img.still")).to_have_count(2)
    search(page, "ferry mail")
    card = page.locator("li.card.span").first
    expect(card.locator("mark").first).to_have_text("ferry")
    expect(card.locator("img.still").first).to_have_js_property("complete", True)
    card.locator("a.cover").click()
    start = float(card.get_attribute("data-start") or "nan")
    stands_at(page, start)
    expect(page).to_have_url(re.compile(r"/v/[0-9a-f]+\?q=ferry\+mail#t=8.5,17.5$"))
    expect(card).to_have_class(re.compile(r"\bat\b"))
    page.go_back()
    expect(page.locator("video")).to_have_count(0)
    expect(page.locator("#list h1")).to_have_text("ferry mail")
    page.go_forward()
    stands_at(page, start)
    page.reload()
    stands_at(page, start)
    page.get_by_label("Close the player").click()
    page.go_back()
    page.go_back()
    page.go_back()
    expect(page.locator("#list h1")).to_have_text("Library")


def test_filters_reach_the_search_and_the_address(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Videos").select_option("harbour.mp4")
    page.get_by_label("speech").check()
    page.get_by_label("From").fill("0:18")
    page.get_by_label("To", exact=True).fill("soon")
    search_box = page.get_by_label("Search or question")
    search_box.fill("season")
    search_box.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("soon is no time; write seconds, 1:23 or 1:02:03.")
    page.get_by_label("To", exact=True).fill("0:24")
    search(page, "season")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("li.card.span").first).to_contain_text("ticket prices")
    for part in ("video=", "track=speech", "from=18", "to=24"):
        assert part in page.url
    page.reload()
    expect(page.get_by_label("From")).to_have_value("18")
    expect(page.locator("#scope-chips button")).to_have_text("harbour.mp4")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Find", exact=True).select_option("videos")
    page.get_by_label("From").fill("")
    page.get_by_label("To", exact=True).fill("")
    search(page, "season")
    expect(page.locator("li.card.span")).to_have_count(1)
    expect(page.locator("li.card.span .chip")).to_have_text("video")


def test_an_answer_cites_the_second_and_can_be_followed_up(page: Page) -> None:
    page.goto("/")
    ask(page, "What does the blue ferry carry?")
    expect(page.locator(".claim")).to_contain_text("The blue ferry carries the mail to the island.")
    expect(page.locator("#said")).to_contain_text("carries the mail")
    expect(page).to_have_url(re.compile(r"\?trace="))
    page.locator(".cite").first.click()
    stands_at(page, 8.5)
    page.locator(".work summary").click()
    expect(page.locator(".work .program").first).to_contain_text("search(")
    page.get_by_text("Program and trace").click()
    expect(page.locator(".trace .steps .step").first).to_contain_text("hits = search(")
    expect(page.locator(".coverage")).to_contain_text("captions: none")
    page.locator(".more").get_by_text("Export").click()
    with page.expect_download() as saved:
        page.locator(".menu a", has_text="markdown").click()
    assert "The blue ferry carries the mail" in saved.value.path().read_text("utf-8")

    page.get_by_label("Ask a follow-up").fill("Which senator won the chess tournament?")
    page.keyboard.press("Enter")
    last = page.locator(".turn").nth(1)
    expect(last.locator(".verdict")).to_have_text("No answer: nothing found bears one out.")
    expect(last.locator(".coverage")).to_contain_text("3 videos")
    page.reload()
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_role("link", name="The whole conversation").click()
    expect(page.locator(".turn")).to_have_count(2)
    page.locator(".cited a").first.click()
    stands_at(page, 8.5)
    page.get_by_role("link", name="Conversations").click()
    expect(page.locator("#list .rows li")).not_to_have_count(0)


def test_choices_are_weighed(page: Page) -> None:
    page.goto("/")
    page.get_by_text("Ask", exact=True).first.click()
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Choices, one a line").fill("timber\n\nlive chickens\ndiesel\n")
    ask(page, "What do the cranes unload?")
    expect(page.locator(".choice")).to_have_text("Choice: timber")


def test_a_span_pauses_or_repeats_at_its_end(page: Page, served: Served) -> None:
    page.goto(f"/v/{id_of(served, 'harbour.mp4')}#t=8.5,9.2")
    stands_at(page, 8.5)
    page.get_by_label("At the end of the span").select_option("pause")
    page.locator("h1").first.click()
    page.keyboard.press("Space")
    page.wait_for_function(
        "() => document.querySelector('video').paused && document.querySelector('video').currentTime > 9"
    )
    assert 9.2 <= now(page) < 9.5
    page.get_by_role("button", name="From its start").click()
    stands_at(page, 8.5)
    page.get_by_label("At the end of the span").select_option("loop")
    page.evaluate("document.querySelector('video').addEventListener('seeking', () => { document.title = 'again'; })")
    page.locator("h1").first.click()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.title === 'again'")
    assert not page.evaluate("document.querySelector('video').paused")
    page.keyboard.press("Space")
    assert 8.4 <= now(page) <= 9.3
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('video').currentTime > 13")


def test_the_transcript_follows_and_is_searched(page: Page, served: Served) -> None:
    page.goto(f"/v/{id_of(served, 'harbour.mp4')}")
    page.get_by_label("Play at 0:13").click()
    stands_at(page, 13.2)
    expect(page.locator(".row.now")).to_contain_text("Two cranes")
    page.locator(".lanes").press("Home")
    stands_at(page, 0.0)
    page.keyboard.press("t")
    page.keyboard.type("tickets")
    expect(page.locator(".told")).to_have_text("No row has these letters.")
    page.get_by_label("Find in transcript").fill("ticket")
    expect(page.locator(".row mark")).to_have_text("ticket")
    page.keyboard.press("Enter")
    stands_at(page, 18.4)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("video")).to_have_count(0)


def test_ten_hours_scroll_well(page: Page, served: Served) -> None:
    page.goto(f"/v/{id_of(served, 'ten hours')}#t=18000")
    expect(page.locator(".told")).to_have_text("20000 rows")
    expect(page.locator(".row.now")).to_contain_text("Sentence 10000 about")
    expect(page.locator(".row.now")).to_be_in_viewport()
    page.evaluate("document.querySelector('.blocks').scrollTop = 1e9")
    expect(page.get_by_text("Sentence 19999 about the sea.")).to_be_in_viewport()
    assert page.locator(".row").count() < 400
    page.get_by_label("Find in transcript").fill("lighthouse")
    expect(page.locator(".told")).to_have_text("1 rows with these letters")
    page.locator(".row").click()
    expect(page).to_have_url(re.compile(r"#t=22221,22222.5$"))
    lanes = page.locator(".lanes")
    for _ in range(8):
        page.get_by_label("Zoom in").click()
    box = lanes.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 8)
    seconds = float(lanes.get_attribute("aria-valuenow") or "nan")
    assert 22_221 < seconds < 22_221 + 36_000 / 1.6**8


def test_the_timeline_shows_what_it_leads_to(page: Page, served: Served) -> None:
    page.goto(f"/v/{id_of(served, 'harbour.mp4')}?q=ferry+mail")
    lanes = page.locator(".lanes")
    lanes.wait_for()
    box = lanes.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    expect(page.locator(".tip strong")).to_have_text(re.compile(r"^0:1\d\.\d$"))
    expect(page.locator(".tip img")).to_have_js_property("complete", True)
    page.mouse.click(box["x"] + box["width"] - 10, box["y"] + 8)
    page.wait_for_function("() => document.querySelector('video').currentTime > 23")
    expect(page).to_have_url(re.compile(r"\?q=ferry\+mail#t=23"))


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.goto("/")
    page.locator("li.card").first.wait_for()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("find in the transcript")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("ferry")
    page.keyboard.press("Enter")
    page.locator("li.card.span").first.wait_for()
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    first = page.locator("li.card.span").first
    expect(first.locator("a.cover")).to_be_focused()
    page.keyboard.press("Enter")
    start = float(first.get_attribute("data-start") or "nan")
    stands_at(page, start)
    page.keyboard.press(".")
    stands_at(page, start + 0.04)
    page.keyboard.press(" ")
    page.wait_for_function("() => !document.querySelector('video').paused")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('video').paused")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    expect(page.get_by_label("Search or question")).to_be_focused()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, textarea, summary")].filter((control) =>
          !(control.textContent.trim() || control.getAttribute("aria-label") || control.labels?.length)).length"""
    )
    assert unnamed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_in_one_column(browser: Browser, served: Served, scheme: str) -> None:
    with opened(browser, served.url, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme) as page:
        page.goto("/")
        page.locator("li.card").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        search(page, "ferry mail")
        page.locator("li.card.span a.cover").first.tap()
        stands_at(page, 8.5)
        expect(page.locator("video")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        expect(page.locator("li.card.span").first).to_be_visible()
        expect(page.locator(".transcript")).to_be_hidden()
        page.get_by_role("button", name="Transcript").tap()
        expect(page.locator("li.card.span").first).to_be_hidden()
        page.get_by_label("Play at 0:13").tap()
        stands_at(page, 13.2)
        expect(page.locator("video")).to_be_in_viewport()
        page.get_by_role("button", name="Hits").tap()
        expect(page.locator("li.card.span").first).to_be_visible()
        assert contrast(page) >= 4.5


def contrast(page: Page) -> float:
    """The least contrast of plain and muted text and links with what is behind them (WCAG 2)."""
    return float(
        page.evaluate(
            """() => {
              const style = getComputedStyle(document.documentElement);
              const linear = (share) => share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
              const light = (name) => {
                const hex = style.getPropertyValue(name).trim().slice(1);
                const [r, g, b] = [0, 2, 4].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const ratio = (...colours) => {
                const [dark, bright] = colours.map(light).sort((one, other) => one - other);
                return (bright + 0.05) / (dark + 0.05);
              };
              const pairs = [["--on-accent", "--accent"], ["--text", "--mark"]];
              for (const front of ["--text", "--muted", "--accent", "--warn", "--danger"])
                for (const back of ["--bg", "--surface"]) pairs.push([front, back]);
              return Math.min(...pairs.map(([front, back]) => ratio(front, back)));
            }"""
        )
    )


def id_of(served: Served, name: str) -> str:
    rows = served.agentvid("ls", "--json")
    match = re.search(rf'"video_id": "([0-9a-f]+)",\s*"path": "[^"]*{re.escape(name)}"', rows)
    assert match, rows
    return match[1]
