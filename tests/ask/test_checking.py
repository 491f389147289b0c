"""The check beyond single rules: statements, tightening, a second reader, probes, and tracks that disagree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentvid.answer import check_answer
from agentvid.checking.conflicts import contradiction
from agentvid.checking.counterparts import better_question, better_twin
from agentvid.checking.numbers import numbers_in
from agentvid.checking.rules import Reading, Unit
from agentvid.checking.statements import sentences_of, statements_of
from agentvid.checking.verify import DOUBT, Verification, verify
from agentvid.composers.base import Draft
from agentvid.config import Settings, with_verify
from agentvid.errors import UsageError
from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue
from agentvid.models.scripted import ScriptedChat
from agentvid.tools.base import ToolContext
from agentvid.tools.read import read
from agentvid.types import Claim, Evidence, Json, Moment, Observation, Provenance, Span

ToolsFor = Callable[..., ToolContext]
ABSORBS = "Chlorophyll absorbs red light and blue light."


def unit(text: str) -> Unit:
    span = Span(0, 1)
    row = Observation(span, "speech", text, Provenance("test"))
    return Reading.of(Evidence("e1", "v", "v", span, "speech", text, 1.0), [row]).units[0]


def whole(tools: ToolContext, start: float, end: float, quote: str, identity: str = "e1") -> Evidence:
    """Evidence over several rows of the talk, as a tool returned them."""
    (talk,) = [video for video in tools.scope.values() if video.title == "talk.mp4"]
    tools.ledger.record([Moment(talk.id, Span(start, end), track="speech")])
    read(tools, within=Moment(talk.id, Span(start, end)))
    return Evidence(identity, talk.name, talk.id, Span(start, end), "speech", quote, 0.5)


# -- statements, numbers, tightening ----------------------------------------------------------------------------------


def test_a_claim_is_cut_into_what_must_hold_by_itself() -> None:
    claim = (
        "Rubisco captures carbon dioxide; it says “a; b. And c” at 0:12, but old farmers water fields. Red and blue."
    )
    assert sentences_of(claim)[1] == "Red and blue."
    assert statements_of(claim) == [
        "Rubisco captures carbon dioxide",
        "it says “a; b. And c” at 0:12",
        "old farmers water fields.",
        "Red and blue.",
    ]
    joined = "The old farmer waters tomatoes and the young baker kneads dough"
    assert statements_of(joined) == ["The old farmer waters tomatoes", "the young baker kneads dough"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("forty-five minutes", {45}),
        ("two hundred and five", {205}),
        ("three, four and twenty", {3, 4, 20}),
        ("five hundred thousand", {500_000}),
        ("the 3rd of 1,000 takes 45min, 2.5 l", {3, 1000, 45, 2.5}),
        ("at 3:03: MP4", set()),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers


def test_the_true_sentence_of_a_claim_stays(tools_for: ToolsFor) -> None:
    tools = tools_for()
    item = whole(tools, 12, 18, ABSORBS)
    claim = Claim("Chlorophyll absorbs red light. It was found by Einstein in Vienna.", ("e1",))
    checked = check_answer(Draft((claim,), (item,)), question="What?", context=tools)
    assert [kept.text for kept in checked.claims] == ["Chlorophyll absorbs red light."]
    assert "Einstein" in checked.rejected[0].text


def test_evidence_shrinks_to_the_rows_that_bear_the_claim_out(tools_for: ToolsFor) -> None:
    tools = tools_for()
    item = whole(tools, 12, 54, f"{ABSORBS} The Calvin cycle fixes carbon dioxide into sugar.")
    claim = Claim("The Calvin cycle fixes carbon dioxide.", ("e1",))
    (kept,) = check_answer(Draft((claim,), (item,)), question="What?", context=tools).evidence
    assert (kept.span, kept.quote) == (Span(30, 36), "The Calvin cycle fixes carbon dioxide into sugar.")
    timed = Claim("From 0:12 on: the Calvin cycle fixes carbon dioxide.", ("e1",))
    (same,) = check_answer(Draft((timed,), (item,)), question="What?", context=tools).evidence
    assert same.span == item.span, "a claim that states the old start needs it"


# -- a second reader --------------------------------------------------------------------------------------------------


def verified(tools: ToolContext, text: str, *replies: str | Json, strict: bool = False) -> Verification:
    chat = ScriptedChat([one if isinstance(one, str) else json.dumps(one) for one in replies])
    draft = Draft((Claim(text, ("e1",)),), (whole(tools, 12, 18, ABSORBS),), 0.8)
    return verify(draft, question="What is absorbed?", choices=(), context=tools, chat=chat, is_strict=strict)


def opinion(verdict: str, quote: str) -> Json:
    return {"verdicts": [{"id": "s1", "verdict": verdict, "quote": quote}]}


TRUE = "Chlorophyll absorbs red light."
PREDICTED: Json = {"answer": "Red", "choice": None, "quotes": ["absorbs red light"]}


@pytest.mark.parametrize(
    ("verdict", "quote", "kept"),
    [
        ("yes", "absorbs red light", True),
        ("no", "absorbs red light", False),
        ("unknown", "blue light", False),
        ("no", "absorbs green light", True),
        ("no", "", True),
        ("unknown", "the", True),
    ],
)
def test_a_model_takes_a_claim_back_only_by_words_that_are_there(
    tools_for: ToolsFor, verdict: str, quote: str, kept: bool
) -> None:
    result = verified(tools_for(), TRUE, opinion(verdict, quote))
    assert bool(result.checked.claims) == kept
    assert result.usage.llm_calls == 1
    assert kept or "read again" in result.checked.rejected[0].reason


def test_a_model_cannot_save_a_claim_that_the_rules_reject(tools_for: ToolsFor) -> None:
    result = verified(tools_for(), "Chlorophyll never absorbs red light.", opinion("yes", "absorbs red light"))
    assert result.checked.claims == ()
    assert result.usage.llm_calls == 0


def test_quotes_alone_need_no_second_reader(tools_for: ToolsFor) -> None:
    result = verified(tools_for(), f"At 0:12-0:18 the speech says: “{ABSORBS}”")
    assert len(result.checked.claims) == 1
    assert (result.usage.llm_calls, result.notes) == (0, ())


@pytest.mark.parametrize("reply", ["no idea", '{"verdicts": 3}', '{"verdicts": [{"id": "s1", "verdict": "maybe"}]}'])
def test_a_reader_that_is_no_use_is_said_and_costs_nothing(tools_for: ToolsFor, reply: str) -> None:
    result = verified(tools_for(), TRUE, reply, reply)
    assert len(result.checked.claims) == 1
    assert result.usage.llm_calls == 2
    assert "no usable reply" in result.notes[0]


def test_a_claim_whose_opposite_is_shown_as_well_is_dropped(tools_for: ToolsFor) -> None:
    yes = opinion("yes", "absorbs red light")
    assert "opposite" in verified(tools_for(), TRUE, yes, yes, strict=True).checked.rejected[0].reason


def test_another_answer_from_the_same_evidence_halves_the_confidence(tools_for: ToolsFor) -> None:
    tools = tools_for()
    yes, no = opinion("yes", "absorbs red light"), opinion("no", "absorbs red light")
    blind = {"answer": "", "choice": None}
    agreed = verified(tools, TRUE, yes, no, PREDICTED, blind, strict=True)
    assert (agreed.trust, agreed.notes, len(agreed.checked.claims)) == (1.0, (), 1)
    draft = Draft(
        (Claim(TRUE, ("e1",)),),
        (whole(tools, 12, 18, ABSORBS), whole(tools, 48, 54, "Rubisco is the enzyme", "e2")),
        0.8,
    )
    other = {"answer": "An enzyme", "choice": None, "quotes": ["Rubisco is the enzyme"]}
    chat = ScriptedChat([json.dumps(one) for one in (yes, no, other, blind)])
    doubted = verify(draft, question="What?", choices=(), context=tools, chat=chat, is_strict=True)
    assert doubted.trust == DOUBT
    assert "other words: “Rubisco is the enzyme”" in doubted.notes[0]


def test_an_answer_that_needs_no_video_is_said(tools_for: ToolsFor) -> None:
    blind = {"answer": "Chlorophyll takes red light", "choice": None}
    yes, no = opinion("yes", "absorbs red light"), opinion("no", "absorbs red light")
    result = verified(tools_for(), TRUE, yes, no, PREDICTED, blind, strict=True)
    assert any("without looking at any video" in note for note in result.notes)


# -- the paired probe by rules ----------------------------------------------------------------------------------------

BREAD = "Put the bread into the oven at 230 degrees for 45 minutes."


@pytest.mark.parametrize(
    ("statement", "text", "is_dropped"),
    [
        ("The bread bakes at 230 degrees for 45 minutes", BREAD, False),
        ("The bread stays for 45 minutes at 230 degrees", BREAD, False),
        ("The bread bakes at 45 degrees for 230 minutes", BREAD, True),
        ("Chlorophyll absorbs green light and blue light", ABSORBS, True),
        ("Today Anna greets Boris", "Anna greets Boris in the hall.", False),
        ("Today Boris greets Anna", "Anna greets Boris in the hall.", True),
        ("Boris is greeted by Anna", "Anna greets Boris in the hall.", False),
    ],
)
def test_a_statement_whose_twin_fits_as_well_is_found(statement: str, text: str, is_dropped: bool) -> None:
    assert bool(better_twin(statement, [unit(text)])) == is_dropped


def test_quotes_that_answer_another_question_are_found() -> None:
    told = [unit("Then Pedro paints 7 barrels in the harbour.")]
    assert "Pedro" in better_question("Does Marta paint 7 barrels?", told)
    assert better_question("Does Pedro paint 7 barrels?", told) == ""
    assert better_question("What is painted in the harbour?", told) == ""


def test_strict_without_a_model_says_what_it_could_not_do(context_for: Callable[..., AskContext]) -> None:
    strict = ask("What does Rubisco capture?", context_for("talk.mp4", settings=Settings(verify="strict")))
    assert not strict.abstained
    assert any("--model provider:name" in line and "checking" in line for line in strict.coverage.missing)
    standard = ask("What does Rubisco capture?", context_for("talk.mp4"))
    assert not any("checking" in line for line in standard.coverage.missing)


@pytest.mark.parametrize("value", ["lenient", "STRICT", " "])
def test_another_way_to_verify_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="allowed: standard, strict"):
        with_verify(Settings(), value)
    assert with_verify(Settings(), "strict").verify == "strict"
    assert with_verify(Settings(verify="strict"), "").verify == "strict"


# -- tracks that disagree ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("Bake the bread for 45 minutes.", "Bake bread: 40 minutes", "number"),
        ("Bake the bread for 45 minutes.", "Bake bread: 45 minutes", ""),
        ("Rest it for 5 minutes, bake the bread for 45 minutes.", "Bake bread: 45 minutes", ""),
        ("Bake the bread for 45 minutes.", "Slice the bread into 12 pieces", ""),
        ("The goal was scored by Marta in the final.", "The goal was scored by Ingrid in the final.", "name"),
        ("The red valve must be opened slowly.", "The red valve must never be opened slowly.", "negation"),
        ("The red valve must be opened slowly.", "Never look at the sun.", ""),
    ],
)
def test_contradictions_are_told_from_differences(one: str, other: str, what: str) -> None:
    assert contradiction(unit(one), unit(other)) == contradiction(unit(other), unit(one)) == what


@pytest.fixture
def kitchen(tmp_path: Path, import_video: Callable[..., None]) -> Iterator[Catalogue]:
    rows = [
        ("speech", 0, 6, "Now bake the rye bread for 45 minutes."),
        ("ocr", 2, 8, "Bake the rye bread: 40 minutes"),
        ("speech", 20, 26, "Let it cool down on the balcony."),
        ("ocr", 40, 46, "Bake the rye bread: 30 minutes"),
    ]
    with Catalogue.open(tmp_path / "library") as opened:
        import_video(opened, tmp_path / "rows.jsonl", {"kitchen": rows})
        yield opened


def test_an_answer_shows_both_sides_of_a_disagreement(
    kitchen: Catalogue, context_for: Callable[..., AskContext]
) -> None:
    answer = ask("Where is it said to bake the rye bread for 45 minutes?", context_for(of=kitchen))
    (claim,) = [claim for claim in answer.claims if "disagree" in claim.text]
    sides = {item.id: (item.track, item.quote) for item in answer.evidence}
    assert {sides[name] for name in claim.evidence} == {
        ("speech", "Now bake the rye bread for 45 minutes."),
        ("ocr", "Bake the rye bread: 40 minutes"),
    }
    assert "The tracks disagree on a number" in answer.text
    calm = ask("What is said about the balcony?", context_for(of=kitchen))
    assert "disagree" not in calm.text
