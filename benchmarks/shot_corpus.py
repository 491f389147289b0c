"""Videos of shots whose boundaries are known to the frame: cuts, dissolves, fades, and what is mistaken for them.

Everything is drawn from a seed. A shot is a textured scene, seen by a camera that holds, drifts, pans or zooms, with
things that move before it, under grain. Shots of one video share a palette, as those of one film do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 320, 180, 25
_SHOTS = 12
_MARGIN = 160
_GRAINS = 12

Picture = NDArray[np.uint8]

#: What one video of each kind holds. The last four are cut hard; what is hard about them is in the name.
KINDS = ("cuts", "dissolves", "fades", "mixed", "flashes", "pans", "crossings", "static")
#: The kinds of boundary that each kind of video draws from.
_JOINS = {"dissolves": ("dissolve",), "fades": ("fade",), "mixed": ("cut", "cut", "dissolve", "fade")}


@dataclass(frozen=True, slots=True)
class Boundary:
    """One true shot change: frames first..last hold the change; for a cut, both are the new shot's first frame."""

    kind: str
    first: int
    last: int


def render(path: Path, kind: str, seed: int) -> list[Boundary]:
    """Write one video of that kind, H.264 of 320x180 at 25 frames/s, and tell where its shots change."""
    draw = np.random.default_rng([KINDS.index(kind), seed])
    truth: list[Boundary] = []
    with av.open(str(path), "w") as target:
        options = {"preset": "veryfast", "crf": str(int(draw.integers(18, 30)))}
        stream = target.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in _pictures(kind, draw, truth):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        target.mux(stream.encode())
    return truth


def _pictures(kind: str, draw: np.random.Generator, truth: list[Boundary]) -> Iterator[Picture]:
    # From fog to sunlight: in a video of low contrast, a cut changes the pixels less than a wink in another one.
    palette = draw.uniform(40, 215) + draw.uniform(0.3, 1.0) * draw.uniform(-105, 105, (5, 3))
    count = 0
    shot = _Shot(kind, draw, palette)
    for number in range(_SHOTS):
        length = int(draw.integers(30, 110))
        for _ in range(length):
            yield shot.next()
        count += length
        if number == _SHOTS - 1:
            return
        following = _Shot(kind, draw, palette)
        join = str(draw.choice(_JOINS.get(kind, ("cut",))))
        joined = list(_join(join, shot, following, draw))
        truth.append(Boundary(join, count, count + len(joined)))
        yield from joined
        count += len(joined)
        shot = following


def _join(join: str, shot: _Shot, following: _Shot, draw: np.random.Generator) -> Iterator[Picture]:
    """The pictures that belong to both shots: none for a cut."""
    if join == "dissolve":
        length = int(draw.integers(5, 26))
        for step in range(1, length + 1):
            yield _mix(shot.next(), following.next(), step / (length + 1))
    elif join == "fade":
        colour = np.full((HEIGHT, WIDTH, 3), draw.choice([0, 255]), np.uint8)
        length_out, hold, length_in = (int(draw.integers(*bounds)) for bounds in ((5, 21), (1, 11), (5, 21)))
        for step in range(1, length_out + 1):
            yield _mix(shot.next(), colour, step / (length_out + 1))
        for _ in range(hold):
            yield colour
        for step in range(1, length_in + 1):
            yield _mix(colour, following.next(), step / (length_in + 1))


def _mix(one: Picture, other: Picture, share: float) -> Picture:
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)


