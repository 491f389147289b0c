"""Runs that are kept and run again: traces of every question, and cassettes of model calls for users' own tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid import Budget, Cassette, Library, Settings
from agentvid.errors import CassetteMiss, LibraryError, ModelError, NotFound, UsageError
from agentvid.models.base import Reply
from agentvid.models.cassette import Call, RecordingChat, ReplayingChat, prompt_key
from agentvid.models.scripted import ScriptedChat
from agentvid.trace import list_traces, read_trace, trace_ids
from agentvid.types import Answer, Json

TALK = [(0, 6, "Welcome to this lecture."), (48, 54, "Rubisco is the enzyme that captures carbon dioxide.")]
BROKEN = 'hits = serch(query="Rubisco")\nanswer(kind="what", evidence=hits)'
PROGRAM = 'hits = search(query="Rubisco enzyme", k=3)\nanswer(kind="what", evidence=hits)'
CLAIMS = json.dumps({"claims": [{"text": "Rubisco captures carbon dioxide.", "evidence": ["e1"]}], "choice": None})
READ = json.dumps({"verdicts": [{"id": "s1", "verdict": "yes", "quote": "the enzyme that captures"}]})
QUESTION = "How often does the enzyme Rubisco come up, please"
SECRET = "sk-proj-Zx9secretQ7secretW3"


def put(library: Library, file: Path, rows: list[tuple[int, int, str]], name: str = "talk") -> None:
    lines = [{"video": name, "duration": 90, "track": "speech", "start": a, "end": b, "text": t} for a, b, t in rows]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert not library.import_file(file).failed


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", settings=Settings(embed=False, max_asks=1)) as opened:
        put(opened, tmp_path / "rows.jsonl", TALK)
        yield opened


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A scripted model that plans wrongly, repairs, composes, and reads its claim again."""
    script = tmp_path / "script.yaml"
    replies = [{"reply": CLAIMS, "when": "JSON object"}, {"reply": READ, "when": "You check statements"}]
    script.write_text(yaml.safe_dump([*replies, BROKEN, PROGRAM]), "utf-8")
    return f"scripted:{script}"


def content(answer: Answer) -> Json:
    """The answer without what no two runs share."""
    document = answer.to_json()
    del document["trace_id"], document["usage"]["seconds"]
    return document


# -- traces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("What does Rubisco capture?", []),
        ("How many times is Rubisco mentioned?", []),
        ("Is a submarine mentioned?", []),
        ("Who won the world cup?", []),
        ("Which enzyme captures carbon dioxide?", ["Rubisco", "Glucose"]),
        ("Which enzyme captures carbon dioxide? A) Glucose B) Rubisco", []),
    ],
)
def test_a_stored_run_gives_the_same_answer_again(library: Library, question: str, choices: list[str]) -> None:
    answer = library.ask(question, choices=choices)
    stored = trace_ids(library.catalogue.directory)
    for _ in range(2):
        replay = library.replay(answer.trace_id)
        assert replay.differences == ()
        assert replay.changes == ()
        assert replay.answer is not None
        assert content(replay.answer) == content(answer)
    assert trace_ids(library.catalogue.directory) == stored, "a replay leaves no trace of its own"


def test_a_run_with_a_model_is_replayed_without_it(library: Library, model: str) -> None:
    answer = library.ask(QUESTION, model=model, budget=Budget(tool_calls=9))
    assert [claim.text for claim in answer.claims] == ["Rubisco captures carbon dioxide."]
    assert answer.usage.llm_calls == 4
    Path(model.removeprefix("scripted:")).unlink()
    replay = library.replay(answer.trace_id[:20])
    assert replay.is_same, replay.differences
    assert replay.answer is not None
    assert content(replay.answer) == content(answer)
    calls = read_trace(library.catalogue.directory, answer.trace_id)["model_calls"]
    assert len(calls) == 4
    assert "Rubisco is the enzyme" not in json.dumps(calls), "prompts are stored by hash"


