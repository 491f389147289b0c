"""Plans as JSON where the provider takes a schema, over real HTTP: asked for, refused, ignored, broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentvid.budgeted import BudgetedChat
from agentvid.config import Settings
from agentvid.library import Library
from agentvid.models import load_chat
from agentvid.models.base import Reply, Shape
from agentvid.models.cassette import Call, Cassette, RecordingChat
from agentvid.models.chat import StructuredOutput
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.planners.routes import ROUTES, plan_schema
from agentvid.tools.base import Ledger
from agentvid.trace import read_trace

SHAPE = Shape(plan_schema(), "")
#: LangChain's profiles say that the one takes a schema and the other does not; of the third they know nothing.
ABLE, UNABLE, UNKNOWN = "openai:gpt-4.1", "openai:gpt-3.5-turbo", "openai:house-model"
PROGRAM = 'hits = search(query="rye flour", k=2)\nanswer(kind="what", evidence=hits)'
PLAN = json.dumps({"route": "local", "program": PROGRAM})
REFUSED = Fault(
    status=400, body=b'{"error": {"message": "\'response_format\' of type \'json_schema\' is not supported"}}'
)


@contextmanager
def serving(
    monkeypatch: pytest.MonkeyPatch,
    replies: Sequence[str] | Callable[[str, str], str],
    faults: Sequence[Fault | None] = (),
) -> Iterator[ScriptedServer]:
    with ScriptedServer(ScriptedChat(replies), faults=faults) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def test_a_model_that_takes_schemas_is_asked_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, [PLAN]) as server:
        reply = load_chat(ABLE, 10.0).reply("plan", "a question", SHAPE)
    asked = server.requests[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["properties"]["route"]["enum"] == list(ROUTES)
    assert reply == Reply(PLAN, input_tokens=3, output_tokens=len(PLAN.split()))


@pytest.mark.parametrize(("model", "setting"), [(UNABLE, "auto"), (UNKNOWN, "auto"), (ABLE, "off")])
def test_others_are_asked_in_plain_text(monkeypatch: pytest.MonkeyPatch, model: str, setting: StructuredOutput) -> None:
    with serving(monkeypatch, [PROGRAM]) as server:
        reply = load_chat(model, 10.0, setting).reply("plan", "a question", SHAPE)
    assert reply == Reply(PROGRAM, 3, len(PROGRAM.split()))
    assert "response_format" not in server.requests[0]


def test_a_server_of_ones_own_is_asked_by_a_schema_if_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, [PLAN, "words"]) as server:
        chat = load_chat(UNKNOWN, 10.0, "on")
        chat.reply("plan", "a question", SHAPE)
        chat.reply("compose", "an answer")
    assert ["response_format" in request for request in server.requests] == [True, False]


@pytest.mark.parametrize("fault", [REFUSED, Fault(status=422), Fault(status=501), Fault(body=b"null")])
def test_a_refusal_is_asked_again_once_in_plain_text_and_remembered(
    monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    with serving(monkeypatch, [PROGRAM, PROGRAM], [fault]) as server:
        chat = load_chat(ABLE, 10.0)
        first, second = (chat.reply("plan", "a question", SHAPE) for _ in range(2))
    assert ["response_format" in request for request in server.requests] == [True, False, False]
    assert first.text == second.text == PROGRAM
    assert first.note.startswith("the provider refused a JSON schema and was asked in plain text (")
    assert second.note == ""


def test_a_server_that_is_only_busy_is_asked_by_the_schema_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, [PLAN], [Fault(status=503, headers={"retry-after": "0"})]) as server:
        assert load_chat(ABLE, 10.0).reply("plan", "a question", SHAPE).text == PLAN
    assert ["response_format" in request for request in server.requests] == [True, True]


def test_prose_and_broken_json_come_back_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, ["I would search.", PLAN[:-3]]):
        chat = load_chat(ABLE, 10.0)
        for text in ("I would search.", PLAN[:-3]):
            reply = chat.reply("plan", "a question", SHAPE)
            assert (reply.text, reply.note) == (
                text,
                "the reply is not the JSON that was asked for and was read as plain text",
            )


def test_recording_and_budget_let_the_shape_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(monkeypatch, [PROGRAM, PROGRAM], [REFUSED]) as server:
        with Cassette.recording(tmp_path / "calls.jsonl") as cassette:
            recorder = cassette.chat(ABLE, lambda: load_chat(ABLE, 10.0))
            replies = [BudgetedChat(recorder, Ledger()).reply("plan", f"question {n}", SHAPE) for n in range(2)]
        assert ["response_format" in request for request in server.requests] == [True, False, False]
    with Cassette.replaying(tmp_path / "calls.jsonl") as cassette:
        again = BudgetedChat(cassette.chat(ABLE, lambda: ScriptedChat([])), Ledger())
        assert [again.reply("plan", f"question {n}", SHAPE) for n in range(2)] == replies
    assert [bool(reply.note) for reply in replies] == [True, False]


def test_a_provider_that_tells_no_tokens_is_charged_for_the_schema() -> None:
    class Silent(ScriptedChat):
        def reply(self, system: str, user: str, shape: Shape | None = None, **_: object) -> Reply:
            return Reply("x")

    plain = BudgetedChat(Silent([]), Ledger()).reply("plan", "question")
    shaped = BudgetedChat(Silent([]), Ledger()).reply("plan", "question", SHAPE)
    assert shaped.input_tokens > plain.input_tokens + 20


def test_a_recorded_call_keeps_its_note() -> None:
    calls: list[Call] = []
    RecordingChat(ScriptedChat(["x"]), calls).reply("s", "u", SHAPE)
    kept = Call("k", "m", Reply("x", 1, 2, "a note"))
    assert "note" not in calls[0].to_json()
    assert Call.from_json(kept.to_json()) == kept


# -- whole questions --------------------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    rows = [(0, "Today we bake sourdough bread with rye flour."), (20, "Let the dough rest overnight.")]
    lines = [
        {"video": "cook", "duration": 60, "track": "speech", "start": start, "end": start + 5, "text": text}
        for start, text in rows
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with Library.open(tmp_path / "library", settings=Settings(embed=False, model=ABLE, max_asks=1)) as opened:
        opened.import_file(file)
        yield opened


def planned(replies: Sequence[str]) -> Callable[[str, str], str]:
    """The replies to the planner's prompts, one after the other; the composer is answered with a quote."""
    left = list(replies)
    claim = {"claims": [{"text": "They bake with rye flour.", "quotes": [{"moment": 1, "quote": "rye flour"}]}]}

    def reply(system: str, user: str) -> str:
        return left.pop(0) if "You write short programs" in system else json.dumps(claim)

    return reply


