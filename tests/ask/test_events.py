"""What a question tells while it runs, and how it ends when nobody wants it any more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentvid import Cancel, Library, Settings
from agentvid.budget import UNLIMITED
from agentvid.composers.aloud import ClaimWords
from agentvid.errors import ProgramError, ToolError, UnknownVideo, UsageError
from agentvid.events import Event
from agentvid.indexes.catalogue import Catalogue
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import Fault, ScriptedServer
from agentvid.threads import FILE
from agentvid.tools import load_tools
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import check_program, run_program
from agentvid.trace import read_trace, trace_ids
from agentvid.types import Answer, Moment

#: What runs one call after the other, what runs several at once, what finds nothing, and what has no program.
QUESTIONS = (
    "What does Rubisco capture?",
    "What is said about bread before the oven?",
    "Do talk.mp4 and cook.mp4 both mention flour?",
    "How many times is chlorophyll mentioned?",
    "When is the submarine mentioned?",
)
PARALLEL = QUESTIONS[2]


@pytest.fixture
def library(catalogue: Catalogue) -> Iterator[Library]:
    with Library.open(catalogue.directory, settings=Settings(embed=False, max_asks=1)) as opened:
        yield opened
    for left in (catalogue.directory / FILE, *(catalogue.directory / "traces").glob("*.json")):
        left.unlink(missing_ok=True)


@pytest.fixture
def slow_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Takes longer to answer than anybody would wait."""
    with ScriptedServer(ScriptedChat(["never"]), faults=[Fault(delay_seconds=60)] * 9) as serving:
        for name, value in {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": serving.base_url}.items():
            monkeypatch.setenv(name, value)
        yield serving


def run(library: Library, question: str, **options: object) -> tuple[list[Event], Answer]:
    *events, answer = library.stream(question, **options)  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    return [event for event in events if not isinstance(event, Answer)], answer


@pytest.mark.parametrize("question", QUESTIONS)
def test_events_are_json_and_come_in_the_order_of_the_run(library: Library, question: str) -> None:
    events, answer = run(library, question)
    assert json.loads(json.dumps(events)) == events
    assert all({"event", "node", "detail"} <= event.keys() for event in events)
    assert all(event["detail"] or event["event"] == "token" for event in events)
    names = [event["event"] for event in events]
    assert events[0]["node"] == "start"
    (planned,) = (event for event in events if event["event"] == "program")
    assert planned["program"] == answer.program
    assert "tool" in names[names.index("program") :]
    assert "tool" not in names[: names.index("program")], "the program is told before anything is called"
    nodes = [event["node"] for event in events]
    for name in ("plan", "execute", "compose", "cite"):
        last = len(nodes) - nodes[::-1].index(name)
        assert set(nodes[nodes.index(name) : last]) == {name}, "no word of a step comes before or after it"


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_tool_call_of_the_trace_has_its_event(library: Library, question: str) -> None:
    events, answer = run(library, question)
    calls = [event for event in events if event["event"] == "tool"]
    steps = read_trace(library.catalogue.directory, answer.trace_id)["steps"]
    told = Counter(event["step"] for event in calls)
    assert [told[number] for number in range(1, len(steps) + 1)] == [step["tool_calls"] for step in steps]
    assert len(calls) == answer.usage.tool_calls
    assert all(event["seconds"] >= 0 and event["found"] >= 0 and event["arguments"] for event in calls)
    for event in calls:
        assert event["tool"] in steps[event["step"] - 1]["expression"]
        assert len(json.dumps(event)) < 1_000


def test_a_streamed_answer_is_the_asked_one(library: Library) -> None:
    for question in QUESTIONS:
        streamed, asked = run(library, question)[1].to_json(), library.ask(question).to_json()
        for answer in (streamed, asked):
            del answer["trace_id"], answer["usage"]["seconds"]
        assert streamed == asked


def test_what_cannot_be_asked_is_refused_before_the_first_event(library: Library) -> None:
    with pytest.raises(UsageError, match="the question is empty"):
        library.stream(" ")
    with pytest.raises(UnknownVideo):
        library.stream("What is said?", videos=["no such video"])


def test_a_call_is_told_when_it_ends_while_others_still_run(tools_for: Callable[..., ToolContext]) -> None:
    is_told = threading.Event()

    def quick(context: ToolContext, *, query: str) -> list[Moment]:
        return []

    def slow(context: ToolContext, *, query: str) -> list[Moment]:
        assert is_told.wait(30), "the other call was not told before this one ended"
        return []

    tools = {tool.__name__: Tool.from_function(tool, parallel="always") for tool in (slow, quick)}
    told: list[str] = []

    def hear(event: Event) -> None:
        told.append(event["tool"])
        is_told.set()

    source = 'a = slow(query="x")\nb = quick(query="y")\na + b'
    run_program(check_program(source, tools), tools_for(), tell=hear)
    assert told == ["quick", "slow"]


def test_a_call_that_fails_is_told_too(library: Library) -> None:
    program = 'look(within=span(start=1, end=2, video="talk.mp4"), question="what?")'
    told: list[Event] = []
    with pytest.raises(ToolError):
        run_program(check_program(program, load_tools()), library.ask_context().tools, tell=told.append)
    assert [(event["tool"], event["found"]) for event in told] == [("look", 0)]
    assert "no model is set" in told[0]["error"]


# -- words of a model -------------------------------------------------------------------------------------------------

SAID = ('Rubisco captures "carbon" dioxide – \U0001f33f \\ süß.', "It is an enzyme.")
REPLY = json.dumps(
    {"claims": [{"text": text, "evidence": ["e1"]} for text in SAID], "choice": None, "abstain": False}, indent=1
)
PLAN = 'hits = search(query="Rubisco enzyme", k=1)\nanswer(kind="what", evidence=hits)'


@pytest.mark.parametrize("reply", [REPLY, json.dumps(json.loads(REPLY), ensure_ascii=False, separators=(",", ":"))])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_claims_are_heard_whole_however_the_reply_is_cut(reply: str, size: int) -> None:
    heard: list[str] = []
    words = ClaimWords(heard.append)
    for start in range(0, len(reply), size):
        words(reply[start : start + size])
    assert "".join(heard) == " ".join(SAID)


@pytest.mark.parametrize(
    "reply", ["", '{"text": 7}', '{"text": "\\ud83d broken"}', '{"text": "a\\', "text: none", '"text": "\\x"']
)
def test_what_is_no_claim_is_not_heard(reply: str) -> None:
    heard: list[str] = []
    for piece in reply:
        ClaimWords(heard.append)(piece)
    assert all(text.isprintable() for text in heard)


def test_words_come_while_the_model_writes_and_cost_the_same(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ScriptedChat(lambda _system, user: REPLY if "JSON object" in user else PLAN)
    with ScriptedServer(chat) as serving:
        for name, value in {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": serving.base_url}.items():
            monkeypatch.setenv(name, value)
        question = "Why is Rubisco so slow, and what does it have to do with chlorophyll?"
        events, streamed = run(library, question, model="openai:scripted")
        asked = library.ask(question, model="openai:scripted")
    assert [request.get("stream", False) for request in serving.requests].count(True) == 1
    said = "".join(event["text"] for event in events if event["event"] == "token")
    assert said == " ".join(SAID)
    assert streamed.usage.input_tokens == asked.usage.input_tokens
    assert streamed.usage.output_tokens == asked.usage.output_tokens
    assert streamed.text == asked.text
    assert library.replay(streamed.trace_id).is_same


# -- ended before it is done ------------------------------------------------------------------------------------------


def events_of(library: Library, question: str) -> int:
    return len(run(library, question)[0])


@pytest.mark.parametrize("question", [QUESTIONS[1], PARALLEL])
def test_cancelled_at_any_event_it_answers_and_leaves_everything_whole(library: Library, question: str) -> None:
    for position in range(events_of(library, question)):
        thread, cancel = f"at-{position}", Cancel()
        answer = None
        for number, event in enumerate(library.stream(question, thread=thread, cancel=cancel)):
            if isinstance(event, Answer):
                answer = event
            elif number == position:
                cancel.set()
        assert answer is not None
        assert answer.stopped == "interrupted"
        assert read_trace(library.catalogue.directory, answer.trace_id)["result"] == answer.to_json()
        (turn,) = library.thread(thread)
        assert turn["question"] == question
        after = library.ask(question, thread=thread)
        assert not after.stopped
        assert len(library.thread(thread)) == 2


@pytest.mark.parametrize("question", [QUESTIONS[1], PARALLEL])
def test_left_alone_at_any_event_it_stores_a_turn_or_none(library: Library, question: str) -> None:
    directory = library.catalogue.directory
    for position in range(events_of(library, question)):
        before, thread = trace_ids(directory), f"left-{position}"
        events = library.stream(question, thread=thread)
        for number, _ in enumerate(events):
            if number == position:
                break
        events.close()  # type: ignore[attr-defined]
        assert trace_ids(directory) == before
        kept = {item["thread"]: item["turns"] for item in library.threads()}.get(thread, 0)
        assert kept in (0, 1)
        assert all(item["turns"] for item in library.threads()), "no thread without a question"
        library.ask(question, thread=thread)
        assert [turn["question"] for turn in library.thread(thread)] == [question] * (kept + 1)


def test_cancelled_before_it_began_it_looks_at_nothing(library: Library) -> None:
    cancel = Cancel()
    cancel.set()
    answer = library.ask(QUESTIONS[0], cancel=cancel)
    assert answer.abstained
    assert answer.stopped == "interrupted"
    assert answer.usage.tool_calls == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_a_program_hears_of_it_at_the_next_step_and_keeps_what_was_found(
    tools_for: Callable[..., ToolContext], workers: int
) -> None:
    source = 'a = search(query="bread")\nb = search(query="bread", video=video(first(a)))\nanswer(evidence=a + b)'
    context, told = tools_for(), list[Event]()
    context.ledger.begin(UNLIMITED, clock=time.monotonic, cancel=(cancel := Cancel()))

    def end(event: Event) -> None:
        told.append(event)
        cancel.set()

    with pytest.raises(ProgramError, match=r"^interrupted$"):
        run_program(check_program(source, load_tools()), context, workers=workers, tell=end)
    assert [event["step"] for event in told] == [1], "what hangs on the first call is not called any more"
    assert len(context.ledger.moments) == told[0]["found"] > 0


def test_a_slow_model_is_not_waited_for(library: Library, slow_server: ScriptedServer) -> None:
    for streams in (False, True):
        cancel = Cancel()
        threading.Timer(0.5, cancel.set).start()
        started = time.monotonic()
        question = "Why does the farmer come every morning, and what does chlorophyll have to do with it?"
        if streams:
            _, answer = run(library, question, model="openai:slow", cancel=cancel)
        else:
            answer = library.ask(question, model="openai:slow", cancel=cancel)
        assert answer.stopped == "interrupted"
        assert time.monotonic() - started < 10, "far less than the model would take"


def test_who_leaves_does_not_wait_for_a_slow_model(library: Library, slow_server: ScriptedServer) -> None:
    before = trace_ids(library.catalogue.directory)
    events = library.stream("Why does the farmer come, and what does chlorophyll do?", model="openai:slow", thread="a")
    asks_the_model = ("plan", "compose")
    assert next(event for event in events if not isinstance(event, Answer) and event["node"] in asks_the_model)
    started = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 10
    assert trace_ids(library.catalogue.directory) == before
    assert library.ask(QUESTIONS[0], thread="a").text


def test_cancelled_at_any_event_of_a_model_it_answers_as_well(library: Library, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(json.dumps([{"reply": REPLY, "when": "JSON object"}, PLAN, *[REPLY] * 9]), "utf-8")
    model, question = f"scripted:{script}", "Why is Rubisco so slow, and what has it to do with chlorophyll?"
    events, whole = run(library, question, model=model)
    assert not whole.stopped
    for position, event in enumerate(events):
        cancel = Cancel()
        answer = None
        for number, item in enumerate(library.stream(question, model=model, cancel=cancel, thread="b")):
            if isinstance(item, Answer):
                answer = item
            elif number == position:
                cancel.set()
        assert answer is not None, event
        assert answer.stopped == "interrupted"
        assert answer.usage.llm_calls <= whole.usage.llm_calls
    assert len(library.thread("b")) == len(events)


def test_control_c_prints_the_best_answer(library: Library, slow_server: ScriptedServer) -> None:
    command = [sys.executable, "-m", "agentvid", "--library", str(library.catalogue.directory), "ask"]
    command += ["Why does the farmer come and what does chlorophyll do?", "--model", "openai:slow", "--json"]
    with subprocess.Popen(
        command, env=os.environ | {"AGENTVID_EMBED": "false"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while not slow_server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert b"Traceback" not in told
    assert b"Ctrl-C again" in told
    assert json.loads(out)["stopped"] == "interrupted"


def test_the_second_control_c_ends_the_process() -> None:
    waiting = "import time\nfrom agentvid.cli.interrupts import cancel_on_interrupt\n"
    waiting += "with cancel_on_interrupt():\n    print(flush=True)\n    while True:\n        time.sleep(1)"
    with subprocess.Popen(
        [sys.executable, "-c", waiting], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == b"\n"
        assert b"ends at once" in process.stderr.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT


def test_a_pipe_gets_no_steps(library: Library) -> None:
    command = [sys.executable, "-m", "agentvid", "--library", str(library.catalogue.directory), "ask", QUESTIONS[0]]
    done = subprocess.run(command, env=os.environ | {"AGENTVID_EMBED": "false"}, capture_output=True, check=True)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"plan" not in done.stderr
    assert b"Rubisco" in done.stdout