def test_what_changed_in_the_library_is_said(library: Library, model: str, tmp_path: Path) -> None:
    plain = library.ask("What does Rubisco capture?")
    put(library, tmp_path / "other.jsonl", [(0, 9, "Another video.")], name="other")
    assert library.replay(plain.trace_id).is_same, "a video outside of the question's scope changes nothing"
    composed = library.ask(QUESTION, model=model)
    other = library.remove("other").id
    replay = library.replay(composed.trace_id)
    assert replay.changes == (f"video {other} is not in the library any more",)
    assert replay.answer is None
    assert [item["path"] for item in replay.differences] == ["answer"]
    assert "model call 1 was not recorded" in replay.error
    put(library, tmp_path / "rows.jsonl", [*TALK[:1], (48, 54, "Rubisco is the enzyme that captures sunlight.")])
    replay = library.replay(plain.trace_id)
    assert "abstained" in [item["path"] for item in replay.differences]
    assert replay.changes == (f"video {plain.evidence[0].video_id} is not in the library any more",)


def test_a_run_that_failed_is_stored_and_fails_the_same_way(library: Library, tmp_path: Path) -> None:
    script = tmp_path / "empty.yaml"
    script.write_text("[]\n", "utf-8")
    with pytest.raises(ModelError) as caught:
        library.ask(QUESTION, model=f"scripted:{script}")
    (found,) = list_traces(library.catalogue.directory, limit=9)
    assert (found["outcome"], found["text"]) == ("failed", str(caught.value))
    replay = library.replay(found["trace_id"])
    assert replay.is_same
    assert replay.error == str(caught.value)


def test_traces_are_listed_newest_first(library: Library) -> None:
    for question in ("What does Rubisco capture?", "Who won the world cup?"):
        library.ask(question)
    (library.catalogue.directory / "traces" / "20000101T000000000-0.json").write_text("{", "utf-8")
    found = list_traces(library.catalogue.directory, limit=9)
    assert [item["outcome"] for item in found] == ["abstained", "answered", "damaged"]
    assert found[1]["question"] == "What does Rubisco capture?"
    assert len(list_traces(library.catalogue.directory, limit=1)) == 1


def test_a_trace_that_cannot_be_replayed_says_why(library: Library) -> None:
    with pytest.raises(NotFound):
        library.replay("1999")
    answer = library.ask("What does Rubisco capture?")
    file = library.catalogue.directory / "traces" / f"{answer.trace_id}.json"
    whole = json.loads(file.read_text("utf-8"))
    for key, value in (("budget", {"steps": "x"}), ("model_calls", [3]), ("scope", None), ("fingerprints", 7)):
        file.write_text(json.dumps({**whole, key: value}), "utf-8")
        with pytest.raises((LibraryError, UsageError)):
            library.replay(answer.trace_id)
    file.write_text(json.dumps({"format": 1, "trace_id": answer.trace_id}), "utf-8")
    with pytest.raises(LibraryError, match="does not hold what a replay needs"):
        library.replay(answer.trace_id)


# -- cassettes --------------------------------------------------------------------------------------------------------


def record(library: Library, model: str, file: Path, question: str = QUESTION) -> Answer:
    with Cassette.recording(file) as cassette:
        return library.ask(question, model=model, cassette=cassette)


