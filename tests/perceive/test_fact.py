"""Drawn scenes of known brightness, colour, motion and stillness are described as what they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from agentvid.media.types import QUALITY_NUMBERS, FrameBatch
from agentvid.perceive.colour import NAMES, colour_shares
from agentvid.perceive.fact import FactReader
from agentvid.types import FACT, Clip, Observation, Span

Draw = Callable[[float], np.ndarray]
#: Blur, noise, blocks, dark, bright, blown of a good picture.
GOOD = (0.3, 1.0, 0.01, 0.05, 0.02, 0.0)


def texture(width: int, height: int, seed: int = 1, spread: float = 6.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    grey = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), spread), None, 20, 235, cv2.NORM_MINMAX)
    picture: np.ndarray = cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    return picture


WIDE = texture(1600, 900)
ROOM = texture(160, 90, seed=5, spread=3.0) // 2


def facts(
    draw: Draw,
    seconds: float,
    clips: Sequence[float] = (),
    rate: float = 25.0,
    quality: Callable[[float], Sequence[float]] = lambda seconds: GOOD,
    every_frame: bool = True,
) -> list[Observation]:
    """Facts of a video drawn at that frame rate; `clips` are the inner clip ends, the whole is one shot.

    `quality`: what the decode pass measures at a second.
    """
    reader = FactReader(every_frame=every_frame)
    times = np.arange(round(seconds * rate)) / rate
    for first in range(0, len(times), 40):
        part = times[first : first + 40]
        looks = [time for time in part if time == int(time)]
        measured = np.array([(time, *quality(time)) for time in looks], np.float64).reshape(-1, QUALITY_NUMBERS)
        reader.read(FrameBatch(part, np.stack([draw(time) for time in part]), quality=measured))
    ends = [0.0, *clips, seconds]
    spans = [Span(start, end) for start, end in itertools.pairwise(ends)]
    found = reader.facts([Clip(span, index) for index, span in enumerate(spans)], [Span(0.0, seconds)])
    assert all(item.track == FACT and item.provenance.stage == "fact" for item in found)
    return found


def clip_fact(draw: Draw, seconds: float = 4.0, rate: float = 25.0, **options: Any) -> Observation:
    found = [item for item in facts(draw, seconds, rate=rate, **options) if item.attributes["kind"] == "clip"]
    assert len(found) == 1
    return found[0]


def spans_of(found: list[Observation], kind: str) -> list[Span]:
    return [item.span for item in found if item.attributes["kind"] == kind]


def plain(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((90, 160, 3), colour, np.uint8)


def pan(x: float, y: float) -> Draw:
    """The camera moves by (x, y) picture lengths a second over a textured wall."""

    def draw(seconds: float) -> np.ndarray:
        left, top = 700 + round(x * 160 * seconds), 400 + round(y * 160 * seconds)
        return WIDE[top : top + 90, left : left + 160]

    return draw


def walker(x: float, y: float, background: np.ndarray) -> Draw:
    """A bright square crosses a still room, over and over."""

    def draw(seconds: float) -> np.ndarray:
        image = background.copy()
        left, top = int(10 + x * 160 * seconds) % 140, int(10 + y * 160 * seconds) % 70
        image[top : top + 18, left : left + 18] = 235
        return image

    return draw


@pytest.mark.parametrize(
    ("name", "bgr"),
    [
        ("black", (8, 8, 8)),
        ("white", (250, 250, 250)),
        ("grey", (128, 128, 128)),
        ("red", (20, 20, 210)),
        ("orange", (0, 140, 255)),
        ("yellow", (0, 240, 250)),
        ("green", (40, 160, 40)),
        ("cyan", (230, 220, 30)),
        ("blue", (200, 60, 20)),
        ("purple", (160, 30, 120)),
        ("pink", (180, 105, 255)),
        ("brown", (30, 65, 110)),
    ],
)
def test_colours_have_the_names_people_use(name: str, bgr: tuple[int, int, int]) -> None:
    shares = colour_shares(plain(bgr))
    assert NAMES[int(shares.argmax())] == name
    assert shares.sum() == pytest.approx(1.0)


def test_colours_and_brightness_of_a_scene() -> None:
    half = plain((200, 60, 20))
    half[:, 80:] = (40, 160, 40)
    fact = clip_fact(lambda seconds: half)
    assert "mostly blue and green" in fact.text or "mostly green and blue" in fact.text
    assert fact.attributes["colours"]["blue"] == pytest.approx(0.5, abs=0.02)
    assert "bright scene" in clip_fact(lambda seconds: plain((240, 240, 240))).text
    assert "dark scene" in clip_fact(lambda seconds: plain((60, 20, 40))).text


@pytest.mark.parametrize(
    ("x", "y", "camera", "direction"),
    [
        (0.3, 0.0, "camera pans right", "left"),
        (-0.3, 0.0, "camera pans left", "right"),
        (0.0, 0.2, "camera tilts down", "up"),
        (0.0, -0.2, "camera tilts up", "down"),
    ],
)
@pytest.mark.parametrize("rate", [12.0, 25.0, 60.0])
def test_camera_moves(x: float, y: float, camera: str, direction: str, rate: float) -> None:
    fact = clip_fact(pan(x, y), seconds=3.0, rate=rate)
    assert fact.attributes["camera"] == [camera]
    assert camera in fact.text
    assert fact.attributes["direction"] == direction
    assert fact.attributes["speed"] == pytest.approx(abs(x) + abs(y), rel=0.25)


@pytest.mark.parametrize("background", [plain((60, 60, 60)), ROOM], ids=["plain", "textured"])
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [(0.3, 0, "to the left"), (-0.3, 0, "to the right"), (0, 0.2, "upwards"), (0, -0.2, "downwards")],
)
def test_things_move_before_a_still_camera(background: np.ndarray, x: float, y: float, words: str) -> None:
    fact = clip_fact(walker(-x, -y, background))
    assert f"motion {words}" in fact.text
    assert not any("pans" in phrase or "tilts" in phrase for phrase in fact.attributes["camera"])


def test_fast_and_slow_motion_are_told_apart() -> None:
    assert "fast motion" in clip_fact(walker(0.7, 0.0, ROOM)).text
    assert "slow motion" in clip_fact(walker(0.05, 0.0, ROOM)).text


def test_zoom() -> None:
    def draw(seconds: float) -> np.ndarray:
        half_height, half_width = (round(side / (1 + 0.4 * seconds)) for side in (180, 320))
        window = WIDE[450 - half_height : 450 + half_height, 800 - half_width : 800 + half_width]
        picture: np.ndarray = cv2.resize(window, (160, 90), interpolation=cv2.INTER_AREA)
        return picture

    assert "camera zooms in" in clip_fact(draw).text
    assert "camera zooms out" in clip_fact(lambda seconds: draw(4.0 - seconds)).text


def test_black_spans_are_exact() -> None:
    moving = pan(0.2, 0.0)
    found = facts(lambda seconds: plain((2, 2, 2)) if 2.0 <= seconds < 3.2 else moving(seconds), 6.0, clips=[3.0])
    assert spans_of(found, "black") == [Span(2.0, 3.2)]
    assert spans_of(found, "frozen") == []
    assert len(spans_of(found, "clip")) == 2
    assert found == sorted(found, key=lambda item: item.span)


def test_black_to_the_end_ends_with_the_video() -> None:
    moving = pan(0.2, 0.0)
    found = facts(lambda seconds: plain((2, 2, 2)) if seconds >= 2.0 else moving(seconds), 4.0)
    assert spans_of(found, "black") == [Span(2.0, 4.0)]


def test_a_flash_of_black_or_a_title_on_black_is_no_black_screen() -> None:
    moving = pan(0.2, 0.0)
    assert not spans_of(facts(lambda s: plain((2, 2, 2)) if 2 <= s < 2.3 else moving(s), 4.0), "black")
    title = plain((0, 0, 0))
    cv2.putText(title, "THE END", (30, 50), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    assert not spans_of(facts(lambda seconds: title, 4.0), "black")


def test_a_moving_picture_that_stops_is_frozen_for_exactly_so_long() -> None:
    moving = pan(0.2, 0.0)
    found = facts(lambda seconds: moving(3.0) if 3.0 <= seconds < 5.4 else moving(seconds), 9.0)
    assert spans_of(found, "frozen") == [Span(3.0, 5.4)]
    assert [item.text for item in found if item.attributes["kind"] == "frozen"] == ["frozen picture"]


def test_compression_flicker_does_not_thaw_a_frozen_picture() -> None:
    moving, rng = pan(0.2, 0.0), np.random.default_rng(0)

    def draw(seconds: float) -> np.ndarray:
        if not 3.0 <= seconds < 6.0:
            return moving(seconds)
        return np.clip(moving(3.0).astype(int) + rng.integers(-1, 2, (90, 160, 3)), 0, 255).astype(np.uint8)

    assert spans_of(facts(draw, 9.0), "frozen") == [Span(3.0, 6.0)]


def test_a_slide_lecture_is_still_not_frozen_and_does_not_flood() -> None:
    """A slide on which a pen writes every three seconds: no row per pause, one clip fact that says still."""

    def draw(seconds: float) -> np.ndarray:
        slide = plain((250, 250, 250))
        for stroke in range(int(seconds // 3)):
            cv2.line(slide, (10 + 12 * stroke, 20), (18 + 12 * stroke, 60), (0, 0, 0), 2)
        return slide

    found = facts(draw, 30.0, rate=10.0)
    assert [item.attributes["kind"] for item in found] == ["clip"]
    assert "still picture" in found[0].text
    assert spans_of(facts(lambda seconds: plain((250, 250, 250)), 30.0, rate=10.0), "still") == [Span(0.0, 30.0)]


def test_shots_are_counted_per_clip() -> None:
    reader = FactReader()
    times = np.arange(100) / 10
    reader.read(FrameBatch(times, np.stack([plain((10 * int(time), 90, 200)) for time in times])))
    shots = [Span(0.0, 2.0), Span(2.0, 5.0), Span(5.0, 10.0)]
    found = reader.facts([Clip(Span(0.0, 5.0), 0), Clip(Span(5.0, 10.0), 1)], shots)
    clips = [item for item in found if item.attributes["kind"] == "clip"]
    assert [item.attributes["shots"] for item in clips] == [2, 1]
    assert clips[0].text.endswith("2 shots")


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, 0.7, "blurred picture"),
        (1, 12.0, "noisy picture"),
        (2, 0.3, "visible blocks"),
        (5, 0.4, "overexposed"),
    ],
)
def test_a_bad_picture_is_told_in_the_clip_that_has_it_and_a_good_one_is_not(at: int, value: float, words: str) -> None:
    bad = (*GOOD[:at], value, *GOOD[at + 1 :])
    found = facts(pan(0.1, 0.0), 10.0, clips=[5.0], quality=lambda seconds: bad if seconds >= 4 else GOOD)
    good, faulty = (item for item in found if item.attributes["kind"] == "clip")
    assert good.text.endswith("one shot"), "one bad picture of five is no bad clip"
    assert faulty.text.endswith(f"one shot, {words}")
    names = ("blur", "noise", "blocks", "dark", "bright", "blown")
    assert faulty.attributes["quality"].items() >= dict(zip(names, bad, strict=True)).items()


@pytest.mark.parametrize("rate", [12.5, 25.0, 50.0])
def test_light_that_goes_up_and_down_flickers(rate: float) -> None:
    fact = clip_fact(lambda seconds: plain((100, 100, 100 + 30 * (round(seconds * rate) % 2))), rate=rate)
    assert fact.text.endswith("flickering light")
    assert fact.attributes["quality"]["flicker"] == pytest.approx(9, abs=1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda seconds: plain((int(50 * seconds), 90, 90)),
        lambda seconds: plain((200, 200, 200)) if seconds == 2 else plain((30, 30, 30)),
        lambda seconds: plain((200, 200, 200)) if int(seconds) % 2 else plain((30, 30, 30)),
    ],
    ids=["fade", "flash", "cuts"],
)
def test_fades_flashes_and_cuts_do_not_flicker(draw: Draw) -> None:
    assert "flicker" not in clip_fact(draw).text


def test_of_frames_far_apart_no_flicker_is_told() -> None:
    def draw(seconds: float) -> np.ndarray:
        return plain((200, 200, 200)) if round(seconds * 2) % 2 else plain((30, 30, 30))

    for fact in (clip_fact(draw, rate=2.0), clip_fact(draw, every_frame=False)):
        assert "flicker" not in fact.attributes["quality"]
        assert fact.attributes["quality"]["blur"] == GOOD[0]


def test_what_nobody_measured_is_not_told() -> None:
    reader = FactReader()
    reader.read(FrameBatch(np.array([0.0]), np.stack([plain((90, 90, 90))])))
    (fact,) = reader.facts([Clip(Span(0.0, 4.0), 0)], [Span(0, 4)])
    assert "quality" not in fact.attributes


def test_a_clip_between_two_frames_shows_the_frame_before() -> None:
    reader = FactReader()
    reader.read(FrameBatch(np.array([0.0, 9.0]), np.stack([plain((20, 20, 210)), plain((200, 60, 20))])))
    found = reader.facts([Clip(Span(0.0, 4.0), 0), Clip(Span(4.0, 8.0), 1), Clip(Span(8.0, 10.0), 2)], [Span(0, 10)])
    texts = [item.text for item in found if item.attributes["kind"] == "clip"]
    assert "almost all red" in texts[1]


def test_no_frames_no_facts() -> None:
    assert FactReader().facts([Clip(Span(0.0, 4.0), 0)], [Span(0.0, 4.0)]) == []


def test_what_is_kept_does_not_grow_with_the_frame_rate() -> None:
    def kept(rate: float) -> int:
        reader = FactReader()
        times = np.arange(round(4 * rate)) / rate
        reader.read(FrameBatch(times, np.stack([pan(0.1, 0.0)(time) for time in times])))
        return len(reader._samples)

    assert kept(120.0) <= kept(30.0) * 1.1
