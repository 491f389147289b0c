"""What a question names is read the same way every time, and no text of it can leave its literal."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.planners import slots
from agentvid.text import clean_text
from agentvid.types import Video
from agentvid.words import content_words, sentences, stem, topic_words, words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:15", 75),
        ("0:05.5", 5.5),
        ("1:01:15", 3675),
        ("75 seconds", 75),
        ("75s", 75),
        ("two minutes", 120),
        ("1 minute 15 seconds", 75),
        ("1 minute and 15 seconds", 75),
        ("1 minute 15", 75),
        ("half a minute", 30),
        ("minute 3", 180),
        ("second 42", 42),
        ("the 2 minute mark", 120),
        ("the beginning", 0),
        ("1 h 2 min 3 s", 3723),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert slots.parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "noon", "the door", "1:5", "12", "3 apples", "one minute of fame", "1:15:99:2"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert slots.parse_time(text) is None


@given(st.integers(0, 359_999))
def test_a_clock_time_is_read_back(seconds: int) -> None:
    hours, rest = divmod(seconds, 3600)
    assert slots.parse_time(f"{hours}:{rest // 60:02d}:{rest % 60:02d}") == seconds


@pytest.mark.parametrize(
    ("text", "number"),
    [("first", 1), ("Third", 3), ("22nd", 22), ("last", -1), ("final", -1), ("one", None), ("0th", None), ("", None)],
)
def test_ordinals(text: str, number: int | None) -> None:
    assert slots.parse_ordinal(text) == number


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        ("Please tell me when the door opens?", "when the door opens"),
        ("Could you please find the red car in the video?", "find the red car"),
        ("Hey, in this video, what is said about tea?", "what is said about tea"),
        ("What happens?!", "What happens"),
        ("I would like to know what is said about tea, thanks.", "what is said about tea"),
        ("???", "???"),
        ("Whats on screen?", "What's on screen"),
        ("Is there a black screen anywhere?", "Is there a black screen"),
        ("Does he go anywhere?", "Does he go anywhere"),
        ("Does the bell ring at any point?", "Does the bell ring"),
        ("What is said in the first 20 seconds of the video?", "What is said in the first 20 seconds"),
        ("What happens at the end of this clip?", "What happens at the end"),
        ("Who made the end of the film reel?", "Who made the end of the film reel"),
        ("I missed that part. What does the bell mean?", "What does the bell mean"),
        ("What does the bell mean? I missed that.", "What does the bell mean"),
        ("The bell rings. What does it mean?", "The bell rings. What does it mean"),
        ("Summarise the talk in one sentence.", "Summarise the talk"),
        ("What happens from 10 to 20 seconds?", "What happens from 10 seconds to 20 seconds"),
        ("What is a ferry according to the video?", "What is a ferry"),
    ],
)
def test_politeness_is_taken_away(question: str, plain: str) -> None:
    assert slots.plain_question(question).strip() == plain or question == "???"


@given(st.text(max_size=200))
def test_any_text_has_a_plain_question(text: str) -> None:
    assert isinstance(slots.plain_question(text), str)


@pytest.mark.parametrize(
    ("question", "stem_and_options"),
    [
        ("Which? A) red B) blue", ("Which?", ("red", "blue"))),
        ("Which? (A) red, (B) blue, (C) green", ("Which?", ("red", "blue", "green"))),
        ("Which? 1. red 2. blue", ("Which?", ("red", "blue"))),
        ("Which?\nA: red\nB: blue", ("Which?", ("red", "blue"))),
        ("Which? a) red b) blue", ("Which?", ("red", "blue"))),
        ("Which? B) red C) blue", ("Which? B) red C) blue", ())),
        ("Is plan A) better", ("Is plan A) better", ())),
        ("A) red B) blue", ("A) red B) blue", ())),
    ],
)
def test_choices_inside_a_question(question: str, stem_and_options: tuple[str, tuple[str, ...]]) -> None:
    assert slots.split_choices(question) == stem_and_options


@given(st.one_of(st.text(max_size=300), st.lists(st.text(max_size=40), max_size=5)))
def test_a_literal_holds_exactly_its_clean_text(value: str | list[str]) -> None:
    """Quotes, backslashes, newlines and lone surrogates cannot end a literal or put code beside it."""
    read = ast.literal_eval(slots.literal(value))
    assert read == (
        clean_text(value, limit=900) if isinstance(value, str) else [clean_text(v, limit=900) for v in value]
    )


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_a_number_literal_is_exact(value: float) -> None:
    assert ast.literal_eval(slots.literal(value)) == value


def test_a_video_is_found_at_either_end_of_a_question() -> None:
    talk = Video("a" * 64, "h", "talk.mp4", 10.0, ("/films/talk.mp4",))
    cook = Video("b" * 64, "g", "cook", 10.0)
    videos = (talk, cook)
    assert slots.take_video("what is said about tea in talk.mp4", videos) == ("what is said about tea", talk)
    assert slots.take_video("what is said about tea in the video talk", videos) == ("what is said about tea", talk)
    assert slots.take_video("in COOK, what is said", videos) == ("what is said", cook)
    assert slots.take_video("what happens at the end of talk.mp4", videos) == ("what happens at the end", talk)
    assert slots.take_video("what is in the box", videos) == ("what is in the box", None)


def test_two_videos_of_one_name_name_none() -> None:
    twins = (Video("a" * 64, "h", "a.mp4", 1.0, ("/x/a.mp4",)), Video("b" * 64, "g", "a.mp4", 1.0, ("/y/a.mp4",)))
    assert slots.find_video("a.mp4", twins) is None
    assert slots.find_video("/y/a.mp4", twins) is twins[1]


@pytest.mark.parametrize(
    "group", ["open opens opened opening", "story stories", "bake bakes baked baking", "stop stops stopped stopping"]
)
def test_endings_do_not_matter(group: str) -> None:
    assert len({stem(word) for word in group.split()}) == 1


@pytest.mark.parametrize(("one", "other"), [("bus", "bu"), ("glass", "glas"), ("king", "k")])
def test_a_word_is_not_cut_to_pieces(one: str, other: str) -> None:
    assert stem(one) != other


def test_scripts_without_spaces_are_compared_by_pairs() -> None:
    assert set(content_words("光合作用")) & set(content_words("关于光合作用的课"))
    assert words("प्रकाश संश्लेषण") == ["प्रकाश", "संश्लेषण"]


def test_topic_words_leave_out_what_every_question_has() -> None:
    assert topic_words(["the time the speaker mentions chlorophyll in the video"]) == [stem("chlorophyll")]
    assert topic_words(["the video"]) == ["video"]


@given(st.text(max_size=400))
def test_sentences_are_verbatim(text: str) -> None:
    assert all(sentence in text for sentence in sentences(text))