QUESTION = "Compare what is baked with what is boiled, please, and be thorough."


@pytest.mark.parametrize(
    ("replies", "faults", "programs"),
    [
        ([PLAN], [], 1),
        ([PROGRAM], [REFUSED], 1),
        ([f"I would write this:\n```\n{PROGRAM}\n```\nIt looks for flour."], [], 1),
        ([PLAN[:-1]], [], 1),
        (['{"route": "local", "program": "hits = sea', PLAN], [], 2),
        (["Sorry, I can not.", PLAN], [], 2),
    ],
    ids=["json", "refused", "prose around it", "no last brace", "cut short", "no program"],
)
def test_a_question_is_answered_whatever_the_provider_does_with_the_schema(
    monkeypatch: pytest.MonkeyPatch, library: Library, replies: Sequence[str], faults: Sequence[Fault], programs: int
) -> None:
    with serving(monkeypatch, planned(replies), faults):
        answer = library.ask(QUESTION)
    assert answer.program == f"{PROGRAM}\n"
    assert [item.quote for item in answer.evidence] or answer.abstained
    trace = read_trace(library.catalogue.directory, answer.trace_id)
    assert len(trace["programs"]) == programs
    notes = [call.get("note", "") for call in trace["model_calls"]]
    assert bool(faults) == any("refused a JSON schema" in note for note in notes)
    assert answer.usage.llm_calls == len(trace["model_calls"])
    assert answer.usage.input_tokens == sum(call["input_tokens"] for call in trace["model_calls"])
    assert library.replay(answer.trace_id).is_same
