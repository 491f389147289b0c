"""The page of `agentvid serve` on 100 hours of text, in headless Chromium: first paint, and from Enter to the hits.

Beside each stands the same for a static file of the same server, which needs no program: its largest shown as text, and
a small one fetched and shown. Medians of several loads, each in a browser profile of its own; sizes are printed.

    python -m benchmarks page
"""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HOURS, ROW_SECONDS = 100, 12.0
LOADS, SEARCHES = 9, 15
#: What Chromium itself measures of a page, in milliseconds since the navigation began.
_PAINT = """() => new Promise((done) => {
  const told = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const loaded = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    const bytes = loaded.reduce((sum, one) => sum + one.encodedBodySize, 0);
    return paint ? done([paint.startTime, bytes]) : setTimeout(told, 5);
  };
  told();
})"""
#: From submitting the form to the frame that shows the first hit.
_SEARCH = """(words) => new Promise((done) => {
  const list = document.getElementById("list");
  const began = performance.now();
  new MutationObserver((_, observer) => {
    if (list.querySelector("h1")?.textContent !== words || !list.querySelector("li.card.span")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  }).observe(list, { childList: true, subtree: true });
  document.getElementById("query").value = words;
  document.getElementById("query-form").requestSubmit();
})"""
#: From asking for a static file to the frame that shows its text.
_STATIC = """(url) => new Promise(async (done) => {
  const began = performance.now();
  const text = await (await fetch(url, { cache: "no-store" })).text();
  document.getElementById("list").replaceChildren(text);
  requestAnimationFrame(() => setTimeout(() => done([performance.now() - began, text.length])));
})"""
_WORDS = (
    "harbour ferry timber crane ticket island mail winter bread oven dough flour north signal train bridge engine "
    "market apple garden light stone river paper glass captain coast weather storm radio village school music"
).split()


def run() -> Iterator[str]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        yield "page: no Chromium to measure with; on Debian and Ubuntu: apt-get install -y chromium"
        return
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page_paints, static_paints, page_bytes, static_bytes = [], [], 0.0, 0.0
        for _ in range(LOADS):  # interleaved: both meet the same machine
            paint, page_bytes = _paint(browser, f"{url}/")
            page_paints.append(paint)
            paint, static_bytes = _paint(browser, f"{url}/static/app.css")
            static_paints.append(paint)
        yield (
            f"page: first contentful paint, {HOURS} h of text: {statistics.median(page_paints):.0f} ms, "
            f"{page_bytes / 1000:.0f} kB; a static file: {statistics.median(static_paints):.0f} ms, "
            f"{static_bytes / 1000:.0f} kB"
        )
        yield from _searches(browser, url)
        browser.close()


def _searches(browser: Browser, url: str) -> Iterator[str]:
    page = browser.new_page()
    page.goto(url)
    page.locator("li.card").first.wait_for()
    maker = random.Random(5)
    searches, statics, size = [], [], 0.0
    _search(page, "harbour ferry")  # opens the index and the model
    for _ in range(SEARCHES):
        searches.append(_search(page, " ".join(maker.sample(_WORDS, 3))))
        milliseconds, size = page.evaluate(_STATIC, "/static/route.js")
        statics.append(float(milliseconds))
    yield (
        f"page: Enter to hits on screen, {HOURS} h of text: {statistics.median(searches):.0f} ms; "
        f"a static file fetched and shown: {statistics.median(statics):.0f} ms, {size / 1000:.0f} kB"
    )


def _search(page: Page, words: str) -> float:
    return float(page.evaluate(_SEARCH, words))


def _paint(browser: Browser, address: str) -> tuple[float, float]:
    """Milliseconds to the first contentful paint, and bytes of what was loaded by then."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    paint, size = page.evaluate(_PAINT)
    context.close()
    return float(paint), float(size)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The base URL of a server of `HOURS` videos of an hour of text each."""
    rows, library = folder / "rows.jsonl", folder / "library"
    maker = random.Random(1)
    with rows.open("w", encoding="utf-8") as file:
        for hour in range(HOURS):
            for number in range(int(3600 / ROW_SECONDS)):
                text = " ".join(maker.choice(_WORDS) for _ in range(12))
                row = {"video": f"hour {hour}", "duration": 3600, "track": "speech", "text": text}
                file.write(json.dumps(row | {"start": number * ROW_SECONDS, "end": (number + 1) * ROW_SECONDS}) + "\n")
    command = [sys.executable, "-m", "agentvid", "--library", str(library)]
    subprocess.run([*command, "import", str(rows)], check=True, capture_output=True)
    with subprocess.Popen([*command, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        try:
            yield found[0].removesuffix("/")
        finally:
            process.terminate()
