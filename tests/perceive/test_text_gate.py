"""The gate opens when text comes, changes or goes, and stays shut for pictures without text."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from agentvid.media.text_gate import TextGate

Draw = Callable[[float], np.ndarray]
HEIGHT, WIDTH = 360, 640


def wall(seed: int = 1, width: int = WIDTH, height: int = HEIGHT, spread: float = 8.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    grey: np.ndarray = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), spread), None, 30, 220, cv2.NORM_MINMAX)
    return grey.astype(np.uint8)


def write(picture: np.ndarray, text: str, scale: float = 1.0, at: tuple[int, int] = (60, 300)) -> np.ndarray:
    picture = picture.copy()
    thick = max(1, round(2 * scale))
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 3 * thick, cv2.LINE_AA)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
    return picture


def opened(draw: Draw, seconds: float, rate: float = 4.0) -> list[float]:
    gate = TextGate()
    times = np.arange(round(seconds * rate)) / rate
    return [float(time) for time in times if gate.update(float(time), draw(time))]


GREY = np.full((HEIGHT, WIDTH), 90, np.uint8)
LONG_WALL = wall(width=2600)


def camera(seconds: float) -> np.ndarray:
    left = round(70 * seconds)
    return LONG_WALL[:, left : left + WIDTH]


@pytest.mark.parametrize("picture", [GREY, wall()], ids=["plain", "blurred"])
def test_pictures_without_text_are_never_sent(picture: np.ndarray) -> None:
    assert opened(lambda seconds: picture, 30.0) == []


def test_a_moving_camera_without_text_is_hardly_ever_sent() -> None:
    sharp = wall(seed=3, width=2600, spread=1.5)
    assert len(opened(lambda s: sharp[:, round(70 * s) : round(70 * s) + WIDTH], 25.0)) <= 3
    assert opened(camera, 25.0) == []


def test_text_in_the_first_frame_is_sent_at_once_and_then_only_as_a_heartbeat() -> None:
    times = opened(lambda seconds: write(GREY, "Stream ciphers are secure"), 40.0)
    assert times[0] == 0.0
    assert len(times) <= 4


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5, 6.0])
@pytest.mark.parametrize("background", [GREY, wall()], ids=["plain", "blurred"])
def test_text_that_comes_changes_and_goes_is_seen_within_a_second(background: np.ndarray, scale: float) -> None:
    def draw(seconds: float) -> np.ndarray:
        if seconds < 4.0 or seconds >= 12.0:
            return background
        return write(background, "HELLO" if seconds < 8.0 else "WORLD", scale)

    times = opened(draw, 16.0)
    for event in (4.0, 8.0, 12.0):
        assert any(event <= time <= event + 1.0 for time in times), (event, times)
    assert len(times) <= 5


@pytest.mark.parametrize("moves", [False, True], ids=["still", "moving"])
def test_the_gate_tells_to_a_look_when_text_came_and_went(moves: bool) -> None:
    def draw(seconds: float) -> np.ndarray:
        behind = camera(seconds) if moves else wall(spread=3.0)
        return write(behind, "BREAKING NEWS") if 5.0 <= seconds < 7.0 else behind

    gate = TextGate()
    came: list[float] = []
    gone: list[float] = []
    for step in range(48):
        changes = gate.update(step / 4, draw(step / 4))
        if changes is not None and step / 4 >= 5.0:
            # The letters stand between 60 and 330 pixels from the left, 275 and 300 from the top.
            cells = slice(int(275 / 360 / changes.cell[1]), int(300 / 360 / changes.cell[1])), slice(5, 20)
            came += changes.came[cells][~np.isnan(changes.came[cells])].tolist() if step / 4 < 7.0 else []
            gone += changes.gone[cells][~np.isnan(changes.gone[cells])].tolist() if step / 4 >= 7.0 else []
    assert (np.median(came), np.median(gone)) == (5.0, 7.0)


def test_text_that_came_just_before_a_frame_was_sent_is_missed_when_it_goes() -> None:
    """The heartbeat of the headline sends a frame at the first look that shows the subtitle."""
    headline = write(wall(), "HEADLINE", at=(60, 60))
    times = opened(lambda s: headline, 40.0)
    beat = next(time for time in times if time > 20.0)

    def draw(seconds: float) -> np.ndarray:
        return write(headline, "for one second") if beat <= seconds < beat + 1.0 else headline

    found = opened(draw, beat + 4.0)
    assert beat in found
    assert any(beat + 1.0 <= time <= beat + 2.0 for time in found), found


def test_text_for_one_second_before_a_moving_camera_is_caught() -> None:
    times = opened(lambda s: write(camera(s), "BREAKING NEWS") if 5.0 <= s < 6.0 else camera(s), 12.0)
    assert any(5.0 <= time < 6.0 for time in times), times
    assert len(times) <= 5


def test_subtitles_that_change_every_second_and_a_half_are_all_caught() -> None:
    lines = [f"{word} is what I wanted to say" for word in "Alpha Bravo Charlie Delta Echo Foxtrot Golf".split()]
    times = opened(lambda s: write(wall(), lines[int(s // 1.5) % 7]), 10.5)
    assert all(any(1.5 * number <= time < 1.5 * (number + 1) for time in times) for number in range(7)), times


def test_a_small_clock_is_sampled_and_not_followed() -> None:
    def draw(seconds: float) -> np.ndarray:
        return write(wall(), f"12:{int(seconds) // 60:02d}:{int(seconds) % 60:02d}", 0.5, at=(20, 30))

    times = opened(draw, 120.0)
    assert 15 <= len(times) <= 50
    assert max(np.diff(times)) <= 10.5


def test_never_much_more_than_one_frame_per_second() -> None:
    rng = np.random.default_rng(0)
    pages = [write(GREY, "".join(rng.choice(list("ABCDEFGHIJKLMNOP"), 18)), 1.0, at=(20, 200)) for _ in range(60)]
    assert len(opened(lambda seconds: pages[int(seconds * 1.33)], 40.0)) <= 44


@pytest.mark.parametrize("shape", [(360, 640), (1080, 1920), (641, 361), (90, 160), (20, 12)])
def test_any_size_and_a_size_that_changes(shape: tuple[int, int]) -> None:
    gate = TextGate()
    for step in range(8):
        assert gate.update(step / 4, np.full(shape, 128, np.uint8)) is None
    assert any(gate.update(2.0 + step / 4, write(GREY, "Some words here")) for step in range(4))


def strip_of(text: str, size: int = 22) -> np.ndarray:
    """White on black in one line, as wide as it is, with a picture's width before it."""
    font = ImageFont.load_default(size)
    picture = Image.new("L", (WIDTH + round(font.getlength(text)) + 8, 36))
    ImageDraw.Draw(picture).text((WIDTH, 6), text, 255, font)
    return np.asarray(picture)