class _Shot:
    """A scene and a camera; `next` draws the next picture."""

    def __init__(self, kind: str, draw: np.random.Generator, palette: NDArray[np.float64]) -> None:
        self._kind, self._draw = kind, draw
        self._scene = _slide(draw, palette) if kind == "static" else _scene(draw, palette)
        still = kind == "static" or draw.random() < 0.3
        self._at = draw.uniform(0.3, 0.7, 2) * (2 * _MARGIN)
        self._speed = np.zeros(2) if still else draw.normal(0, 1.2, 2)
        self._zoom, self._zooming = 1.0, 1.0 if still else float(np.exp(draw.normal(0, 0.0015)))
        self._things = [_Thing(draw, palette) for _ in range(0 if kind == "static" else int(draw.integers(0, 4)))]
        noise = 0.0 if kind == "static" else draw.uniform(0, 6)
        self._grain = draw.normal(0, noise, (_GRAINS, HEIGHT, WIDTH, 1)).astype(np.int16) if noise else None
        self._number = 0
        self._event_at = int(draw.integers(10, 26))
        self._event: list[float] = []

    def next(self) -> Picture:
        self._number += 1
        if self._number % 35 == self._event_at % 35:
            self._event = self._begin_event()
        strength = self._event.pop(0) if self._event else 0.0
        whip = np.array([strength, 0.0]) if self._kind == "pans" else 0.0
        self._at = np.abs(self._at + self._speed + whip)
        self._at = 2 * _MARGIN - np.abs(2 * _MARGIN - self._at)
        self._zoom *= self._zooming
        matrix = np.array([[self._zoom, 0, self._at[0]], [0, self._zoom, self._at[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(self._scene, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT)
        for thing in self._things:
            thing.paint(picture)
        if self._kind == "crossings" and strength:
            self._cross(picture, strength)
        if self._grain is not None:
            picture = np.clip(picture + self._grain[self._number % _GRAINS], 0, 255).astype(np.uint8)
        if self._kind == "flashes" and strength:
            return _mix(np.asarray(picture, np.uint8), np.full_like(picture, 255), strength)
        return np.asarray(picture, np.uint8)

    def _begin_event(self) -> list[float]:
        """What disturbs the shot for the next frames: light, whip of the camera, or place of who walks by."""
        draw = self._draw
        if self._kind == "flashes":
            peak = draw.uniform(0.5, 1.0)
            return [peak * fade for fade in (1.0, 0.9, 0.6, 0.3)[: int(draw.integers(1, 5))]]
        length = int(draw.integers(5, 18))
        if self._kind == "pans":
            return [float(draw.choice([-1, 1]) * draw.uniform(100, 320)) / length] * length
        return [step / length for step in range(1, length)] if self._kind == "crossings" else []

    def _cross(self, picture: Picture, share: float) -> None:
        """Somebody dark, half as wide as the picture, passes close before the camera."""
        centre = int(share * 2 * WIDTH - WIDTH / 2)
        cv2.ellipse(picture, (centre, HEIGHT), (WIDTH // 4, HEIGHT), 0, 0, 360, (38, 30, 52), -1, cv2.LINE_AA)


def _scene(draw: np.random.Generator, palette: NDArray[np.float64]) -> Picture:
    """Smooth patches of the palette's colours, texture of several grains, and some things with edges."""
    size = (WIDTH + 2 * _MARGIN, HEIGHT + 2 * _MARGIN)
    picture = np.zeros((size[1], size[0], 3), np.float32)
    contrast = float(palette.std()) / 60
    picture += draw.choice(palette) + draw.normal(0, 25 * contrast, 3)
    for cells, strength in ((5, 38), (12, 25), (40, 14), (120, 9)):
        noise = draw.normal(0, strength * contrast, (cells, round(cells * 1.3), 3)) * draw.uniform(0.4, 1.0, 3)
        picture += cv2.resize(noise.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    scene = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(int(draw.integers(4, 14))):
        colour = [float(value) for value in np.clip(draw.choice(palette) + draw.normal(0, 20 * contrast, 3), 0, 255)]
        corner = draw.integers(0, size, 2)
        cv2.rectangle(scene, corner.tolist(), (corner + draw.integers(15, 150, 2)).tolist(), colour, -1, cv2.LINE_AA)
    return scene


def _slide(draw: np.random.Generator, palette: NDArray[np.float64]) -> Picture:
    """A page of a talk: a plain ground, a picture, lines of text."""
    scene = np.empty((HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN, 3), np.uint8)
    scene[:] = np.clip(draw.choice([30.0, 215.0]) + draw.normal(0, 25, 3), 0, 255)
    ink = [float(value) for value in 255 - scene[0, 0].astype(float)]
    for row in range(_MARGIN, HEIGHT + _MARGIN, 22):
        text = "".join(draw.choice(list("abcdefgh iklmno rstuvw"), 30))
        cv2.putText(scene, text, (_MARGIN, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1, cv2.LINE_AA)
    left, top = (int(value) for value in draw.integers((_MARGIN, _MARGIN), (_MARGIN + 200, _MARGIN + 100)))
    scene[top : top + 120, left : left + 200] = _scene(draw, palette)[:120, :200]
    return scene


class _Thing:
    """A coloured ellipse that moves before the scene and turns back at the edges."""

    def __init__(self, draw: np.random.Generator, palette: NDArray[np.float64]) -> None:
        self._at, self._speed = draw.uniform((0, 0), (WIDTH, HEIGHT)), draw.normal(0, 3, 2)
        self._axes = [int(side) for side in draw.integers(8, 40, 2)]
        self._colour = [float(value) for value in np.clip(draw.choice(palette) + draw.normal(0, 60, 3), 0, 255)]

    def paint(self, picture: Picture) -> None:
        self._at += self._speed
        outside = (self._at < 0) | (self._at > (WIDTH, HEIGHT))
        self._speed = np.where(outside, -self._speed, self._speed)
        centre = [round(float(value)) for value in self._at]
        cv2.ellipse(picture, centre, self._axes, 0, 0, 360, self._colour, -1, cv2.LINE_AA)
