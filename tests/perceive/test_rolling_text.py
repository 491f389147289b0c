"""What a crawl or credits show is said once, and when; what stands, is typed or passes the camera is no moving text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from agentvid.perceive.rolling_text import RollingText
from agentvid.perceive.shown_text import ShownLine
from agentvid.perceive.text_reader import TextLine
from agentvid.types import ROLLING, Span

NEWS = (
    "Ministers agree on a new fishing treaty after two days of talks * Heavy rain is expected in the north on Thursday"
    " evening * Museum reopens with an exhibition of early telescopes * Train drivers call off their strike "
)
LETTER = 0.016
NAMES = "Anna Berg,Peter Holm,Lucia Moretti,James Okafor,Hanna Lind,Carlos Vega,Mei Tanaka,Oskar Nilsson,Ruth Adler"

Show = Callable[[float], list[TextLine]]


def crawl(pace: float, text: str = NEWS, top: float = 0.9) -> Show:
    """The letters of `text` that are wholly on screen; the first comes at 0 s."""

    def show(seconds: float) -> list[TextLine]:
        lefts = [1.0 - pace * seconds + LETTER * at for at in range(len(text))]
        seen = [at for at, left in enumerate(lefts) if left >= 0 and left + LETTER <= 1]
        if not seen:
            return []
        box = (lefts[seen[0]], top, lefts[seen[-1]] + LETTER, top + 0.06)
        return [TextLine(text[seen[0] : seen[-1] + 1].strip(), 0.95, box)]

    return show


def credits(pace: float) -> Show:
    def show(seconds: float) -> list[TextLine]:
        tops = [(1.0 - pace * seconds + 0.12 * at, name) for at, name in enumerate(NAMES.split(","))]
        return [TextLine(name, 0.95, (0.4, top, 0.6, top + 0.06)) for top, name in tops if 0 <= top <= 0.94]

    return show


def rows(show: Show, times: Sequence[float], duration_seconds: float) -> list[ShownLine]:
    rolling = RollingText()
    for seconds in times:
        rolling.see(seconds, show(seconds))
    return rolling.replace([], duration_seconds)


def every(step: float, end: float) -> list[float]:
    return [step * number for number in range(int(end / step) + 1)]


@pytest.mark.parametrize(("pace", "step"), [(0.09, 4.0), (0.2, 2.3), (0.4, 1.1)])
def test_a_crawl_is_said_once_in_stretches_of_ten_seconds(pace: float, step: float) -> None:
    end = (len(NEWS) * LETTER + 1.0) / pace
    found = rows(crawl(pace), every(step, end), end)
    assert " ".join(row.text for row in found) == NEWS.strip()
    assert {row.kind for row in found} == {ROLLING}
    assert all(row.span.duration_seconds <= 10.0 + step for row in found[:-1])
    assert all(one.span.end_seconds == two.span.start_seconds for one, two in itertools.pairwise(found))


@pytest.mark.parametrize(("pace", "step"), [(0.09, 4.0), (0.2, 2.3), (0.4, 1.1)])
def test_a_word_is_timed_when_it_came_on_screen(pace: float, step: float) -> None:
    end = (len(NEWS) * LETTER + 1.0) / pace
    readings = [reading for row in rows(crawl(pace), every(step, end), end) for reading in row.readings]
    for word in ("Thursday", "Museum", "telescopes"):
        came = LETTER * (NEWS.index(word) + len(word)) / pace
        assert next(seconds for seconds, text in readings if text == word) == pytest.approx(came, abs=0.3)


def test_letters_misread_at_the_edge_are_read_anew() -> None:
    show = crawl(0.2)

    def misread(seconds: float) -> list[TextLine]:
        return [TextLine(line.text[:-1] + "l", line.confidence, line.box) for line in show(seconds)]

    found = rows(misread, every(2.3, 14.0), 14.0)
    text = " ".join(row.text for row in found)
    assert text[:-12] in NEWS


def test_credits_are_each_line_once() -> None:
    found = rows(credits(0.12), every(3.5, 17.5), 18.0)
    assert " ".join(row.text for row in found) == NAMES.replace(",", " ")
    assert [text for row in found for _, text in row.readings] == NAMES.split(",")
    times = [seconds for row in found for seconds, _ in row.readings]
    assert times[5] == pytest.approx((0.06 + 0.12 * 5) / 0.12, abs=0.1)


def test_two_crawls_at_once_are_two() -> None:
    upper, lower = crawl(0.2, NEWS, 0.05), crawl(0.12, NEWS[::-1], 0.9)
    found = rows(lambda seconds: upper(seconds) + lower(seconds), every(2.0, 14.0), 14.0)
    assert {row.box[1] for row in found} == {0.05, 0.9}


def test_the_pieces_give_way_to_the_rows_and_nothing_else_does() -> None:
    show, rolling = crawl(0.2), RollingText()
    logo = TextLine("Kanal 4", 0.99, (0.85, 0.9, 0.98, 0.96))
    pieces = []
    for seconds in every(2.0, 12.0):
        lines = [*show(seconds), logo]
        rolling.see(seconds, lines)
        pieces += [ShownLine(Span(seconds, seconds + 2.0), line.text, 0.9, line.box) for line in lines[:-1]]
    other = ShownLine(Span(3.0, 4.0), "The secret word is VIOLIN", 0.9, (0.1, 0.1, 0.5, 0.16))
    stands = ShownLine(Span(0.0, 12.0), logo.text, 0.99, logo.box)
    found = rolling.replace([*pieces, other, stands], 12.0)
    assert [line for line in found if line.kind != ROLLING] == [other, stands]
    assert all("Kanal" not in line.text for line in found if line.kind == ROLLING)


def at(left: float, right: float, text: str) -> list[TextLine]:
    return [TextLine(text, 0.95, (left, 0.5, right, 0.56))]


def typed(seconds: float) -> list[TextLine]:
    return at(0.1, 0.15 + 0.05 * seconds, NEWS[: 3 * int(seconds + 1)])


def typed_about_the_middle(seconds: float) -> list[TextLine]:
    half = 0.02 * (seconds + 1)
    return at(0.5 - half, 0.5 + half, NEWS[: 4 * int(seconds + 2)])


def passed_by_the_camera(seconds: float) -> list[TextLine]:
    left = 0.6 - 0.15 * seconds
    return at(left, left + 0.3, "Fish and chips") if left >= 0 else []


def a_menu(seconds: float) -> list[TextLine]:
    return [TextLine(f"menu {n}", 0.9, (0.1, 0.1 + 0.1 * n, 0.3, 0.15 + 0.1 * n)) for n in range(7)]


def a_headline(seconds: float) -> list[TextLine]:
    return at(0.1, 0.8, "A headline that stands where it stands")


def sentences(seconds: float) -> list[TextLine]:
    return at(0.2, 0.6, f"sentence {'abcdefghijklm'[int(seconds)] * 12} is new")


@pytest.mark.parametrize("show", [a_headline, typed, typed_about_the_middle, passed_by_the_camera, sentences, a_menu])
def test_what_stands_grows_or_passes_is_no_moving_text(show: Show) -> None:
    assert rows(show, every(1.0, 12.0), 13.0) == []


def test_a_page_that_is_scrolled_by_hand_is_no_moving_text() -> None:
    offsets = [0.0, 0.0, 0.2, 0.2, 0.2, 0.5, 0.5, 0.55, 0.55, 0.55]
    texts = [f"paragraph {letter * 5}" for letter in "abcdefghijklmno"]

    def show(seconds: float) -> list[TextLine]:
        tops = [(0.1 * number - offsets[int(seconds)], text) for number, text in enumerate(texts)]
        return [TextLine(text, 0.95, (0.1, top, 0.7, top + 0.05)) for top, text in tops if 0 <= top <= 0.95]

    assert rows(show, every(1.0, 9.0), 10.0) == []
