"""Readers of annotated sets whose text is speech or scenes: tiny files in the published formats, invented content."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.evaluate.sets import SETS, read_set
from agentvid.evaluate.sets.pace import spoken_clock
from agentvid.evaluate.types import AnnotatedSet
from agentvid.importer import read_import

# -- files in the published formats ------------------------------------------------------------------------------


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def asked_of_tutorial(question: str, first: int, last: int, video: str = "77") -> dict[str, object]:
    return {"video_id": video, "question": question, "answer_start": first, "answer_end": last}


def write_tutorialvqa(folder: Path) -> None:
    def segment(first: int, last: int, start: str, end: str) -> dict[str, object]:
        times = {"start": start, "end": end}
        return {"title": "a step", "timestamps": times, "sentence_indexes": {"start": first, "end": last}}

    sentences = ["Two words.", "Open the lamp menu.", "Turn it.", "", "Now save.", "Good bye."]
    segments = [segment(1, 2, "4.0", "10.0"), segment(4, 4, "12.0", "14.0"), segment(0, 9, "1.0", "2.0")]
    silent = {"video_id": "88", "transcript": [], "segments": []}
    untimed = {"video_id": "99", "transcript": ["Five words are said here."], "segments": []}
    tutorial = {"video_id": "77", "transcript": sentences, "segments": segments}
    write_json(folder / "videos.json", [tutorial, silent, untimed])
    write_json(
        folder / "train.json", [asked_of_tutorial("how to turn? ", 1, 2), asked_of_tutorial("how to save?", 4, 4)]
    )
    write_json(
        folder / "dev.json",
        [
            asked_of_tutorial("how to turn?", 2, 2),
            asked_of_tutorial("after the end?", 5, 6),
            asked_of_tutorial("backwards?", 3, 2),
            asked_of_tutorial("before the start?", -1, 2),
            asked_of_tutorial(" ", 1, 2),
            asked_of_tutorial("which video?", 0, 1, "00"),
            asked_of_tutorial("what is silent?", 0, 0, "88"),
        ],
    )


def write_youcook2(folder: Path) -> None:
    def entry(name: str, captions: str, segments: list[list[int]], asr: str) -> dict[str, object]:
        return {"image_id": name, "caption": captions, "segments": segments, "asr_text": asr, "duration": 198.0}

    steps = "<time_token_5> <time_token_10> peel it <time_token_12> <time_token_9> eat it"
    steps += " <time_token_95> <time_token_99> peel it"
    said = (
        "<time_token_4> <time_token_6> So, peel. <time_token_6> <time_token_6> And slowly."
        " <time_token_6> <time_token_8> Done! <time_token_20> <time_token_20> Alone. <time_token_30> <time_token_31> "
    )
    write_json(
        folder / "dvc_gt.json",
        {
            "annotations": [
                entry("cook.mp4", steps, [[10, 20], [24, 18], [190, 250]], said),
                entry("unequal.mp4", steps, [[10, 20]], said),
                entry("mute.mp4", steps, [[10, 20], [24, 30], [190, 198]], ""),
            ]
        },
    )


def write_qmsum(folder: Path) -> None:
    turns = [
        {"speaker": "Chair", "content": "Shall we {disfmarker} begin now , then ?"},
        {"speaker": "Guest", "content": "{vocalsound}"},
        {"speaker": "Guest", "content": " ".join(["one two three four five six seven eight nine ten ."] * 5)},
        {"speaker": "Chair", "content": " ".join(["word"] * 50)},
    ]

    def question(text: str, *spans: tuple[str, str]) -> dict[str, object]:
        return {"query": text, "answer": "It was said.", "relevant_text_span": [list(span) for span in spans]}

    questions = [
        question("What was counted?", ("2", "2")),
        question("What did the chair say?", ("0", "1"), ("3", "3")),
        question("What came after the end?", ("3", "4")),
        question("What went backwards?", ("2", "1")),
        question("", ("0", "0")),
        question("What has no answer?"),
    ]
    meeting = {"meeting_transcripts": turns, "specific_query_list": questions, "general_query_list": []}
    (folder / "val.jsonl").write_text(f"{json.dumps(meeting)}\n\n{json.dumps(meeting)}\n", encoding="utf-8")


def write_pororoqa(folder: Path) -> None:
    lines = [
        'Ep1,1,"A kite, red and big, flies."',
        "Ep1,1,A kite flies.",
        "Ep1,1,A kite flies.",
        "Ep1,3,It rains.",
        "Ep1,2,",
        "Ep1,x,No scene.",
        "Ep1,0,Before the first scene.",
        "Ep1,2",
        ",2,No episode.",
        "Ep2,1,Nobody asks about this.",
    ]
    (folder / "descriptions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def question(text: str, scene: object, video: str = "Ep1") -> dict[str, object]:
        return {
            "qid": 0,
            "question": text,
            **{f"answer{number}": letter for number, letter in enumerate("abcde")},
            "correct_idx": 1,
            "video_name": video,
            "supporting_num": scene,
        }

    questions = [
        question("what flies?", "1"),
        question("what flies?", 3),
        question("what comes after the end?", "4"),
        question("which scene?", ""),
        question("which episode?", "1", "Ep9"),
        question("", "1"),
    ]
    write_json(folder / "qa.json", {"PororoQA": questions})


def write_friendsqa(folder: Path) -> None:
    def utterance(uid: int, text: str, *speakers: str) -> dict[str, object]:
        return {"uid": uid, "speakers": list(speakers), "utterance": text}

    utterances = [
        utterance(0, "Who took my blue umbrella today ?", "Ann"),
        utterance(1, "( silence )", "#NOTE#"),
        utterance(2, "", "Bo"),
        utterance(3, "We did .", "Bo", "Cy"),
    ]

    def question(text: str, *answers: tuple[int, bool]) -> dict[str, object]:
        found = [
            {"answer_text": "a", "utterance_id": at, "inner_start": 0, "inner_end": 0, "is_speaker": is_speaker}
            for at, is_speaker in answers
        ]
        return {"id": "s01_What", "question": text, "answers": found}

    questions = [
        question("Who took it ?", (3, True), (0, False), (3, False)),
        question("What is after the end ?", (4, False), (-1, False)),
        question("What has no answer ?"),
        question(" ", (0, False)),
    ]
    dialogue = {"utterances:": utterances, "qas": questions}
    write_json(
        folder / "friendsqa_dev.json", {"version": "1", "data": [{"title": "s01_e01", "paragraphs": [dialogue]}]}
    )


SOCCER_HEADER = "league,game,half,timestamp,type,anonymized,predicted_res_0"


def write_soccer(
    folder: Path, half: str = "x_league__2020-2021__2020-09-01_-_18-00_Foxes_1_-_0_Owls__2_asr.json"
) -> None:
    def spoken(*sentences: tuple[float, float, str]) -> dict[str, object]:
        return {"segments": {str(number): list(sentence) for number, sentence in enumerate(sentences)}}

    write_json(
        folder / "asr" / half, spoken((0, 4.5, "Here we go."), (5, 5, "Nothing."), (6, 7, " "), (90, 100, "A shot!"))
    )
    write_json(folder / "distractors" / "other_-_1_asr.json", spoken((0, 3, "Another match.")))
    game = "x_league_2020-2021,2020-09-01 - 18-00 Foxes 1 - 0 Owls"
    lines = [
        SOCCER_HEADER,
        f'{game},2,4,whistle,"[REFEREE] starts, at last.",A machine says.',
        f'{game},2,4,whistle,"[REFEREE] starts, at last.",A machine says.',
        f"{game},2,95,,[PLAYER] ([TEAM]) shoots.,A machine says.",
        f"{game},2,50,,[PLAYER] ([TEAM]) shoots.,A machine says.",
        f"{game},2,300,,After the end.,A machine says.",
        f"{game},1,10,,Of a half without speech.,A machine says.",
        f"{game},2,10,,,A machine says.",
    ]
    (folder / "matchtime_captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Path], None]] = {
    "tutorialvqa": write_tutorialvqa,
    "youcook2": write_youcook2,
    "qmsum": write_qmsum,
    "pororoqa": write_pororoqa,
    "friendsqa": write_friendsqa,
    "soccer": write_soccer,
}


def rows_of(annotated: AnnotatedSet) -> list[tuple[str, float, float, str]]:
    return [(row.video, row.span.start_seconds, row.span.end_seconds, row.text) for row in annotated.rows]


def queries_of(annotated: AnnotatedSet) -> list[tuple[str, str, list[tuple[float, float]]]]:
    return [
        (query.video, query.query, [(span.start_seconds, span.end_seconds) for span in query.spans])
        for query in annotated.queries
    ]


# -- what each reader makes of them ------------------------------------------------------------------------------


def test_tutorialvqa_times_sentences_between_the_timed_segments(tmp_path: Path) -> None:
    write_tutorialvqa(tmp_path)
    annotated = read_set("tutorialvqa", tmp_path)
    assert rows_of(annotated) == [
        ("77", 0, 4, "Two words."),
        ("77", 4, 8, "Open the lamp menu."),
        ("77", 8, 10, "Turn it."),
        ("77", 12, 14, "Now save."),
        ("77", 14, 16.545, "Good bye."),
        ("99", 0, 2, "Five words are said here."),
    ]


def test_tutorialvqa_answers_include_their_last_sentence(tmp_path: Path) -> None:
    write_tutorialvqa(tmp_path)
    assert queries_of(read_set("tutorialvqa", tmp_path)) == [
        ("77", "how to turn?", [(4, 10), (8, 10)]),
        ("77", "how to save?", [(12, 14)]),
    ]


def test_youcook2_gives_sentences_of_one_time_token_equal_parts(tmp_path: Path) -> None:
    write_youcook2(tmp_path)
    annotated = read_set("youcook2", tmp_path)
    assert rows_of(annotated)[:4] == [
        ("cook", 8, 12, "So, peel."),
        ("cook", 12, 13, "And slowly."),
        ("cook", 13, 18, "Done!"),
        ("cook", 40, 42, "Alone."),
    ]
    assert {row.video for row in annotated.rows} == {"cook", "unequal"}


def test_youcook2_asks_for_the_steps_in_their_seconds(tmp_path: Path) -> None:
    write_youcook2(tmp_path)
    assert queries_of(read_set("youcook2", tmp_path)) == [("cook", "peel it", [(10, 20), (190, 198)])]


def test_qmsum_splits_long_turns_and_names_the_speaker_once(tmp_path: Path) -> None:
    write_qmsum(tmp_path)
    annotated = read_set("qmsum", tmp_path)
    sentence = "one two three four five six seven eight nine ten ."
    assert rows_of(annotated)[:5] == [
        ("qmsum_val_1", 0, 2.8, "Chair: Shall we begin now , then ?"),
        ("qmsum_val_1", 3.3, 16.5, f"Guest: {sentence} {sentence} {sentence}"),
        ("qmsum_val_1", 16.5, 25.3, f"{sentence} {sentence}"),
        ("qmsum_val_1", 25.3, 41.3, "Chair: " + " ".join(["word"] * 40)),
        ("qmsum_val_1", 41.3, 45.3, " ".join(["word"] * 10)),
    ]


def test_qmsum_answers_include_their_last_turn(tmp_path: Path) -> None:
    write_qmsum(tmp_path)
    queries = queries_of(read_set("qmsum", tmp_path))
    assert queries[:3] == [
        ("qmsum_val_1", "What was counted?", [(3.3, 25.3)]),
        ("qmsum_val_1", "What did the chair say?", [(0, 3.3), (25.3, 45.3)]),
        ("qmsum_val_3", "What was counted?", [(3.3, 25.3)]),
    ]
    assert len(queries) == 4


def test_pororoqa_scenes_last_ten_seconds(tmp_path: Path) -> None:
    write_pororoqa(tmp_path)
    annotated = read_set("pororoqa", tmp_path)
    assert rows_of(annotated) == [
        ("Ep1", 0, 10, "A kite, red and big, flies."),
        ("Ep1", 0, 10, "A kite flies."),
        ("Ep1", 20, 30, "It rains."),
        ("Ep2", 0, 10, "Nobody asks about this."),
    ]
    assert queries_of(annotated) == [("Ep1", "what flies?", [(0, 10), (20, 30)])]


def test_friendsqa_utterances_follow_each_other(tmp_path: Path) -> None:
    write_friendsqa(tmp_path)
    annotated = read_set("friendsqa", tmp_path)
    assert rows_of(annotated) == [
        ("s01_e01", 0, 2.8, "Ann: Who took my blue umbrella today ?"),
        ("s01_e01", 2.8, 4, "( silence )"),
        ("s01_e01", 4.5, 5.7, "Bo, Cy: We did ."),
    ]
    assert queries_of(annotated) == [("s01_e01", "Who took it ?", [(4.5, 5.7), (0, 2.8)])]


FOXES = "x_league__2020-2021__2020-09-01_-_18-00_Foxes_1_-_0_Owls__2_asr"


def test_soccer_searches_commentary_with_captions(tmp_path: Path) -> None:
    write_soccer(tmp_path)
    annotated = read_set("soccer", tmp_path)
    assert rows_of(annotated) == [
        (FOXES, 0, 4.5, "Here we go."),
        (FOXES, 90, 100, "A shot!"),
        ("other_-_1_asr", 0, 3, "Another match."),
    ]
    assert queries_of(annotated) == [
        (FOXES, "[REFEREE] starts, at last.", [(0, 14)]),
        (FOXES, "[PLAYER] ([TEAM]) shoots.", [(85, 100), (40, 60)]),
    ]


def test_soccer_reads_the_folders_of_the_publisher_alike(tmp_path: Path) -> None:
    write_soccer(tmp_path / "flat")
    write_soccer(tmp_path / "deep", "x_league/2020-2021/2020-09-01 - 18-00 Foxes 1 - 0 Owls/2_asr.json")
    assert read_set("soccer", tmp_path / "deep") == read_set("soccer", tmp_path / "flat")


# -- what holds for all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_rows_are_an_import_file(name: str, tmp_path: Path) -> None:
    assert name in SETS
    WRITERS[name](tmp_path)
    annotated = read_set(name, tmp_path)
    batch = read_import(json.dumps(row.to_json()).encode() for row in annotated.rows)
    assert batch.problems == ()
    assert {video.name for video in batch.videos} == {row.video for row in annotated.rows}
    assert {row.track for row in annotated.rows} == {"caption" if name == "pororoqa" else "speech"}


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_folder_is_refused_with_the_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{name}: .+ cannot be read: No such file"):
        read_set(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("content", [b"{", b'{"v": {}}\n', b"[1, 2]", b"\xff\xfe\x00"])
def test_files_in_another_format_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    for path in tmp_path.rglob("*.*"):
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not in the published format|hold no query"):
        read_set(name, tmp_path)


@given(st.lists(st.text()))
def test_the_spoken_clock_only_goes_forward(utterances: list[str]) -> None:
    clock = spoken_clock(utterances)
    assert len(clock) == len(utterances) + 1
    assert clock[0] == 0
    assert all(after - before > 0.49 for before, after in pairwise(clock))


@given(st.lists(st.tuples(st.integers(0, 98), st.integers(0, 3)), min_size=1, max_size=30))
def test_youcook2_sentences_never_overlap(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("youcook2")
    said = " ".join(f"<time_token_{at}> <time_token_{min(98, at + more)}> word" for at, more in tokens)
    entry = {
        "image_id": "cook.mp4",
        "caption": "<time_token_0> <time_token_9> stir",
        "segments": [[0, 10]],
        "asr_text": said,
        "duration": 120.5,
    }
    write_json(folder / "dvc_gt.json", {"annotations": [entry]})
    spans = [row.span for row in read_set("youcook2", folder).rows]
    assert len(spans) == len(tokens)
    assert all(before.end_seconds <= after.start_seconds for before, after in pairwise(spans))


# -- questions -----------------------------------------------------------------------------------------------------


def test_friendsqa_questions_have_the_words_that_answer(tmp_path: Path) -> None:
    write_friendsqa(tmp_path)
    (question,) = read_set("friendsqa", tmp_path).questions
    assert question.answers == ("a",)
    assert question.kind == "who"
    assert len(question.spans) == 2


def test_pororoqa_questions_have_five_choices(tmp_path: Path) -> None:
    write_pororoqa(tmp_path)
    questions = read_set("pororoqa", tmp_path).questions
    assert [question.choices for question in questions] == [tuple("abcde")] * len(questions)
    assert {question.choice for question in questions} == {"b"}


def test_tutorialvqa_questions_have_spans_alone(tmp_path: Path) -> None:
    write_tutorialvqa(tmp_path)
    questions = read_set("tutorialvqa", tmp_path).questions
    assert questions
    assert all(question.spans and not question.answers and not question.choices for question in questions)
