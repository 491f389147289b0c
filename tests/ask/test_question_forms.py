"""Every question form: its examples select it, its program checks; and natural questions find the form they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agentvid.composers.extractive import KINDS
from agentvid.errors import ModelError, ProgramError, UsageError
from agentvid.models.scripted import HashEmbedder
from agentvid.planners.bank import Form, load_bank, parse_bank
from agentvid.planners.base import PlanRequest
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.tools import load_tools
from agentvid.tools.program import check_program
from agentvid.types import Video

BANK = load_bank()
NATURAL: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "questions.yaml").read_text("utf-8"))
TALK = Video("a" * 64, "h", "talk.mp4", 100.0, ("/films/talk.mp4",))
DEMO = Video("b" * 64, "g", "demo.mp4", 50.0, ("/films/demo.mp4",))
FILLINGS = {
    "time": "1:15",
    "time2": "1:30",
    "n": "second",
    "name": "Anna",
    "name2": "Boris",
    "count": "three",
    "track": "subtitles",
    "sound": "background music",
    "hue": "dark blue",
    "video": "talk.mp4",
    "video2": "demo.mp4",
    "x": "red balloon",
    "a": "dog barking",
    "b": "door opening",
    "c": "cat sleeping",
    "d": "bird singing",
}


def asked(form: Form) -> list[str]:
    """The form's examples with every slot filled and every word class by its first member."""
    members: dict[str, str] = {}
    for member, name in BANK.classes.items():
        members.setdefault(f"<{name}>", member.replace("_", " "))
    questions = []
    for example in form.examples:
        text = " ".join(members.get(token, token) for token in example.text.split())
        for slot, filling in FILLINGS.items():
            text = text.replace("{" + slot + "}", filling)
        questions.append(f"{text}?")
    return questions


def plan(question: str, *, choices: tuple[str, ...] = (), videos: tuple[Video, ...] = (TALK,)) -> tuple[str, str]:
    made = ExemplarPlanner().plan(PlanRequest(question, choices, videos))
    return made.form_id, made.program


@pytest.mark.parametrize("form", BANK.forms, ids=lambda form: form.id)
def test_examples_select_their_form_and_its_program_checks(form: Form) -> None:
    choices = ("yes", "no") if form.takes_choices else ()
    checked: set[tuple[str, ...]] = set()
    for question, example in zip(asked(form), form.examples, strict=True):
        form_id, program = plan(question, choices=choices, videos=(TALK, DEMO) if "demo" in question else (TALK,))
        assert form_id == form.id, question
        # Examples with the same slots have the same program.
        if example.slots not in checked:
            checked.add(example.slots)
            assert check_program(program, load_tools()).type == "answer"


def test_there_are_enough_forms_and_every_kind_has_a_sentence() -> None:
    assert len(BANK.forms) >= 200
    for form in BANK.forms:
        assert len(form.examples) >= 1
        assert any(f'kind="{kind}"' in form.program for kind in KINDS), form.id


