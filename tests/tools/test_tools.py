"""The tools on a real library: what they find, what they leave alone, and what they refuse."""

from __future__ import annotations

import pytest

from agentvid.errors import ToolError
from agentvid.tools import TOOLS
from agentvid.tools.base import ToolContext
from agentvid.tools.program import check_program, run_program
from agentvid.types import Moment, Span


def call(name: str, context: ToolContext, **arguments: object) -> list[Moment]:
    found: list[Moment] = TOOLS[name].run(context, **arguments)
    return found


def titles(context: ToolContext, moments: list[Moment]) -> list[str]:
    return [context.scope[moment.video_id].title for moment in moments]


def seconds(moments: list[Moment]) -> list[tuple[float, float]]:
    return [(moment.span.start_seconds, moment.span.end_seconds) for moment in moments]


def place(context: ToolContext, title: str, start: float, end: float) -> Moment:
    (video_id,) = (video.id for video in context.scope.values() if video.title == title)
    return Moment(video_id, Span(start, end))


# -- search -----------------------------------------------------------------------------------------------------------


def test_search_finds_the_best_and_records_it(in_library: ToolContext) -> None:
    found = call("search", in_library, query="pinch of salt", k=1.0)
    assert "salt" in found[0].text
    assert in_library.ledger.moments == found


def test_nothing_ever_comes_from_outside_of_the_scope(in_library: ToolContext) -> None:
    for name in ("search", "list_all", "ground"):
        for query in ("red door", "launch", '"bread oven"', "oven"):
            found = call(name, in_library, query=query)
            assert set(titles(in_library, found)) <= {"Kitchen", "Rocket"}
    assert "Secret" not in titles(in_library, in_library.ledger.moments)


@pytest.mark.parametrize("reference", ["Rocket", "rocket", "id", "prefix"])
def test_a_video_can_be_named_by_title_id_or_prefix(in_library: ToolContext, reference: str) -> None:
    video_id = place(in_library, "Rocket", 0, 1).video_id
    named = {"id": video_id, "prefix": video_id[:8]}.get(reference, reference)
    found = call("search", in_library, query="red door", video=named)
    assert set(titles(in_library, found)) == {"Rocket"}


