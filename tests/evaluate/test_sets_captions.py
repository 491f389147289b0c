"""Readers of annotated sets whose text is captions: tiny files in the published formats, with invented content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import UsageError
from agentvid.evaluate.sets import SETS, read_set
from agentvid.evaluate.sets.builder import SetBuilder
from agentvid.evaluate.types import AnnotatedSet
from agentvid.importer import read_import
from agentvid.types import Span

# -- files in the published formats ------------------------------------------------------------------------------

ACTIONS_HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
STAR_HEADER = "question_id,possible_answers,query_type,query,answer,video_name,start,end"
NEXTGQA_HEADER = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_lines(path: Path, *lines: str) -> None:
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")


def events(duration: float, *described: tuple[float, float, str]) -> dict[str, object]:
    return {
        "duration": duration,
        "timestamps": [[start, end] for start, end, _ in described],
        "sentences": [sentence for _, _, sentence in described],
    }


def write_activitynet(folder: Path) -> None:
    kayak = (0, 9.5, "  A kayak is carried to the lake."), (8, 31.2, "It floats."), (12, 12, "Nothing."), (3, 5, " ")
    write_json(folder / "val_1.json", {"v_lake": events(30.04, *kayak), "v_alone": events(8, (0, 8, "A gate swings."))})
    paddler = (0, 11, "Someone brings a boat."), (40, 50, "After the end."), (20, 15, "Backwards.")
    write_json(
        folder / "val_2.json",
        {"v_lake": events(30.04, *paddler), "v_unseen": events(20, (1, 2, "No rows."))},
    )
    captions = [
        {"sentence": "a boat on water", "timestamp": [8.0, 30.0]},
        {"sentence": "a man is walking", "timestamp": [0.0, 9.499999046325684]},
    ]
    write_json(folder / "bmt_machine_captions_val_1.json", {"results": {"v_lake": captions, "v_stranger": captions}})


def write_tacos(folder: Path) -> None:
    described = [
        ((20, 40), "He takes a melon."),
        ((60, 100), "He slices it."),
        ((45, 90), "Meanwhile water boils."),
        ((20, 40), "A melon is fetched."),
        ((60, 190), "It is cut."),
        ((70, 80), "It is cut."),
        ((20, 100), "Melon, knife, done."),
        ((300, 400), "After the end."),
        ((150, 150), "Nothing."),
    ]
    entry = {
        "timestamps": [list(frames) for frames, _ in described],
        "sentences": [sentence for _, sentence in described],
        "fps": 10.0,
        "num_frames": 150,
    }
    write_json(folder / "train.json", {"s1-d1.avi": entry})
    write_json(folder / "val.json", {"s2-d2.avi": entry})


def write_charades_actions(folder: Path) -> None:
    write_lines(folder / "Charades_v1_classes.txt", "c000 Watering a plant", "c001 Folding a map/chart")
    actions = "c001 2.00 5.50;c000 4.00 21.30;c777 1.00 2.00;c000 9.00 9.00;c000"
    write_lines(
        folder / "Charades_v1_train.csv",
        ACTIONS_HEADER,
        f'AAAAA,S1,Hall,6,7,Yes,"One, folds.",map,"Folds, waters.",{actions},20.50',
        "BBBBB,S2,Hall,6,7,Yes,Rests.,,Rests.,,12.00",
        "CCCCC,S2,Hall,6,7,Yes,No length.,,None.,c000 1.00 2.00,",
    )


def write_charades(folder: Path) -> None:
    write_charades_actions(folder)
    write_lines(
        folder / "charades_sta_train.txt",
        "AAAAA 2.0 5.5##person folds the map.",
        "AAAAA 4.0 22.0##person folds the map.",
        "AAAAA 4.0 22.0##person folds the map.",
        "AAAAA 25.0 26.0##after the end.",
        "AAAAA 8.0 7.0##backwards.",
        "AAAAA 1.0 2.0##",
        "AAAAA 1.0##half a span.",
        "BBBBB 1.0 2.0##a video without actions.",
        "ZZZZZ 1.0 2.0##a video nobody knows.",
    )


def write_star(folder: Path) -> None:
    write_charades_actions(folder)
    write_lines(
        folder / "star_val_queries.csv",
        STAR_HEADER,
        "I_1,\"['The map.', 'The cup.']\",Interaction,Which object was folded?,0,AAAAA.mp4,2.0,5.5",
        "I_2,\"['The cup.', 'The map.']\",Interaction,Which object was folded?,1,AAAAA.mp4,4.0,9.0",
        "I_3,\"['The cup.']\",Interaction,What has no time?,0,AAAAA.mp4,,",
        "I_4,\"['The cup.']\",Interaction,Who is this?,0,ZZZZZ.mp4,1.0,2.0",
    )


def write_nextgqa(folder: Path) -> None:
    with ZipFile(folder / "nextqa_allcaps_1fps.zip", "w") as archive:
        archive.writestr("nextqa_allcaps_1fps/", "")
        captions = {"0": "A fox waits.", "1": "A fox leaps.", "2": "", "3": "After the end."}
        archive.writestr("nextqa_allcaps_1fps/101_cap.json", json.dumps(captions))
        archive.writestr("nextqa_allcaps_1fps/999_cap.json", json.dumps(captions))
    location = {"0": [[0.0, 0.8], [1.5, 3.4]], "2": [[1.0, 1.0]]}
    write_json(folder / "gsub_val.json", {"101": {"duration": 3, "location": location, "fps": 25}})
    write_lines(
        folder / "nextgqa_val.csv",
        NEXTGQA_HEADER,
        "101,75,640,480,why does the fox jump,hungry,0,CW,play,hungry,scared,cold,tired",
        "101,75,640,480,what has no span,nothing,1,CW,a,b,c,d,e",
        "101,75,640,480,what has an empty span,nothing,2,CW,a,b,c,d,e",
        "555,75,640,480,who is not grounded,nobody,0,CW,a,b,c,d,e",
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "activitynet:human": write_activitynet,
    "activitynet:machine": write_activitynet,
    "tacos": write_tacos,
    "charades": write_charades,
    "star": write_star,
    "nextgqa": write_nextgqa,
}


def rows_of(annotated: AnnotatedSet) -> list[tuple[str, float, float, str]]:
    return [(row.video, row.span.start_seconds, row.span.end_seconds, row.text) for row in annotated.rows]


def queries_of(annotated: AnnotatedSet) -> list[tuple[str, str, list[tuple[float, float]]]]:
    return [
        (query.video, query.query, [(span.start_seconds, span.end_seconds) for span in query.spans])
        for query in annotated.queries
    ]


# -- what each reader makes of them ------------------------------------------------------------------------------


def test_activitynet_searches_one_annotator_with_the_other(tmp_path: Path) -> None:
    write_activitynet(tmp_path)
    annotated = read_set("activitynet:human", tmp_path)
    assert rows_of(annotated) == [
        ("v_lake", 0, 9.5, "A kayak is carried to the lake."),
        ("v_lake", 8, 30.04, "It floats."),
        ("v_alone", 0, 8, "A gate swings."),
    ]
    assert queries_of(annotated) == [("v_lake", "Someone brings a boat.", [(0, 11)])]


def test_activitynet_machine_takes_durations_from_the_annotators(tmp_path: Path) -> None:
    write_activitynet(tmp_path)
    annotated = read_set("activitynet:machine", tmp_path)
    assert rows_of(annotated) == [("v_lake", 0, 9.5, "a man is walking"), ("v_lake", 8, 30, "a boat on water")]
    assert {row.duration_seconds for row in annotated.rows} == {30.04}
    assert queries_of(annotated) == [("v_lake", "Someone brings a boat.", [(0, 11)])]


def test_tacos_parts_descriptions_where_time_jumps_back(tmp_path: Path) -> None:
    write_tacos(tmp_path)
    annotated = read_set("tacos", tmp_path)
    assert rows_of(annotated)[:4] == [
        ("s1-d1.avi", 2, 4, "He takes a melon."),
        ("s1-d1.avi", 6, 10, "He slices it."),
        ("s1-d1.avi", 4.5, 9, "Meanwhile water boils."),
        ("s1-d1.avi", 2, 10, "Melon, knife, done."),
    ]
    assert queries_of(annotated)[:2] == [
        ("s1-d1.avi", "A melon is fetched.", [(2, 4)]),
        ("s1-d1.avi", "It is cut.", [(6, 15), (7, 8)]),
    ]
    assert len(annotated.rows) == 8
    assert {query.video for query in annotated.queries} == {"s1-d1.avi", "s2-d2.avi"}


CHARADES_ROWS = [("AAAAA", 2, 5.5, "Folding a map/chart"), ("AAAAA", 4, 20.5, "Watering a plant")]


def test_charades_searches_actions_with_sentences(tmp_path: Path) -> None:
    write_charades(tmp_path)
    annotated = read_set("charades", tmp_path)
    assert rows_of(annotated) == CHARADES_ROWS
    assert queries_of(annotated) == [("AAAAA", "person folds the map.", [(2, 5.5), (4, 20.5)])]


def test_star_asks_charades_without_the_answers(tmp_path: Path) -> None:
    write_star(tmp_path)
    annotated = read_set("star", tmp_path)
    assert rows_of(annotated) == CHARADES_ROWS
    assert queries_of(annotated) == [("AAAAA", "Which object was folded?", [(2, 5.5), (4, 9)])]


def test_star_finds_the_files_of_charades_in_the_folder_beside_it(tmp_path: Path) -> None:
    star, charades = tmp_path / "star", tmp_path / "charades"
    star.mkdir()
    charades.mkdir()
    write_star(star)
    together = read_set("star", star)
    for name in ("Charades_v1_train.csv", "Charades_v1_classes.txt"):
        (star / name).rename(charades / name)
    assert read_set("star", star) == together


def test_nextgqa_gives_each_caption_its_second(tmp_path: Path) -> None:
    write_nextgqa(tmp_path)
    annotated = read_set("nextgqa", tmp_path)
    assert rows_of(annotated) == [("101", 0, 1, "A fox waits."), ("101", 1, 2, "A fox leaps.")]
    assert queries_of(annotated) == [("101", "why does the fox jump", [(0, 0.8), (1.5, 3)])]


# -- what holds for all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_rows_are_an_import_file(name: str, tmp_path: Path) -> None:
    assert name in SETS
    WRITERS[name](tmp_path)
    annotated = read_set(name, tmp_path)
    batch = read_import(json.dumps(row.to_json()).encode() for row in annotated.rows)
    assert batch.problems == ()
    assert {video.name for video in batch.videos} == {row.video for row in annotated.rows}
    assert {row.track for row in annotated.rows} == {"caption"}


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_folder_is_refused_with_the_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{name}: .+ cannot be read: No such file") as caught:
        read_set(name, tmp_path / "nowhere")
    assert caught.value.hint


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("content", [b"{", b'{"v": {}}\n', b"[1, 2]", b"\xff\xfe\x00"])
def test_files_in_another_format_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not in the published format|hold no query"):
        read_set(name, tmp_path)


times = st.floats(allow_nan=True, allow_infinity=True)


@given(start=times, end=times, duration=times, text=st.text())
def test_what_the_builder_keeps_lies_in_the_video_and_says_something(
    start: float, end: float, duration: float, text: str
) -> None:
    builder = SetBuilder({"video": duration})
    builder.add_row("video", 0, duration, "a row")
    builder.add_query("video", start, end, text)
    builder.add_row("other", start, end, text)
    for query in builder.build().queries:
        assert query.query.strip()
        for span in query.spans:
            assert 0 <= span.start_seconds < span.end_seconds <= round(duration, 3)


# -- questions -----------------------------------------------------------------------------------------------------


def test_star_questions_have_their_options_and_their_type(tmp_path: Path) -> None:
    write_star(tmp_path)
    first, second = read_set("star", tmp_path).questions
    assert first.choices == ("The map.", "The cup.")
    assert (first.choice, second.choice) == ("The map.", "The map.")
    assert first.kind == "Interaction"
    assert first.spans == (Span(2.0, 5.5),)


def test_nextgqa_questions_have_all_their_spans(tmp_path: Path) -> None:
    write_nextgqa(tmp_path)
    (question,) = read_set("nextgqa", tmp_path).questions
    assert question.choice == "hungry"
    assert question.choices == ("play", "hungry", "scared", "cold", "tired")
    assert question.spans == (Span(0.0, 0.8), Span(1.5, 3.0))
    assert question.kind == "CW"


@pytest.mark.parametrize(
    ("choices", "right"), [(("a", "a"), 0), (("a", "b"), 2), (("a", "b"), -1), (("a", " "), 0), (("a\x00", "a"), 0)]
)
def test_a_choice_that_is_not_fair_is_left_out(choices: tuple[str, ...], right: int) -> None:
    builder = SetBuilder({"video": 10.0})
    builder.add_row("video", 0, 5, "A fox waits.")
    builder.add_question("video", "who waits?", [(0, 5)], choices=choices, right=right)
    builder.add_question("video", "who waits?", [(0, 5)], choices=("fox", "owl"), right=0)
    builder.add_question("elsewhere", "who waits?", [(0, 5)], answers=["fox"])
    builder.add_question("video", "who waits?", [(12, 15)])
    assert [question.choice for question in builder.build().questions] == ["fox"]
