"""Kinds of text on screen in rendered videos, through the decoder, its gate and RapidOCR."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from agentvid import Library, media
from agentvid.cli import main
from agentvid.config import Settings
from agentvid.perceive.ocr import OcrReader
from agentvid.types import Observation

Draw = Callable[[float], Image.Image]
WIDTH, HEIGHT, RATE = 640, 360, 25
SPOKEN = [
    (1.0, 3.0, "Where were you last night?"),
    (3.2, 5.0, "I was at the harbour, waiting."),
    (5.6, 8.0, "Nobody came, so I went home."),
    (9.0, 10.6, "You never told me that."),
    (11.0, 13.6, "The bridge is closed until Monday"),
    (14.0, 15.6, "Then we walk."),
]
NEWS = (
    "Ministers agree on a new fishing treaty after two days of talks * Heavy rain expected in the north on Thursday"
    " evening * Museum reopens with an exhibition of early telescopes * Train drivers call off strike planned for next"
    " week * Harvest of apples is the largest in thirty years"
)
NAMES = "Anna Berg,Peter Holm,Lucia Moretti,James Okafor,Hanna Lind,Carlos Vega,Mei Tanaka,Oskar Nilsson".split(",")
SLIDES = [
    ("Stream ciphers", "A key makes a stream of bits", "Each bit is added to the text"),
    ("One-time pad", "As long as the message itself", "Perfect secrecy, said Shannon"),
    ("Generators", "A short seed, a long stream", "They must be unpredictable"),
    ("Attacks", "The same key was used twice", "Bits were flipped on the way"),
    ("Summary", "Use what has been tested", "Never write your own"),
]


def scenery() -> Image.Image:
    noise = np.random.default_rng(1).normal(size=(HEIGHT // 12, 4 * WIDTH // 12, 3))
    small = np.clip(110 + 45 * noise, 0, 255).astype(np.uint8)
    return Image.fromarray(small).resize((4 * WIDTH, HEIGHT), Image.Resampling.BICUBIC)


SCENERY = scenery()


def camera(seconds: float) -> Image.Image:
    left = round(60 * seconds)
    return SCENERY.crop((left, 0, left + WIDTH, HEIGHT))


def write(
    picture: Image.Image, text: str, at: tuple[float, float], size: float = 22, anchor: str = "la", fill: str = "white"
) -> None:
    font, stroke = ImageFont.load_default(size), 2 if fill == "white" else 0
    ImageDraw.Draw(picture).text(at, text, fill, font, anchor, stroke_width=stroke, stroke_fill="black")


def film(seconds: float) -> Image.Image:
    """A camera that moves, a logo, a title, a name, and a dialogue."""
    picture = camera(seconds)
    write(picture, "KANAL 4", (610, 14), 20, "ra")
    if 2.0 <= seconds < 8.0:
        write(picture, "The Long Way Home", (40, 60), 40)
    if 9.5 <= seconds < 13.0:
        write(picture, "Anna Berg, fisher", (40, 240), 20)
    for start, end, text in SPOKEN:
        if start <= seconds < end:
            write(picture, text, (320, 340), 22, "mb")
    return picture


def crawl(pace: float) -> Draw:
    font = ImageFont.load_default(22)
    strip = Image.new("RGB", (2 * WIDTH + round(font.getlength(NEWS)), 36), (20, 20, 110))
    ImageDraw.Draw(strip).text((WIDTH, 6), NEWS, "white", font)

    def draw(seconds: float) -> Image.Image:
        picture, left = camera(seconds), round(pace * seconds)
        picture.paste(strip.crop((left, 0, left + WIDTH, 36)), (0, 316))
        if 7.0 <= seconds < 8.0:
            write(picture, "The secret word is VIOLIN", (60, 100), 24)
        return picture

    return draw


def rising(pace: float) -> Draw:
    page = Image.new("RGB", (WIDTH, 2 * HEIGHT + 50 * len(NAMES)))
    for number, name in enumerate(NAMES):
        write(page, name, (320, HEIGHT + 50 * number), 24, "mt")
    return lambda seconds: page.crop((0, round(pace * seconds), WIDTH, round(pace * seconds) + HEIGHT))


def lecture(seconds: float) -> Image.Image:
    picture, number = Image.new("RGB", (WIDTH, HEIGHT), (245, 245, 245)), int(seconds // 4)
    title, *lines = SLIDES[number]
    write(picture, title, (320, 30), 36, "ma", "black")
    for at, line in enumerate(lines):
        if seconds - 4 * number >= at:
            write(picture, line, (320, 240 + 50 * at), 22, "ma", "black")
    return picture


def clock(seconds: float) -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), (40, 60, 40))
    write(picture, f"12:40:{int(seconds):02d}", (320, 340), 22, "mb")
    return picture


def render(draw: Draw, seconds: float, path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "22", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(round(seconds * RATE)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(draw(number / RATE)), "rgb24")))
        out.mux(stream.encode())


def rows(draw: Draw, seconds: float, path: Path) -> tuple[list[Observation], int]:
    """The rows of a video that is drawn, and how many of its pictures were read."""
    render(draw, seconds, path)
    reader, pictures = OcrReader(), 0
    scan = media.scan(path, text_frames=True)
    for batch in scan:
        reader.read(batch)
        pictures += len(batch.text_frames)
    return reader.observations(scan.duration_seconds), pictures


def of(found: Sequence[Observation], kind: str) -> list[Observation]:
    return [row for row in found if row.attributes["kind"] == kind]


def letters(text: str) -> str:
    return re.sub(r"[^a-z0-9*]", "", text.casefold())


def test_a_dialogue_over_a_moving_picture_is_subtitles_and_nothing_else_is(tmp_path: Path) -> None:
    found, _ = rows(film, 17.0, tmp_path / "film.mp4")
    spoken = of(found, "subtitle")
    assert [letters(row.text) for row in spoken] == [letters(text) for _, _, text in SPOKEN]
    for row, (start, end, _) in zip(spoken, SPOKEN, strict=True):
        assert (row.span.start_seconds, row.span.end_seconds) == pytest.approx((start, end), abs=0.5)
    others = " ".join(row.text for row in of(found, "screen"))
    assert all(text in others for text in ("KANAL 4", "The Long Way Home", "Anna Berg"))


@pytest.mark.parametrize(("pace", "seconds"), [(80.0, 18.0), (180.0, 14.0)])
def test_a_crawl_is_a_row_per_ten_seconds_and_text_beside_it_is_found(
    pace: float, seconds: float, tmp_path: Path
) -> None:
    found, pictures = rows(crawl(pace), seconds, tmp_path / "news.mp4")
    moving = of(found, "rolling")
    assert len(moving) == 2
    text = letters(" ".join(row.text for row in moving))
    assert text[:-14] in letters(NEWS)
    assert len(text) >= 0.8 * pace * (seconds - 2.0) / WIDTH * 55
    times = {word: at for row in moving for at, word in row.attributes["readings"]}
    came = ImageFont.load_default(22).getlength(NEWS[: NEWS.index("Thursday") + 8]) / pace
    assert times["Thursday"] == pytest.approx(came, abs=0.5)
    (needle,) = of(found, "screen")
    assert "VIOLIN" in needle.text
    assert (needle.span.start_seconds, needle.span.end_seconds) == pytest.approx((7.0, 8.0), abs=0.5)
    assert pictures <= seconds * pace / (0.5 * WIDTH) + 5


def test_credits_are_read_and_each_name_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render(rising(60.0), 13.0, tmp_path / "credits.mp4")
    with Library.open(tmp_path / "library", settings=Settings(embed=False)) as library:
        library.add([tmp_path / "credits.mp4"])
        found = library.describe_video("credits.mp4", track="ocr")["observations"]
    assert {row["attributes"]["kind"] for row in found} == {"rolling"}
    assert len(found) <= 2
    assert [letters(text) for row in found for _, text in row["attributes"]["readings"]] == [*map(letters, NAMES)]
    with pytest.raises(SystemExit):
        main(["--library", str(tmp_path / "library"), "show", "credits.mp4", "--track", "ocr"])
    assert "ocr (rolling)" in capsys.readouterr().out


def test_quick_slides_and_a_clock_are_neither(tmp_path: Path) -> None:
    found, _ = rows(lecture, 20.0, tmp_path / "lecture.mp4")
    assert {row.attributes["kind"] for row in found} == {"screen"}
    assert all(any(title in row.text for row in found) for title, *_ in SLIDES)
    ticks, _ = rows(clock, 14.0, tmp_path / "clock.mp4")
    assert {row.attributes["kind"] for row in ticks} == {"screen"}
    assert any(len(row.attributes.get("readings", ())) >= 3 for row in ticks)
