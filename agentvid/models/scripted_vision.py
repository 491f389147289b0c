"""A model that needs no weights and looks at images all the same: it decodes what it is sent and follows a script.

It refuses what no model should be sent: what is no image, an image of another size than announced, times that run
backwards. So a test in which it answers has checked order, times and sizes of everything that it was shown.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentvid.errors import ModelError
from agentvid.models.base import Picture, Reply, Shape
from agentvid.models.scripted import Line, ScriptedChat

#: A time in a caption: "t=12.50 s".
_TIME = re.compile(r"\bt=(\d+(?:\.\d+)?) s\b")


@dataclass(frozen=True, slots=True)
class Shown:
    """One decoded image: (height, width, 3) uint8 RGB, the text right before it, and the times named there."""

    image: NDArray[np.uint8]
    caption: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One call that a scripted vision model received: all its texts joined by line breaks, and its images in order."""

    system: str
    text: str
    shown: tuple[Shown, ...]


class ScriptedVision:
    """A vision model that follows a script and records what it saw in `looks`.

    Replies as those of `ScriptedChat`; a function takes the `Look` and returns the reply. Token counts are numbers of
    words. Raises ModelError for what it refuses to look at, or when no line of the script is left.
    """

    def __init__(self, replies: Sequence[str | Line] | Callable[[Look], str], *, name: str = "scripted") -> None:
        self.looks: list[Look] = []
        self._lock = threading.Lock()
        self._answer = replies if callable(replies) else None
        self._script = ScriptedChat([] if callable(replies) else replies, name=name)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedVision:
        """Read a script as `ScriptedChat.from_file` does; raises UsageError likewise."""
        vision = cls([])
        vision._script = ScriptedChat.from_file(path)
        return vision

    @property
    def name(self) -> str:
        return self._script.name

    @property
    def revision(self) -> str:
        return ""

    def look(self, system: str, parts: Sequence[str | Picture]) -> Reply:
        """Decode every picture, check the order of their times, and answer."""
        look = Look(system, "\n".join(part for part in parts if isinstance(part, str)), tuple(_shown(self.name, parts)))
        with self._lock:
            self.looks.append(look)
        if self._answer is None:
            return self._script.reply(system, look.text)
        text = self._answer(look)
        return Reply(text, input_tokens=len(look.text.split()), output_tokens=len(text.split()))

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        """As a chat model: the answer to a prompt without pictures."""
        return self.look(system, [user])


def _shown(name: str, parts: Sequence[str | Picture]) -> list[Shown]:
    found: list[Shown] = []
    caption = ""
    for part in parts:
        if isinstance(part, str):
            caption = part
            continue
        times = tuple(float(time) for time in _TIME.findall(caption))
        if list(times) != sorted(times) or (times and len(found) and _is_before(times, found[-1].seconds)):
            raise ModelError(f"{name}: image {len(found) + 1} at {_listed(times)} comes after {_listed(_last(found))}")
        found.append(Shown(_decoded(name, part), caption, times))
        caption = ""
    return found


def _is_before(times: tuple[float, ...], earlier: tuple[float, ...]) -> bool:
    """A single frame must not lie before the one shown before it; a grid of several may look back."""
    return len(times) == 1 == len(earlier) and times[0] < earlier[0]


def _last(found: Sequence[Shown]) -> tuple[float, ...]:
    return found[-1].seconds if found else ()


def _listed(times: Sequence[float]) -> str:
    return ", ".join(f"{time:g} s" for time in times) or "no time"


def _decoded(name: str, picture: Picture) -> NDArray[np.uint8]:
    import cv2

    image = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ModelError(f"{name}: {len(picture.data)} bytes of {picture.media_type} are no image")
    height, width = image.shape[:2]
    if (picture.width, picture.height) not in ((width, height), (0, 0)):
        raise ModelError(f"{name}: an image of {width}x{height} was announced as {picture.width}x{picture.height}")
    return np.ascontiguousarray(image[:, :, ::-1])
