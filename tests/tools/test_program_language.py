"""What programs mean: values, types, order of time, nothing, limits, and errors that can be repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agentvid.errors import ProgramError, ToolError, UsageError
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import BUILTINS, Limits, Outcome, Run, check_program, describe
from agentvid.types import Moment, Span

Runner = Callable[..., Run]

VALUES = {
    "1 + 2 * 3 - 4 / 2": 5.0,
    "-3 + 0.5": -2.5,
    "1e3": 1000.0,
    "1 / 0": None,
    "1e308 * 10": None,
    "None + 1": None,
    "None == None": True,
    "None < 1": False,
    "not None": True,
    "True and not False or False": True,
    "2 in [1, 2]": True,
    "3 not in [1, 2]": True,
    '"red door" in "The Red, door!"': True,
    '"red" in "bored"': False,
    '"a" == "b"': False,
    "1 if 2 > 1 else 0": 1.0,
    "1 if None else 0": 0.0,
    "[1, 2] + [3]": (1.0, 2.0, 3.0),
    "[1, None, 3]": (1.0, 3.0),
    "[]": (),
    "[1, 2, 3][0]": 1.0,
    "[1, 2, 3][-1]": 3.0,
    "[1, 2, 3][7]": None,
    "[True][3]": False,
    "[1, 2, 3][1:]": (2.0, 3.0),
    "[x * 2 for x in [1, 2, 3] if x > 1 if x < 3]": (4.0,),
    "[1 / x for x in [0, 2]]": (0.5,),
    "[sum([x * y for y in [1, 2]]) for x in [1, 2]]": (3.0, 6.0),
    "count([1, 2])": 2.0,
    "len([])": 0.0,
    "exists([])": False,
    "first([])": None,
    "None[0]": None,
    "None[:2]": (),
    "first([3, 4])": 3.0,
    "last([3, 4])": 4.0,
    "nth([3, 4], 2)": 4.0,
    "nth([3, 4], -2)": 3.0,
    "nth([3, 4], 0)": None,
    "nth([3, 4], 1.5)": None,
    'unique(["Red door", "red  DOOR!", "blue"])': ("Red door", "blue"),
    "contains([1, 2], 2)": True,
    "sort([3, 1, 2])": (1.0, 2.0, 3.0),
    'sort(["b", "a"], descending=True)': ("b", "a"),
    'argmax(["a", "b", "c"], [1, 3, 2])': "b",
    'argmin(["a", "b", "c"], values=[1, 3, 2])': "a",
    "argmax([], [])": None,
    "sort_by([3, 1, 2], [1, 3, 2])": (3.0, 2.0, 1.0),
    'sort_by(["a", "b", "c"], [1, 2, 1], descending=True)': ("b", "a", "c"),
    'index_of(["a", "b", "b"], "b")': 2.0,
    "index_of([1], 2)": None,
    'most_common(["red", "blue", "Blue!", "red", "BLUE"])': "blue",
    "most_common([2, 1, 1, 2])": 2.0,
    "most_common([])": None,
    'join(["The score is", join([2.0, 0.5], separator=" to ")])': "The score is 2 to 0.5",
    "join([])": "",
    "join([True, 1 > 2])": "True False",
    'number_in("Salt: 2 g, 3 spoons")': 2.0,
    'number_in("about twelve of them")': 12.0,
    'number_in("1,250.5 km/h")': 1250.5,
    'number_in("-3 °C")': -3.0,
    'number_in("at 1:15")': 75.0,
    'number_in("v2 and 3x, someone")': None,
    'number_in("1.2.3 or 4")': 4.0,
    f'number_in("{"9" * 400}")': None,
    "floor(-0.5)": -1.0,
    "floor(75 / 60)": 1.0,
    "any([False, True])": True,
    "all([])": True,
    "sum([])": 0.0,
    "min([2, 1])": 1.0,
    "max([])": None,
    "round(2.5)": 2.0,
    "round(1.234, digits=2)": 1.23,
    "abs(-1)": 1.0,
    'text_contains("The launch date", "LAUNCH")': True,
    'mentions("no, no and no way", "no")': 3.0,
    'mentions("打开红门。红门", "红门")': 2.0,
    'same_text("It\'s red.", "it’s RED")': True,
    'title("v1")': "Talk",
    'title("v9")': None,
}


@pytest.mark.parametrize(("source", "value"), VALUES.items(), ids=VALUES)
def test_values(run: Runner, source: str, value: Any) -> None:
    assert run(source).value == value


def spans(run: Run) -> list[tuple[float, float]]:
    moments = run.value if isinstance(run.value, tuple) else (run.value,)
    return [(m.span.start_seconds, m.span.end_seconds) for m in moments if isinstance(m, Moment)]


TIMES: Mapping[str, list[tuple[float, float]]] = {
    "before(find(query=q), b)": [(0, 5)],
    "after(find(query=q), b)": [(20, 25)],
    "after(find(query=q), [a, b])": [(20, 25)],
    "before(find(query=q), [a, b])": [],
    "between(find(query=q), first(find(query=q)), c)": [(10, 15)],
    "between(find(query=q), c, first(find(query=q)))": [(10, 15)],
    "during(find(query=q), span(start=9, end=26, video=v))": [(10, 15), (20, 25)],
    "overlapping(find(query=q), span(start=4, end=20, video=v))": [(0, 5), (10, 15)],
    "before(find(query=q), c, seconds=5)": [(10, 15)],
    "after(find(query=q), a, seconds=None)": [(10, 15), (20, 25)],
    "after(find(query=q), a, seconds=start(first([])))": [],
    'related(find(query=q), how="after", to=b)': [(20, 25)],
    'nth_in_each(find(query=q) + span(start=7, end=8, video="v2"), -1)': [(20, 25), (7, 8)],
    "longest([a, hull([a, b]), c])": [(0, 15)],
    "shortest([hull([a, b]), c, b])": [(20, 25)],
    "split(span(start=10, end=20, video=v), 4)": [(10, 12.5), (12.5, 15), (15, 17.5), (17.5, 20)],
    "split(a, 0) + split(a, 1.5) + split(a, 1001)": [],
    "nearest([b, c, a], to=span(start=17, end=18, video=v))": [(10, 15)],
    'nearest([b, span(start=5, end=6, video="v2")], to=span(start=30, end=40, video="v2"))': [(5, 6)],
    "[nearest([b], to=first([])), a]": [(0, 5)],
    "whole_videos()": [(0, 5000), (0, 5000)],
    "overlapping(whole_videos(), a)": [(0, 5000)],
    "within(find(query=q), of=a, seconds=5)": [(0, 5), (10, 15)],
    "within(find(query=q), of=a, seconds=-1)": [],
    "union([span(start=0, end=4, video=v), span(start=4, end=9, video=v)])": [(0, 9)],
    "merge(find(query=q), gap=5)": [(0, 25)],
    "hull(find(query=q))": [(0, 25)],
    "intersect(find(query=q), span(start=3, end=12, video=v))": [(3, 5), (10, 12)],
    "gaps(find(query=q), of=span(start=0, end=30, video=v))": [(5, 10), (15, 20), (25, 30)],
    "shift(a, seconds=-100)": [],
    "shift(c, -1)": [(19, 24)],
    "pad(a, 7)": [(0, 12)],
    "pad(find(query=q), -2)": [(2, 3), (12, 13), (22, 23)],
    'sort(find(query=q), by="start", descending=True)[:2]': [(20, 25), (10, 15)],
    "argmax([a, b], [score(x) for x in [a, b]])": [(0, 5)],
    "span(start=4990, end=9000, video=v)": [(4990, 5000)],
    "span(start=9, end=3, video=v)": [],
    "before(find(query=q), first([]))": [],
    "[m for m in find(query=q) if overlaps(m, c)]": [(20, 25)],
    "unique(find(query=q) + find(query=q))": [(0, 5), (10, 15), (20, 25)],
    "a if None else [b, c]": [(10, 15), (20, 25)],
    "[a] + b": [(0, 5), (10, 15)],
    "a[0:1] if False else a": [(0, 5)],
}


@pytest.mark.parametrize(("source", "expected"), TIMES.items(), ids=TIMES)
def test_order_of_time(run: Runner, source: str, expected: list[tuple[float, float]]) -> None:
    if source.startswith("a[0:1]"):
        with pytest.raises(ProgramError, match="after a moment"):
            run(f'a = first(find(query="x"))\n{source}')
        return
    given = 'v = "v1"\nq = "door"\na = first(find(query=q))\nb = find(query=q)[1]\nc = last(find(query=q))\n'
    assert spans(run(given + source)) == expected


NUMBERS: Mapping[str, Any] = {
    "start(a)": 0.0,
    "end(all_of)": 25.0,
    "start([a, elsewhere])": None,
    "count_events(all_of + all_of)": 3.0,
    "count_events(all_of, gap=5)": 1.0,
    "count(overlapping(whole_videos(), all_of)) == count(whole_videos())": False,
    "duration(all_of + all_of)": 15.0,
    "total_duration(all_of + all_of)": 30.0,
    "seconds_between(a, last(all_of))": 15.0,
    "seconds_between(a, elsewhere)": None,
    "relation(a, last(all_of))": "before",
    "same_video(a, elsewhere)": False,
    "video(a)": "v1",
    "video([a, elsewhere])": None,
    "title(elsewhere)": "Film",
    "track(a)": "speech",
    "score(all_of)": 1.0,
    "text(a)": "door number 0",
    "text(first([]))": None,
    "count(before(elsewhere, a)) + count(after(elsewhere, a))": 0.0,
    "a == all_of[0] and a in all_of and not elsewhere in all_of": True,
    'mentions(all_of, "door")': 3.0,
    'mentions("Anna\'s and anna’s, not annas", "Anna") + mentions("Anna\'s", "Anna\'s")': 3.0,
    "number_in(all_of)": 0.0,
    "join(all_of[:2])": "door number 0 door number 1",
    "index_of(all_of, last(all_of))": 3.0,
    'rate(options=["a", "bcd"])': (1.0, 3.0),
    'ask(about=a, question="what")': "what door number 0",
}


@pytest.mark.parametrize(("source", "value"), NUMBERS.items(), ids=NUMBERS)
def test_measures(run: Runner, source: str, value: Any) -> None:
    given = 'all_of = find(query="door")\na = first(all_of)\nelsewhere = span(start=100, end=200, video="Film")\n'
    assert run(given + source).value == value


def test_a_search_without_results_runs_through_and_answers_without_evidence(run: Runner) -> None:
    result = run(
        'anchor = first(sort(find(query="nothing"), by="start"))\n'
        'near = find(query="door", within=anchor)\n'
        'said = ask(about=anchor, question="what")\n'
        "late = start(anchor) + 5 > 3\n"
        "wait = seconds_between(anchor, first(near))\n"
        "answer(value=wait if late else start(anchor), evidence=near + [anchor])"
    )
    assert result.outcome == Outcome("moments", None, ())
    assert result.tool_calls == 1, "a tool must not be called with nothing, least of all without its restriction"


def test_none_as_written_leaves_an_optional_argument_out(run: Runner) -> None:
    assert run('count(find(query="door", within=None))').value == 3.0


def test_every_step_is_kept_with_type_and_value(run: Runner) -> None:
    result = run('doors = find(query="door", k=60)\nanswer(kind="count", value=count(doors), evidence=doors)')
    doors, final = result.steps
    assert (doors.name, doors.type, doors.items, doors.tool_calls) == ("doors", "list[moment]", 60, 1)
    assert len(doors.value) == 50, "the trace keeps the head of a long list"
    assert doors.expression == 'find(query="door", k=60)'
    assert (final.name, final.type) == ("", "answer")
    assert final.value["value"] == 60
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert document["type"] == "answer"
    assert len(document["value"]["evidence"]) == 60, "the value itself is never cut"


def test_outcome_of_programs_that_end_without_answer(run: Runner) -> None:
    assert run("count([1])").outcome == Outcome("number", 1.0, ())
    assert run("True").outcome == Outcome("bool", True, ())
    assert run('"x"').outcome == Outcome("text", "x", ())
    moments = run('find(query="x", k=2)').outcome
    assert (moments.kind, moments.value, len(moments.evidence)) == ("moments", None, 2)
    assert len(run('first(find(query="x", k=2))').outcome.evidence) == 1


def test_comments_blank_lines_windows_line_ends_and_long_calls(run: Runner) -> None:
    source = '# find it\r\n\r\nhits = find(\r\n    query="tür ü",  # any language\r\n    k=2,\r\n)\r\ncount(hits)\r\n'
    assert run(source).value == 2.0


# -- errors that a planner can repair ---------------------------------------------------------------------------------

REPAIRABLE = {
    'fnd(query="x")': ("fnd", "find", "did you mean find"),
    'find(qurey="x")': ("qurey", "find(query: text", "did you mean query"),
    "hits = []\nhist": ("hist", "hits", "did you mean hits"),
    "find(k=3)": ("without query=", "query: text", ""),
    'find("x")': ("keyword", "find(query: text", ""),
    'find(query="x", query="y")': ("twice", "find(query", ""),
    "find(query=3)": ("takes text, not number", "query: text", ""),
    'find(query="x", within=find(query="y"))': ("takes moment, not list[moment]", "within", "first(items)"),
    'sort(find(query="x"), by="time")': ("is one of", '"start" | "end"', ""),
    'by = "end"\nsort(find(query="x"), by=by)': ("takes", '"start" | "end"', ""),
    "first = 3\nfirst": ("builtin", "first_1", ""),
    "find = 3\nfind": ("tool", "find_1", ""),
    "[count for count in [1]]": ("builtin", "count_1", ""),
    "x = 1\n[x for x in [2]]": ("already has a value", "another name", ""),
    "count + 1": ("function, not a value", "count(items", ""),
    "x = 1\nx(2)": ("value, not a function", "tool or builtin", ""),
    "x": ("unknown name", "none", ""),
    "x = y\ny = 1\nx": ("unknown name 'y'", "none", ""),
    "[x for x in [1]]\nx": ("value is lost", "name = expression", ""),
    "y = [x for x in [1]]\nx": ("unknown name 'x'", "y", ""),
    'm = find(query="x")\nm.start': ("no attributes", "start(m)", ""),
    "1 if [1] else 2": ("where a bool is needed", "exists(items)", ""),
    '1 + "a"': ("number + text", "two numbers", ""),
    '"a" + "b"': ("text + text", "two numbers", ""),
    '"a" < "b"': ("text < text", "two numbers", ""),
    '1 == "a"': ("never equal", "one type", ""),
    '[1, "a"]': ("list of number", "one type", ""),
    "[[1], [2]]": ("in a list", "numbers, bools, texts or moments", ""),
    "[[1] for x in [1]]": ("a list of list[number]", "numbers, bools, texts or moments", ""),
    "1 < 2 < 3": ("chain", "and", ""),
    "x = 1": ("does not end with an expression", "answer", ""),
    "": ("does not end with an expression", "answer", ""),
    "1\n2": ("value is lost", "last line", ""),
    "a = b = 1\na": ("invalid syntax", "name = expression", ""),
    "a, b = [1, 2]\na": ("value is lost", "name = expression", ""),
    "x: text = 1\nx": ("value is lost", "name = expression", ""),
    "x = 1\nx += 1\nx": ("no assignment with a sign", "name = name + expression", ""),
    "[1, 2][::2]": ("step", "items[a:b]", ""),
    "[1][True]": ("index", "items[0]", ""),
    "i = 0\n[1][i]": ("index", "nth(items, n)", ""),
    "sum(x for x in [1])": ("GeneratorExp", "[x for x in items]", ""),
    "(1, 2)": ("Tuple", "[a, b]", ""),
    "None is None": ("no `is`", "==", ""),
    'span(start=1, end=2, vido="v1")': ("vido", "video", "did you mean video"),
    "answer(value=[])\nanswer(evidence=1)": ("value is lost", "last line", ""),
    "answer(evidence=1)": ("takes list[moment], not number", "evidence", ""),
}


@pytest.mark.parametrize("source", REPAIRABLE, ids=repr)
def test_errors_name_the_fragment_and_what_is_allowed(tools: Mapping[str, Tool], source: str) -> None:
    problem, allowed, hint = REPAIRABLE[source]
    with pytest.raises(ProgramError) as caught:
        check_program(source, tools)
    error = caught.value
    assert problem in str(error)
    assert allowed in error.allowed
    assert hint in error.hint
    assert f"allowed: {error.allowed}" in str(error)
    assert error.fragment in source.replace("\n", " ") or len(error.fragment) > 100


def test_the_line_of_an_error_is_named(tools: Mapping[str, Tool]) -> None:
    with pytest.raises(ProgramError, match=r"^line 3: "):
        check_program('# a comment\nx = "ü"\nx + 1', tools)


def test_nothing_runs_before_all_is_checked(run: Runner, context: ToolContext) -> None:
    with pytest.raises(ProgramError):
        run('hits = find(query="door")\ncount(hits) + "a"')
    assert context.ledger.moments == []


def test_span_outside_of_the_video_or_without_a_video_is_an_error(run: Runner) -> None:
    with pytest.raises(ProgramError, match=r"line 2: 'span\(start=6000.*outside 'Talk'; allowed: 0\.\.5000"):
        run('a = 1\nspan(start=6000, end=7000, video="v1")')
    with pytest.raises(ToolError, match=r'line 1: .*scope holds 2; allowed: v1 \("Talk"\), v2 \("Film"\)'):
        run("span(start=1, end=2)")
    with pytest.raises(ToolError, match='video "v3" is not in the scope'):
        run('span(start=1, end=2, video="v3")')


def test_lists_beside_each_other_must_have_one_length(run: Runner) -> None:
    with pytest.raises(ProgramError, match="2 items and 1 values"):
        run("argmax([1, 2], [1])")


# -- tools that misbehave ---------------------------------------------------------------------------------------------


def broken(context: ToolContext) -> list[Moment]:
    """Raises what no tool should."""
    raise KeyError("bug")


def refusing(context: ToolContext) -> list[Moment]:
    """Refuses."""
    raise ToolError("not today; allowed: tomorrow", hint="wait")


def lying(context: ToolContext) -> list[Moment]:
    """Returns something else than it says."""
    wrong: Any = ["a text"]
    return wrong  # type: ignore[no-any-return]


def straying(context: ToolContext) -> list[Moment]:
    """Returns a moment of a video that the question does not include."""
    return [Moment("elsewhere", Span(0, 1))]


def flooding(context: ToolContext) -> list[Moment]:
    """Returns too much."""
    return [Moment("v1", Span(i, i + 1)) for i in range(1_001)]


def silent(context: ToolContext) -> str:
    """Returns nothing at all."""
    nothing: Any = None
    return nothing  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (broken, ToolError, "the tool broken broke: KeyError"),
        (refusing, ToolError, "not today; allowed: tomorrow"),
        (lying, ToolError, r"lying returned .*; allowed: list\[moment\]"),
        (straying, ToolError, "outside of the scope"),
        (flooding, ProgramError, "more items in a list than its limit; allowed: 1000"),
    ],
)
def test_what_a_tool_does_wrong_is_a_typed_error(
    run: Runner, function: Callable[..., Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(f"{function.__name__}()", extra={function.__name__: Tool.from_function(function)})


def test_a_tool_may_return_nothing(run: Runner) -> None:
    assert run("silent()", extra={"silent": Tool.from_function(silent)}).value is None


def test_a_tool_with_the_name_of_a_builtin_is_refused(tools: Mapping[str, Tool]) -> None:
    with pytest.raises(UsageError, match="'count' has the name of a builtin"):
        check_program("1", {**tools, "count": tools["find"]})


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "limits", "named"),
    [
        ('[count(find(query="x", k=x)) for x in [1, 2, 3]]', Limits(tool_calls=2), "tool calls"),
        ("[x for x in [1, 2, 3, 4, 5]]", Limits(steps=5), "steps"),
        ("[1, 2] + [3]", Limits(list_items=2), "items in a list"),
        ("1", Limits(wall_seconds=-1), "seconds"),
    ],
)
def test_every_limit_has_its_typed_error(run: Runner, source: str, limits: Limits, named: str) -> None:
    with pytest.raises(ProgramError, match=f"more {named} than its limit") as caught:
        run(source, limits)
    assert named in caught.value.allowed
    assert caught.value.hint


def test_long_texts_are_cut(run: Runner) -> None:
    assert run('ask(about=first(find(query="x")), question="why")', Limits(text_characters=3)).value == "why"


# -- the registry -----------------------------------------------------------------------------------------------------


def test_describe_has_one_line_per_function_in_a_stable_order(tools: Mapping[str, Tool]) -> None:
    lines = describe(tools).splitlines()
    assert len(lines) == len(tools) + len(BUILTINS)
    assert describe(dict(reversed(list(tools.items())))) == describe(tools)
    assert lines[1].startswith("find(query: text, k: number = 3, within: moment = None) -> list[moment]: As many")
    assert all(line.rstrip().endswith((".", '"')) for line in lines)


def test_builtins_take_the_parameters_they_declare() -> None:
    from agentvid.tools.program.builtins import SCOPED

    for name, tool in BUILTINS.items():
        code = tool.run.__code__
        taken = code.co_varnames[: code.co_argcount]
        expected = [parameter.name for parameter in tool.parameters]
        assert list(taken) == (["scope", *expected] if name in SCOPED else expected), name
