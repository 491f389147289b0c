"""What people type in a hurry: catalogue facts, lists, slides, several sentences, sounds that nobody listened for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentvid.graph import AskContext, ask
from agentvid.indexes.catalogue import Catalogue
from agentvid.planners import slots
from agentvid.planners.slots import plain_question

ContextFor = Callable[..., AskContext]

LECTURE = [
    ("ocr", 0, 60, "Harbour school"),
    ("ocr", 0, 20, "Tides: why the sea rises and falls twice a day"),
    ("ocr", 8, 20, "The moon pulls the water"),
    ("ocr", 20, 40, "Currents carry warm water from the tropics to the north"),
    ("ocr", 40, 60, "Exercises: draw the moon, the sun and the earth at spring tide"),
]
WALK = [("speech", 2, 8, "Anna the baker thanked a footballer."), ("speech", 20, 26, "The bakery opens at seven.")]
SONG = [("speech", 0, 5, "We sang until the music stopped."), ("sound", 6, 20, "music")]
CLOCK = [("fact", 0, 120, "bright scene, mostly white, still picture, one shot")]


@pytest.fixture
def shelf(tmp_path: Path, import_video: Callable[..., None]) -> Catalogue:
    catalogue = Catalogue.open(tmp_path / "library")
    import_video(catalogue, tmp_path / "long.jsonl", {"clock.mp4": CLOCK, "walk.mp4": WALK}, duration=120)
    import_video(catalogue, tmp_path / "short.jsonl", {"lecture.mp4": LECTURE}, duration=60)
    return catalogue


@pytest.mark.parametrize(
    ("question", "count", "named"),
    [
        ("which videos are longer than 90 seconds", "2 of 3", ["clock.mp4", "walk.mp4"]),
        ("videos under 2 minutes", "1 of 3", ["lecture.mp4"]),
        ("which videos have no speech", "2 of 3", ["clock.mp4", "lecture.mp4"]),
        ("which videos have subtitles", "1 of 3", ["walk.mp4"]),
        ("how many videos have text on screen", "1 of 3", ["lecture.mp4"]),
        ("what videos do i have", "3 of 3", ["clock.mp4", "lecture.mp4", "walk.mp4"]),
        ("which video is the shortest", "1 of 3", ["lecture.mp4"]),
        (
            "how long are the videos in total",
            "300.0 seconds (5:00) in 3 of 3",
            ["clock.mp4", "lecture.mp4", "walk.mp4"],
        ),
        ("which videos are longer than 3 hours", "0 of 3", []),
    ],
)
def test_the_catalogue_answers_for_whole_videos(
    context_for: ContextFor, shelf: Catalogue, question: str, count: str, named: list[str]
) -> None:
    answer = ask(question, context_for(of=shelf))
    assert not answer.abstained
    assert answer.text.startswith(f"{count} videos")
    assert [name for name in ("clock.mp4", "lecture.mp4", "walk.mp4") if name in answer.text] == named


def test_that_no_row_is_there_is_not_said_to_be_sure(context_for: ContextFor, shelf: Catalogue) -> None:
    assert ask("which videos have no speech", context_for(of=shelf)).confidence <= 0.5
    assert ask("which videos have speech", context_for(of=shelf)).confidence == 1.0


@pytest.mark.parametrize("question", ["list all the topics", "what topics are covered", "summarize the videos", "tldr"])
def test_a_whole_library_is_told_video_by_video(context_for: ContextFor, shelf: Catalogue, question: str) -> None:
    answer = ask(question, context_for(of=shelf))
    assert {item.video for item in answer.evidence} >= {"lecture.mp4", "walk.mp4"}
    assert len(answer.claims) <= 20
    assert all(claim.evidence for claim in answer.claims)
    assert answer.confidence < 0.9


@pytest.mark.parametrize(
    ("question", "shown", "hidden"),
    [
        ("what does the second slide say", "Currents carry", "Exercises"),
        ("third slide", "Exercises", "Currents"),
        ("first slide", "The moon pulls", "Currents"),
        ("last slide", "Exercises", "Tides:"),
        ("whats on screen at 0:25", "Currents", "Exercises"),
        ("how many slides", "3 in all", "4 in all"),
    ],
)
def test_slides_are_counted_by_the_text_that_stays(
    context_for: ContextFor, shelf: Catalogue, question: str, shown: str, hidden: str
) -> None:
    answer = ask(question, context_for("lecture.mp4", of=shelf))
    assert shown in answer.text
    assert hidden not in answer.text


def test_a_list_shows_a_page_and_says_how_many_there_are(
    context_for: ContextFor, tmp_path: Path, import_video: Callable[..., None]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = [("ocr", at, at + 1, f"House number {at} of the quay") for at in range(30)]
        import_video(catalogue, tmp_path / "rows.jsonl", {"quay.mp4": rows})
        answer = ask("everything on screen", context_for(of=catalogue))
    assert answer.text.startswith("30 in all; the first 20 are shown")
    assert len(answer.evidence) == 20


def test_what_nobody_listened_for_is_not_denied(
    context_for: ContextFor, shelf: Catalogue, tmp_path: Path, import_video: Callable[..., None]
) -> None:
    unheard = ask("Is there any music?", context_for("walk.mp4", of=shelf))
    assert unheard.abstained
    assert "listened for" in unheard.text
    assert "agentvid index" in unheard.text
    import_video(shelf, tmp_path / "song.jsonl", {"song.mp4": SONG})
    assert ask("Is there any music?", context_for("song.mp4", of=shelf)).text.startswith("Yes")
    assert ask("Is there any thunder?", context_for("song.mp4", of=shelf)).text.startswith("No")


def test_yes_needs_a_row_that_says_so(context_for: ContextFor, shelf: Catalogue) -> None:
    assert ask("Is Anna a footballer or a goalkeeper?", context_for("walk.mp4", of=shelf)).abstained
    assert ask("Did Anna thank a footballer?", context_for("walk.mp4", of=shelf)).text.startswith("Yes")


def test_measured_pictures_do_not_tell_what_happens(context_for: ContextFor, shelf: Catalogue) -> None:
    answer = ask("what happens at 1:00", context_for("clock.mp4", of=shelf))
    assert answer.confidence <= 0.3
    assert "only the pictures were measured" in answer.text


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("I missed the start. What is it about?", "What is it about"),
        ("i missed the start. what is it about", "what is it about"),
        ("This is confusing. What is a stream cipher?", "What is a stream cipher"),
        ("My boss wants numbers. How many videos mention tides? Thanks.", "How many videos mention tides"),
        ("A man opens the door. What does he do then?", "A man opens the door. What does he do then"),
        ("What is Mr. Miller's opinion on tides?", "What is Mr. Miller's opinion on tides"),
        ("What is said in demo.mp4?", "What is said in demo.mp4"),
        ("Is there any music, and if so, when?", "Is there any music"),
    ],
)
def test_of_several_sentences_the_one_that_asks_counts(typed: str, asked: str) -> None:
    assert plain_question(typed) == asked


@pytest.mark.parametrize(
    ("phrase", "track"),
    [
        ("any subtitles", "speech"),
        ("text on screen", "ocr"),
        ("a transcript", "speech"),
        ("dogs", None),
        ("the", None),
        ("the most text", None),
    ],
)
def test_tracks_have_names_that_people_use(phrase: str, track: str | None) -> None:
    assert slots.parse_track(phrase) == track


@pytest.mark.parametrize(("phrase", "is_heard"), [("background music", True), ("music video shop", False), ("", False)])
def test_a_sound_is_told_by_its_last_word(phrase: str, is_heard: bool) -> None:
    assert slots.is_sound(phrase) is is_heard


CAPTIONS = [
    ("caption", at, at + 1, text)
    for at, text in enumerate(
        ["An empty pier."] * 10
        + ["A girl in a red coat throws bread to the gulls.", "The gulls catch the bread the girl throws."] * 4
        + ["A ferry leaves the harbour."] * 10
    )
]


def test_a_choice_cites_the_moment_and_quotes_a_sentence_of_it(
    context_for: ContextFor, tmp_path: Path, import_video: Callable[..., None]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        import_video(catalogue, tmp_path / "rows.jsonl", {"pier.mp4": CAPTIONS}, duration=28)
        context = context_for(of=catalogue)
        answer = ask("What does the girl throw to the gulls?", context, choices=("bread", "a ball", "her coat"))
    (cited,) = answer.evidence
    assert answer.choice == "bread"
    assert cited.quote in {text for *_, text in CAPTIONS}
    assert cited.span.start_seconds <= 10.001 < 17.999 <= cited.span.end_seconds
    assert any(moment.span == cited.span for moment in context.tools.ledger.moments), "no tool returned the span"


def test_a_word_that_a_form_knows_is_no_mistyped_word_of_a_video(context_for: ContextFor, shelf: Catalogue) -> None:
    assert not ask("tldr", context_for(of=shelf)).understood


def test_where_nothing_describes_the_pictures_a_no_says_so(context_for: ContextFor, shelf: Catalogue) -> None:
    answer = ask("Is it raining?", context_for("walk.mp4", of=shelf))
    assert answer.text.startswith("No")
    assert "nothing describes the pictures" in answer.text
    assert answer.confidence <= 0.5


def test_a_video_that_tells_of_it_several_times_is_named_with_how_often(
    context_for: ContextFor, tmp_path: Path, import_video: Callable[..., None]
) -> None:
    with Catalogue.open(tmp_path / "library") as catalogue:
        rows = [("speech", at, at + 4, f"The lighthouse blinks, part {at}.") for at in (0, 30, 60)]
        import_video(catalogue, tmp_path / "rows.jsonl", {"coast.mp4": rows, "walk.mp4": WALK})
        answer = ask("which video is about the lighthouse", context_for(of=catalogue))
    assert "3 times in coast.mp4" in answer.text
