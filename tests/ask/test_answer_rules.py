"""The citation check: every kind of lie is rejected, the truth never is, and nothing active survives from a video."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentvid.answer import check_answer, coverage_of, plain
from agentvid.composers.base import Draft
from agentvid.indexes.catalogue import Catalogue
from agentvid.tools.base import ToolContext
from agentvid.tools.read import read
from agentvid.types import Claim, Evidence, Moment, Span

ToolsFor = Callable[..., ToolContext]
QUESTION = "What does chlorophyll do?"


def seen(tools: ToolContext, *, until: float = 60.0) -> dict[str, Evidence]:
    """Read the start of the talk as a program would; one true piece of evidence per row."""
    talk = next(video for video in tools.scope.values() if video.title == "talk.mp4")
    rows = read(tools, within=Moment(talk.id, Span(0, until)))
    return {
        row.text: Evidence(f"e{n}", talk.name, talk.id, row.span, row.track, row.text, row.score)
        for n, row in enumerate(rows, 1)
    }


def absorbs(tools: ToolContext) -> Evidence:
    return seen(tools)["Chlorophyll absorbs red light and blue light."]


def kept(tools: ToolContext, claims: list[Claim], evidence: list[Evidence], numbers: tuple[float, ...] = ()) -> int:
    draft = Draft(tuple(claims), tuple(evidence), 0.9, numbers=numbers)
    return len(check_answer(draft, question=QUESTION, context=tools).claims)


def said(item: Evidence) -> Claim:
    return Claim(f"At 0:12-0:18 the speech says: “{item.quote}”", (item.id,))


def test_the_truth_is_kept(tools_for: ToolsFor) -> None:
    tools = tools_for()
    item = absorbs(tools)
    truths = [
        said(item),
        Claim("Chlorophyll absorbs red and blue light.", (item.id,)),
        Claim('Chlorophyll "absorbs red light".', (item.id,)),
        Claim("2 times in all: at 0:12-0:18", (item.id,)),
    ]
    assert kept(tools, truths, [item], numbers=(2.0,)) == len(truths)


LIES: dict[str, Callable[[Evidence, Evidence], tuple[Claim, Evidence]]] = {
    "span after the video's end": lambda e, _: (said(e), replace(e, span=Span(100, 130))),
    "span that no tool returned": lambda e, _: (said(e), replace(e, span=Span(90, 96))),
    "span wider than what was returned": lambda e, _: (said(e), replace(e, span=Span(12, 29))),
    "span of another row": lambda e, o: (said(e), replace(e, span=o.span)),
    "another track": lambda e, _: (said(e), replace(e, track="ocr")),
    "a video out of scope": lambda e, _: (said(e), replace(e, video_id="f" * 64)),
    "a wrong video name": lambda e, _: (said(e), replace(e, video="cook.mp4")),
    "one word of the quote changed": lambda e, _: (said(e), replace(e, quote=e.quote.replace("red", "green"))),
    "the quote of another row": lambda e, o: (said(e), replace(e, quote=o.quote)),
    "an invented quote": lambda e, _: (said(e), replace(e, quote="Plants love music.")),
    "an empty quote": lambda e, _: (said(e), replace(e, quote="  ")),
    "a score that is no number": lambda e, _: (said(e), replace(e, score=math.nan)),
    "evidence that does not exist": lambda e, _: (replace(said(e), evidence=("e99",)), e),
    "no evidence": lambda e, _: (replace(said(e), evidence=()), e),
    "words in quotes that were not said": lambda e, _: (Claim('It says "absorbs green light".', (e.id,)), e),
    "a wrong time": lambda e, _: (Claim(f"At 1:12-1:18 the speech says: “{e.quote}”", (e.id,)), e),
    "a number nobody said": lambda e, _: (Claim("Chlorophyll absorbs 7 kinds of light.", (e.id,)), e),
    "a number word nobody said": lambda e, _: (Claim("Chlorophyll absorbs eleven kinds of light.", (e.id,)), e),
    "a negation": lambda e, _: (Claim("Chlorophyll never absorbs red light.", (e.id,)), e),
    "a name nobody said": lambda e, _: (Claim("Chlorophyll absorbs red light, says Einstein.", (e.id,)), e),
    "a claim about something else": lambda e, _: (Claim("Tomatoes need warm soil and wind.", (e.id,)), e),
    "true words of other evidence": lambda e, o: (Claim(f"It says “{o.quote}”", (e.id,)), e),
}


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_every_lie_is_rejected(lie: str, tools_for: ToolsFor) -> None:
    tools = tools_for()
    other = seen(tools)["The Calvin cycle fixes carbon dioxide into sugar."]
    claim, evidence = LIES[lie](absorbs(tools), other)
    assert kept(tools, [claim], [evidence]) == 0


def test_evidence_of_an_earlier_run_cannot_be_cited(tools_for: ToolsFor) -> None:
    item = absorbs(tools_for())
    assert kept(tools_for(), [said(item)], [item]) == 0


def test_two_pieces_of_evidence_with_one_id_are_both_dropped(tools_for: ToolsFor) -> None:
    tools = tools_for()
    item = absorbs(tools)
    twin = replace(seen(tools)["The Calvin cycle"], id=item.id)
    assert kept(tools, [said(item)], [item, twin]) == 0


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_only_verbatim_quotes_survive(catalogue: Catalogue, data: st.DataObject) -> None:
    """A quote is kept exactly if it is a piece of the row, however it was changed."""
    from agentvid.indexes.retriever import Retriever
    from agentvid.indexes.vectors import choose_backend

    scope = {video.id: video for video in catalogue.videos()}
    tools = ToolContext(catalogue, Retriever(catalogue, None, choose_backend("numpy")), scope)
    item = data.draw(st.sampled_from(list(seen(tools).values())))
    start = data.draw(st.integers(0, len(item.quote) - 1))
    end = data.draw(st.integers(start + 1, len(item.quote)))
    inserted = data.draw(st.text(max_size=3))
    quote = item.quote[start:end] + inserted
    checked = check_answer(Draft(evidence=(replace(item, quote=quote),)), question=QUESTION, context=tools)
    squeezed = " ".join(quote.split())
    assert bool(checked.evidence) == bool(squeezed and squeezed in item.quote)


@settings(max_examples=100, deadline=None)
@given(start=st.floats(0, 119), length=st.floats(0.01, 200))
def test_only_spans_inside_what_was_returned_survive(catalogue: Catalogue, start: float, length: float) -> None:
    from agentvid.indexes.retriever import Retriever
    from agentvid.indexes.vectors import choose_backend

    scope = {video.id: video for video in catalogue.videos()}
    tools = ToolContext(catalogue, Retriever(catalogue, None, choose_backend("numpy")), scope)
    item = absorbs(tools)
    moved = replace(item, span=Span(start, start + length))
    checked = check_answer(Draft(evidence=(moved,)), question=QUESTION, context=tools)
    inside = start >= 12 - 0.002 and start + length <= 18 + 0.002
    assert bool(checked.evidence) == inside


ACTIVE = [
    "![x](http://evil.example/a.png)",
    "[click](https://evil.example)",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "data:text/html;base64,AAAA",
    "www.evil.example/path",
    "//evil.example/x",
    "ftp://evil.example",
    "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "[a][b]",
    "<svg/onload=alert(1)",
    "![a](![b](http://evil.example))",
    "\u202etxt.exe",
    "<\x1bscript>alert(1)</\x1bscript>",
    "java\x00script:alert(1)",
    "<<b>script>alert(1)",
    "ht\u200btp://evil.example",
]


@pytest.mark.parametrize("text", ACTIVE)
def test_nothing_active_is_left(text: str) -> None:
    result = plain(f"before {text} after").casefold()
    assert result.startswith("before")
    for mark in ("http", "ftp:", "www.", "javascript:", "data:", "<", "](", "\x1b", "\x07", "\u202e", "//"):
        assert mark not in result


@settings(max_examples=1_000)
@given(st.text(alphabet='<>/[]()!:\x1b\u200b aj"“”.w', max_size=60) | st.text(max_size=300))
def test_plain_text_stays_plain(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_harmless_marks_stay() -> None:
    text = "At 0:12-0:18 the speech says: “3 < 5 [sic] and a/b: 50%”"
    assert plain(text) == text


def test_coverage_names_what_is_missing_and_a_way_to_add_it(tools_for: ToolsFor) -> None:
    coverage = coverage_of(tools_for("cook.mp4"), ["a note"])
    assert (coverage.videos, coverage.seconds, coverage.tracks) == (1, 120.0, ("caption", "speech"))
    assert coverage.missing[0] == "a note"
    assert [line.split(":")[0] for line in coverage.missing[1:]] == ["on-screen text"]
    both = coverage_of(tools_for())
    assert any("found in 1 of 2 videos" in line for line in both.missing)
    assert all("`agentvid" in line for line in both.missing)