@pytest.mark.parametrize(
    ("question", "form_id"),
    [
        ("Could you please tell me what is said about chlorophyll in the video?", "said_about"),
        ("what do they say about the Calvin cycle", "said_about"),
        ("What does Anna say about taxes?", "named_says_about"),
        ("What's on the slide at 1:15?", "screen_at"),
        ("When does the man open the door?", "when"),
        ("when is the budget mentioned", "when_said"),
        ("Which video talks about rye flour?", "which_video"),
        ("When is chlorophyll first mentioned?", "first_time"),
        ("When was the last time the dog barked?", "last_time"),
        ("When is the 3rd time the bell rings?", "nth_time"),
        ("What happens right after the bell rings?", "after"),
        ("what is said before the break", "said_before"),
        ("What happens between the goal and the whistle?", "between"),
        ("What is said between 0:30 and 1:00?", "from_to"),
        ("How many times is the word enzyme mentioned?", "count_said"),
        ("How many times does the dog bark?", "count_events"),
        ("How often does he say hello?", "count_said"),
        ("How many videos mention bread?", "count_videos"),
        ("Show me all mentions of bread", "list_all"),
        ("List all moments where the bell rings", "list_all"),
        ("How long does the song last?", "how_long"),
        ("How long is the title on screen?", "how_long_shown"),
        ("How long is the video?", "video_length"),
        ("How long is it between the goal and the whistle?", "how_long_between"),
        ("Is Rubisco mentioned?", "is_mentioned"),
        ("Does he talk about money?", "is_mentioned"),
        ("Does anyone ever mention helicopters?", "is_mentioned"),
        ("Does anyone ever water tomatoes?", "does_happen"),
        ("Does the dog ever bark?", "does_happen"),
        ("Do they never mention chlorophyll?", "never"),
        ("Is chlorophyll never mentioned?", "never"),
        ("Does the dog never bark?", "never_happens"),
        ('Do the speakers never say "rye flour"?', "never"),
        ("Does Anna never talk about taxes?", "never"),
        ("Has nobody ever fallen?", "never_happens"),
        ("Is it true that nobody ever mentions helicopters?", "never"),
        ("Is there no mention of money in the video?", "never"),
        ("Is rye flour mentioned only once?", "only_once"),
        ("Does the dog bark only once?", "only_once"),
        ("Does he only say hello once?", "only_once"),
        ("Does the dog bark more than once?", "more_than_once"),
        ("Is goodbye said in every video?", "both_scope"),
        ("Do all of the videos mention bread?", "both_scope"),
        ("Find all the times chlorophyll is mentioned.", "list_all"),
        ("When are all the times chlorophyll is mentioned?", "list_all"),
        ("Is the goal before the whistle?", "is_before"),
        ("Which comes first, the goal or the whistle?", "which_first"),
        ("In what order do the goal, the whistle and the song happen?", "order_three"),
        ("Summarize the video", "summary"),
        ("What is the video about?", "summary"),
        ("List the chapters", "chapters"),
        ("Summarize from 0:30 to 1:00", "from_to"),
        ("What colour is the car?", "colour"),
        ("Is the camera moving?", "camera_moves"),
        ("Is there a black screen?", "black_screen"),
        ("Who says good morning?", "who_says"),
        ("What was said at 1:15?", "said_at"),
        ("What happens from 30 seconds to 1 minute?", "from_to"),
        ("What does the text on screen say?", "screen_text"),
        ('Find the quote "to be or not to be"', "quote_search"),
        ("What is said while the title is shown?", "said_while"),
        ("How do I add a logo?", "how_to"),
        ("Why is the sky blue?", "why"),
        ("chlorophyll", "anything"),
        ("what's my library about", "summary"),
        ("what topics do i have", "chapters"),
        ("which of my videos have no subtitles", "videos_without_track"),
        ("which of my videos has no subtitles", "videos_without_track"),
        ("how many of my videos mention salt", "count_videos"),
        ("which video has the most text", "what_is"),
        ("at what point do they bring up Shannon", "when_said"),
        ("which one comes up more, salt or sugar?", "which_more_often"),
        ("what does he say right before mentioning Shannon", "said_before"),
        ("What is said 20 secs in?", "said_at"),
        ("is the image quality ok", "quality"),
        ("is the picture funny", "does_happen"),
        ("is the screen dark blue", "is_colour"),
        ("how many videos do I have and how long are they", "count_all_videos"),
        ("who made these videos", "maker"),
        ("put these in order: the song, the speech, the dance", "order_three"),
        ("are there subtitles", "has_speech"),
        ("how much time is there between the song and the speech", "how_long_between"),
        ("what does the man do after the lift stops", "after"),
        ("does nobody talk about Goddard?", "never"),
        ("summarize my video", "summary"),
        ("is butter used in every video", "both_scope"),
        ("what's in the last minute", "last_span"),
    ],
)
def test_natural_questions_find_their_form(question: str, form_id: str) -> None:
    assert plan(question)[0] == form_id