def test_what_was_recorded_is_replayed_offline(library: Library, model: str, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    answer = record(library, model, file)
    Path(model.removeprefix("scripted:")).unlink()
    for _ in range(2):
        with Cassette.replaying(file) as cassette:
            again = library.ask(QUESTION, cassette=cassette)
        assert content(again) == content(answer)
    header, *lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert header == {"cassette": 1, "model": model}
    kinds = [("call" if "call" in line else "system") for line in lines]
    assert kinds == ["system", "call", "call", "system", "call", "system", "call"]
    assert lines[1]["reply"] == BROKEN
    assert QUESTION in lines[1]["user"]
    assert "<<marker>>" in lines[4]["user"]
    assert "<<marker>>" in lines[6]["user"]


def test_recording_twice_gives_the_same_file(library: Library, model: str, tmp_path: Path) -> None:
    record(library, model, tmp_path / "one.jsonl")
    record(library, model, tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_several_questions_share_a_cassette(library: Library, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(yaml.safe_dump([{"reply": CLAIMS, "when": "JSON object"}, PROGRAM] * 2), "utf-8")
    answers = []
    with Cassette.recording(tmp_path / "calls.jsonl") as cassette:
        for _ in range(2):
            script.touch()
            answers.append(library.ask(QUESTION, model=f"scripted:{script}", cassette=cassette))
    with Cassette.replaying(tmp_path / "calls.jsonl") as cassette:
        again = [library.ask(QUESTION, cassette=cassette) for _ in range(2)]
        with pytest.raises(CassetteMiss, match="was recorded 2 times and is asked once more"):
            library.ask(QUESTION, cassette=cassette)
    assert [content(answer) for answer in again] == [content(answer) for answer in answers]


def test_a_changed_prompt_is_told_with_what_changed(library: Library, model: str, tmp_path: Path) -> None:
    record(library, model, tmp_path / "calls.jsonl")
    with (
        Cassette.replaying(tmp_path / "calls.jsonl") as cassette,
        pytest.raises(
            CassetteMiss, match=r"model call 1 was not recorded: the prompt [0-9a-f]{16} changed: "
        ) as caught,
    ):
        library.ask(QUESTION.replace("please", "now"), cassette=cassette)
    assert f"- 'Question: {QUESTION}'" in str(caught.value)
    assert "+ 'Question: How often does the enzyme Rubisco come up, now'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "record again" in caught.value.hint


def test_no_key_is_in_a_cassette_or_a_trace(library: Library, model: str, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    answer = record(library, model, file, question=f"How often does Rubisco come up with the key {SECRET}")
    stored = (library.catalogue.directory / "traces" / f"{answer.trace_id}.json").read_text("utf-8")
    assert SECRET not in file.read_text("utf-8")
    assert "***" in file.read_text("utf-8")
    assert SECRET not in json.dumps(json.loads(stored)["model_calls"])
    with Cassette.replaying(file) as cassette:
        assert content(library.ask(answer.question, cassette=cassette)) == content(answer)


def test_a_run_that_fails_leaves_the_cassette_as_it_was(library: Library, model: str, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    record(library, model, file)
    before = file.read_bytes()
    (tmp_path / "empty.yaml").write_text("[]\n", "utf-8")
    with pytest.raises(ModelError):
        record(library, f"scripted:{tmp_path / 'empty.yaml'}", file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [b"", b"\n", b"[]\n", b"{", b"\xff", b'{"cassette": 2, "model": ""}\n', b'{"cassette": 1, "model": "m"}\n3\n'],
    ids=str,
)
def test_what_is_no_cassette_is_refused_and_not_written_over(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(damage)
    with pytest.raises(UsageError, match="cassette"):
        Cassette.replaying(file)
    if damage:
        with pytest.raises(UsageError, match="exists and is not a cassette"):
            Cassette.recording(file)
    assert file.read_bytes() == damage


def test_a_cassette_that_is_not_there(tmp_path: Path, library: Library) -> None:
    with pytest.raises(UsageError, match="cannot be read as a cassette"):
        Cassette.replaying(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="cannot be written"):
        Cassette.recording(tmp_path / "none" / "calls.jsonl")
    with (
        pytest.raises(UsageError, match="no model is chosen"),
        Cassette.recording(tmp_path / "calls.jsonl") as cassette,
    ):
        library.ask(QUESTION, cassette=cassette)
    assert not (tmp_path / "calls.jsonl").exists()


def test_another_model_than_the_recorded_one_is_refused(library: Library, model: str, tmp_path: Path) -> None:
    record(library, model, tmp_path / "calls.jsonl")
    with (
        Cassette.replaying(tmp_path / "calls.jsonl") as cassette,
        pytest.raises(UsageError, match="recorded: scripted:"),
    ):
        library.ask(QUESTION, model="openai:other", cassette=cassette)


def test_failures_are_recorded_and_replayed() -> None:
    calls: list[Call] = []
    recording = RecordingChat(ScriptedChat([]), calls)
    with pytest.raises(ModelError) as caught:
        recording.reply("s", "u")
    kept = [Call.from_json(json.loads(json.dumps(call.to_json()))) for call in calls]
    with pytest.raises(ModelError) as again:
        ReplayingChat("scripted", kept, "kept").reply("s", "u")
    assert (str(again.value), again.value.hint) == (str(caught.value), caught.value.hint)


def test_a_prompt_is_named_by_its_words_and_not_by_its_markers() -> None:
    one, two = (f"read this <<{digit * 24}>>" for digit in "ab")
    assert prompt_key("s", one) == prompt_key("s", two)
    assert prompt_key("s", "a") != prompt_key("s", "b")
    assert prompt_key("s", "\ud800") != prompt_key("s", "\ud801")


@pytest.mark.parametrize("call", [{}, {"call": "a", "model": "m", "reply": 3, "input_tokens": 1, "output_tokens": 1}])
def test_a_damaged_call_is_no_call(call: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Call.from_json(call)
    whole = Call("k", "m", Reply("text", 1, 2))
    assert Call.from_json(whole.to_json()) == whole