HEADLINES = "Ministers agree on a fishing treaty  *  Heavy rain is expected on Thursday evening  *  Museum reopens  *  "
NEWS = strip_of(4 * HEADLINES)


def crawl(pace: float, behind: Draw) -> Draw:
    def draw(seconds: float) -> np.ndarray:
        picture = behind(seconds).copy()
        left = round(pace * seconds)
        picture[316:352] = NEWS[:, left : left + WIDTH]
        return picture

    return draw


@pytest.mark.parametrize("pace", [40.0, 90.0, 200.0])
@pytest.mark.parametrize("behind", [lambda seconds: wall(), camera], ids=["still", "moving"])
def test_a_crawl_is_sent_as_often_as_half_of_it_is_new_and_no_more(pace: float, behind: Draw) -> None:
    times = opened(crawl(pace, behind), 20.0)
    every = min(5.0, 0.5 * WIDTH / pace)
    assert max(np.diff([0.0, *times, 20.0])) <= every + 3.0
    assert len(times) <= 20.0 / every + 2


def test_text_of_a_second_beside_a_crawl_is_seen() -> None:
    moving = crawl(90.0, camera)
    times = opened(lambda s: write(moving(s), "BREAKING NEWS", at=(60, 100)) if 9.0 <= s < 10.0 else moving(s), 14.0)
    assert any(9.0 <= time < 10.0 for time in times), times


@pytest.mark.parametrize("pace", [30.0, 80.0])
def test_credits_that_rise_are_seen_whole(pace: float) -> None:
    """Half of what a picture shows is in the next one too: the pace can be told."""
    page = np.zeros((2 * HEIGHT + 900, WIDTH), np.uint8)
    for number in range(15):
        page = write(page, f"Somebody {number} as himself", 0.7, at=(180, HEIGHT + 60 * number + 30))

    def draw(seconds: float) -> np.ndarray:
        top = min(round(pace * seconds), HEIGHT + 900)
        return page[top : top + HEIGHT]

    seconds = (HEIGHT + 900) / pace
    times = np.array(opened(draw, seconds))
    for number in range(15):
        came, left = (60 * number + 40) / pace, (HEIGHT + 60 * number) / pace
        assert ((times >= came) & (times <= left)).any(), (number, times)
    every = min(5.0, 0.5 * HEIGHT / pace)
    assert max(np.diff(times)) <= every + 0.5
    assert len(times) <= seconds / every + 3


def test_a_camera_that_tilts_over_a_sharp_scene_is_hardly_ever_sent() -> None:
    tall = wall(seed=3, height=2200, spread=1.5)
    assert len(opened(lambda s: tall[round(70 * s) : round(70 * s) + HEIGHT], 25.0)) <= 3