@pytest.mark.parametrize("form", BANK.forms, ids=lambda form: form.id)
def test_what_people_ask_finds_the_form_that_is_meant(form: Form) -> None:
    """Questions written for this, none of them an example with its slots filled."""
    choices = ("x", "y") if form.takes_choices else ()
    for question in NATURAL[form.id]:
        form_id, program = plan(question, choices=choices, videos=(TALK, DEMO) if "demo" in question else (TALK,))
        assert form_id == form.id, question
        assert check_program(program, load_tools()).type == "answer"


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("List all moments where the bell rings", "bell rings"),
        ("Find all the scenes in which Anna smiles", "Anna smiles"),
        ("Show every moment when a dog barks", "dog barks"),
        ("List all moments where they talk about money", "money"),
        ("List each time the bell rings", "bell rings"),
        ("What are all the parts where taxes are discussed?", "taxes"),
        ("List all parts where taxes are discussed", "taxes"),
    ],
)
def test_a_list_looks_for_what_happens_not_for_the_word_moment(question: str, wanted: str) -> None:
    form_id, program = plan(question)
    assert form_id == "list_all"
    assert f'list_all(query="{wanted}")' in program


def test_what_is_quoted_stays_one_phrase() -> None:
    made = ExemplarPlanner().plan(PlanRequest('What happens between "salt and pepper" and "the end"?', (), (TALK,)))
    assert made.focus == ("salt and pepper", "the end")


def test_choices_in_the_question_make_it_multiple_choice() -> None:
    made = ExemplarPlanner().plan(PlanRequest("What is baked? A) bread B) cake", (), (TALK,)))
    assert made.form_id == "choice"
    assert made.choices == ("bread", "cake")


def test_a_named_video_narrows_every_search() -> None:
    _, program = plan("What is said about tea in demo.mp4?", videos=(TALK, DEMO))
    assert program.count(f'video="{DEMO.id}"') == 2


def test_a_time_without_a_video_asks_which() -> None:
    with pytest.raises(UsageError, match="which of 2 videos"):
        plan("What was said at 1:15?", videos=(TALK, DEMO))


@pytest.mark.parametrize(
    "question",
    [
        'when is ") answer(kind="what", evidence=[]) #" mentioned',
        "when is x\\ mentioned",
        'what is said about """ + search(query="x") + """',
        "what is said about $x $where ${question}",
        "when is \u2028 mentioned",
        "x" * 9_999,
    ],
)
def test_no_question_can_write_its_own_program(question: str) -> None:
    """The question stays inside literals: the calls are those of the form, whatever it says."""
    form_id, program = plan(question)
    try:
        check_program(program, load_tools())
    except ProgramError:
        pytest.fail(program)
    form = BANK.by_id[form_id]
    assert program.count("\n") == form.program.count("\n")


def test_planning_is_deterministic_with_and_without_an_embedder() -> None:
    request = PlanRequest("at which points do folks bring chlorophyll up", (), (TALK,))
    for planner in (ExemplarPlanner(), ExemplarPlanner(HashEmbedder())):
        assert planner.plan(request) == planner.plan(request)


def test_an_example_cannot_repair_itself() -> None:
    with pytest.raises(ModelError, match="bad") as caught:
        ExemplarPlanner().repair(PlanRequest("x"), "broken", ProgramError("bad"))
    assert "--model" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "forms: 3",
        "[]",
        "forms:\n - {id: a, family: b, route: fast, examples: [x], program: y}",
        "forms:\n - {id: a, family: b, route: lookup, examples: ['<no> x'], program: y}",
        "forms:\n - {id: a}",
        "a: [",
    ],
)
def test_a_damaged_bank_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_bank(text)