def test_track_and_within_narrow_a_search(in_library: ToolContext) -> None:
    assert {m.track for m in call("search", in_library, query="launch salt", track="ocr")} == {"ocr"}
    late = call("search", in_library, query="oven door bread", within=place(in_library, "Kitchen", 60, 100))
    assert late
    assert all(moment.span.end_seconds > 60 for moment in late)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "x", "video": "Secret"}, r'"Secret" is not in the scope of this question; allowed: .*\("Kitchen"\)'),
        ({"query": "x", "video": "../Kitchen"}, "not in the scope"),
        ({"query": "x", "video": ""}, "not in the scope"),
        ({"query": " "}, "query is empty"),
        ({"query": "x", "k": 0.0}, "k=0 is not allowed; allowed: whole numbers from 1 to 100"),
        ({"query": "x", "k": -3.0}, "k=-3"),
        ({"query": "x", "k": 2.5}, r"k=2\.5"),
        ({"query": "x", "k": 1e300}, "k=1e"),
        ({"query": "x", "within": Moment("another", Span(0, 1))}, "'another' is not in the scope"),
    ],
)
def test_arguments_outside_of_what_is_allowed(
    in_library: ToolContext, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        call("search", in_library, **arguments)
    assert in_library.ledger.moments == []


def test_a_moment_and_a_video_must_agree(in_library: ToolContext) -> None:
    with pytest.raises(ToolError, match="another video"):
        call("search", in_library, query="x", video="Rocket", within=place(in_library, "Kitchen", 0, 5))


def test_an_empty_scope_is_no_licence_to_look_everywhere(in_library: ToolContext) -> None:
    nowhere = ToolContext(in_library.catalogue, in_library.retriever, {})
    for name in ("search", "list_all", "ground"):
        with pytest.raises(ToolError, match="no video to look at"):
            call(name, nowhere, query="door")


@pytest.mark.parametrize(
    "query", ['"; DROP TABLE videos; --', "door OR 1=1", "NEAR(", "*", "text:door", '"', "\u202edoor"]
)
def test_queries_are_words_never_syntax(in_library: ToolContext, query: str) -> None:
    for name in ("search", "list_all", "ground"):
        call(name, in_library, query=query)
    assert call("search", in_library, query="salt")


# -- read -------------------------------------------------------------------------------------------------------------


def test_read_gives_every_row_verbatim_in_time_order(in_library: ToolContext) -> None:
    rows = call("read", in_library, within=place(in_library, "Kitchen", 22, 27))
    assert [(row.track, row.text) for row in rows] == [
        ("speech", "Add a pinch of salt to the dough."),
        ("ocr", "Salt: 2 g"),
        ("speech", "More salt, please."),
    ]
    assert seconds(rows)[0] == (20.0, 24.0), "a row keeps its own span"
    assert all(row.observation_ids for row in rows)
    assert in_library.ledger.moments == rows


def test_read_one_track_and_nothing_at_an_end(in_library: ToolContext) -> None:
    assert {m.track for m in call("read", in_library, within=place(in_library, "Kitchen", 0, 99), track="ocr")} == {
        "ocr"
    }
    assert call("read", in_library, within=place(in_library, "Kitchen", 12, 20)) == [], "spans are half-open"
    with pytest.raises(ToolError, match="not in the scope"):
        call("read", in_library, within=Moment("another", Span(0, 1)))


# -- list_all ---------------------------------------------------------------------------------------------------------


def test_speech_counts_each_time_and_a_sign_beside_it_does_not(in_library: ToolContext) -> None:
    found = call("list_all", in_library, query="salt", video="Kitchen")
    assert [moment.text for moment in found] == ["Add a pinch of salt to the dough.", "More salt, please."]
    assert [m.text for m in call("list_all", in_library, query="salt", track="ocr")] == ["Salt: 2 g"]


def test_what_is_shown_again_at_once_is_one_event_and_later_another(in_library: ToolContext) -> None:
    found = call("list_all", in_library, query="a woman opens the oven", track="caption")
    assert seconds(found) == [(60, 80), (95, 99)]


def test_quotes_are_meant_word_by_word_across_rows(in_library: ToolContext) -> None:
    found = call("list_all", in_library, query='"red door"')
    by_title = dict(zip(titles(in_library, found), found, strict=True))
    assert seconds([by_title["Kitchen"]]) == [(4, 12)], "the phrase runs over the end of a row"
    assert by_title["Kitchen"].text == "First we open the red door of the oven."
    assert seconds([by_title["Rocket"]]) == [(45, 50)]
    assert call("list_all", in_library, query='"red doors"') == []
    assert call("list_all", in_library, query='"door red"') == []


def test_list_all_in_a_moment_and_in_time_order(in_library: ToolContext) -> None:
    found = call("list_all", in_library, query="launch", within=place(in_library, "Rocket", 6, 20), track="speech")
    assert seconds(found) == [(5, 10)]
    every = call("list_all", in_library, query="launch", track="speech")
    assert seconds(every) == [(0, 5), (5, 10)]


def test_list_all_finds_nothing_where_nothing_is(in_library: ToolContext) -> None:
    assert call("list_all", in_library, query="submarine") == []
    assert in_library.ledger.moments == []


# -- ground -----------------------------------------------------------------------------------------------------------


def test_ground_is_tighter_than_search(in_library: ToolContext) -> None:
    query = "check the engine before launch"
    (grounded,) = call("ground", in_library, query=query, k=1.0)
    (searched,) = call("search", in_library, query=query, k=1.0)
    assert "Before the launch we check the engine." in grounded.text
    assert grounded.span.duration_seconds <= 10
    assert grounded.span.overlaps(searched.span)
    assert grounded.score > 0.8


def test_ground_joins_the_rows_of_one_sentence(in_library: ToolContext) -> None:
    (grounded,) = call("ground", in_library, query="open the red door of the oven", k=1.0, track="speech")
    assert seconds([grounded]) == [(4, 12)]


def test_ground_says_nothing_where_it_is_not_sure(in_library: ToolContext) -> None:
    assert call("ground", in_library, query="a purple submarine dives under the launch of penguins") == []
    assert in_library.ledger.moments == []


def test_ground_stays_in_the_moment(in_library: ToolContext) -> None:
    inside = place(in_library, "Rocket", 40, 60)
    assert all(m.span.overlaps(inside.span) for m in call("ground", in_library, query="launch rocket", within=inside))


# -- together ---------------------------------------------------------------------------------------------------------


def test_a_program_computes_what_happened_after(in_library: ToolContext) -> None:
    program = check_program(
        'salt = first(sort(list_all(query="salt", video="Kitchen")))\n'
        'rings = first(ground(query="the timer rings", video="Kitchen"))\n'
        'later = before(after(list_all(query="salt", video="Kitchen"), salt), rings)\n'
        'answer(kind="duration", value=seconds_between(first(later), rings), evidence=later)',
        TOOLS,
    )
    outcome = run_program(program, in_library).outcome
    assert outcome.value == 31.0
    assert [moment.text for moment in outcome.evidence] == ["More salt, please."]
    assert all(moment in in_library.ledger.moments for moment in outcome.evidence)


def test_tool_errors_name_the_call(in_library: ToolContext) -> None:
    program = check_program('x = 1\nsearch(query="door", video="Secret")', TOOLS)
    with pytest.raises(ToolError, match=r"^line 2: 'search\(query=") as caught:
        run_program(program, in_library)
    assert "video=" in caught.value.hint
