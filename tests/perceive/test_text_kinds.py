"""Subtitles are told from other text by all lines of a video; lines made up, as readers give them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from agentvid.perceive.shown_text import ShownLine
from agentvid.perceive.text_kinds import with_kinds
from agentvid.types import ROLLING, SCREEN, SUBTITLE, Span

WORDS = (
    "where were you last night nobody came so we walked home along the harbour and the bridge was closed until monday"
    " there is nothing to tell believe me it rained all day long her brother sells apples from that old green boat"
).split()
MINUTE = 60.0


def shown(
    start: float, end: float, text: str, *, top: float = 0.88, left: float | None = None, high: float = 0.06
) -> ShownLine:
    """A line about the middle column, or from `left` on; as wide as its letters."""
    width = min(0.9, 0.016 * len(text))
    first = 0.5 - width / 2 if left is None else left
    return ShownLine(Span(start, end), text, 0.95, (first, top, first + width, top + high))


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 7)))


def dialogue(rng: random.Random, seconds: float = MINUTE, **where: float) -> list[ShownLine]:
    """Subtitles from the start to the end; a box is never quite where the one before was."""
    lines, at = [], rng.uniform(0, 2)
    while at < seconds - 5:
        end = at + rng.uniform(0.8, 4.0)
        top = where.get("top", 0.88) + rng.uniform(-0.008, 0.008)
        lines.append(shown(at, end, sentence(rng), **{**where, "top": top}))
        at = end + rng.choice([0.0, 0.04, rng.uniform(0.1, 2.0)])
    return lines


def kinds(lines: Sequence[ShownLine], seconds: float = MINUTE) -> dict[str, str]:
    return {line.text: line.kind for line in with_kinds(lines, seconds)}


def none_is_a_subtitle(lines: Sequence[ShownLine], seconds: float = MINUTE) -> bool:
    return set(kinds(lines, seconds).values()) == {SCREEN}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("where", [{}, {"top": 0.05}, {"top": 0.7}, {"left": 0.12}], ids=str)
def test_a_dialogue_is_found_wherever_it_is_usual(seed: int, where: dict[str, float]) -> None:
    lines = dialogue(random.Random(seed), **where)
    assert set(kinds(lines).values()) == {SUBTITLE}


@pytest.mark.parametrize("seed", range(8))
def test_what_else_stands_on_screen_is_none_and_disturbs_nothing(seed: int) -> None:
    rng = random.Random(seed)
    spoken = dialogue(rng)
    others = [
        shown(0, 60, "Kanal 4", top=0.04, left=0.85),
        shown(2, 9, "The Long Way Home", top=0.2, left=0.05, high=0.12),
        shown(20, 24, "Anna Berg, fisher", top=0.72, left=0.06),
        *(shown(at, at + 0.7, f"sign {at}", top=rng.uniform(0.2, 0.6), left=0.4) for at in rng.sample(range(55), 9)),
    ]
    found = kinds([*spoken, *others])
    assert {found[line.text] for line in spoken} == {SUBTITLE}
    assert {found[line.text] for line in others} == {SCREEN}


def test_the_second_line_of_a_subtitle_is_one_too_and_a_name_above_is_not() -> None:
    spoken = dialogue(random.Random(3))
    of = spoken[4].span
    upper = shown(of.start_seconds, of.end_seconds, "The upper of two lines", top=0.81)
    name = shown(of.start_seconds - 1.0, of.end_seconds + 2.0, "Anna Berg, fisher", top=0.81)
    found = kinds([*spoken, upper, name])
    assert (found["The upper of two lines"], found["Anna Berg, fisher"]) == (SUBTITLE, SCREEN)


@pytest.mark.parametrize("seconds_each", [3.0, 6.0, 20.0])
@pytest.mark.parametrize("left", [None, 0.06])
def test_slides_are_none_however_fast(seconds_each: float, left: float | None) -> None:
    rng = random.Random(5)
    lines = []
    for number in range(10):
        start, end = number * seconds_each, (number + 1) * seconds_each
        lines.append(shown(start, end, sentence(rng), top=0.06, left=left))
        for bullet in range(4):
            came = start + bullet * seconds_each / 5
            lines.append(shown(came, end, sentence(rng), top=0.3 + 0.16 * bullet, left=left))
    assert none_is_a_subtitle(lines, 10 * seconds_each)


def test_names_of_the_lower_third_are_none() -> None:
    names = ["Anna Berg, fisher", "Peter Holm, reporter", "Lucia Moretti, pilot", "James Okafor, teacher", "Mei Tanaka"]
    assert none_is_a_subtitle([shown(40 * n, 40 * n + 5, name, top=0.78) for n, name in enumerate(names)], 200.0)


def test_a_clock_that_is_read_in_many_ways_is_none() -> None:
    rng = random.Random(2)
    read = [f"CAM{rng.choice('O06')} PR{rng.choice('O08')}10{rng.randint(10, 99)}8 52" for _ in range(30)]
    assert none_is_a_subtitle([shown(1.5 * n, 1.5 * n + 1.4, text, top=0.02) for n, text in enumerate(read)])


@pytest.mark.parametrize("where", [{"top": 0.4}, {"high": 0.2, "top": 0.7}, {"left": 0.7, "top": 0.3}], ids=str)
def test_titles_in_the_middle_large_words_and_labels_aside_are_none(where: dict[str, float]) -> None:
    assert none_is_a_subtitle(dialogue(random.Random(1), **where))


def test_three_texts_are_too_few_and_a_long_film_needs_more() -> None:
    lines = dialogue(random.Random(1))
    assert none_is_a_subtitle(lines[:3])
    assert SUBTITLE in kinds(lines[:6]).values()
    assert none_is_a_subtitle(lines[:6], 7200.0)


def test_what_moves_or_ticks_stays_what_it_is() -> None:
    moving = ShownLine(Span(0, 5), "news of today", 0.9, (0.0, 0.88, 1.0, 0.94), ((0.0, "news"),), ROLLING)
    ticking = ShownLine(Span(0, 5), "goal 1 goal 2", 0.9, (0.4, 0.88, 0.6, 0.94), ((0.0, "goal 1"),))
    found = kinds([*dialogue(random.Random(1)), moving, ticking])
    assert (found["news of today"], found["goal 1 goal 2"]) == (ROLLING, SCREEN)


def test_thousands_of_lines_are_told_apart_in_a_moment() -> None:
    lines = dialogue(random.Random(9), 7200.0)
    assert len(lines) > 1500
    assert set(kinds(lines, 7200.0).values()) == {SUBTITLE}
    assert with_kinds([], 10.0) == []
