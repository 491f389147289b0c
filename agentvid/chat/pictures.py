"""Small pictures of cited moments, where the terminal draws them: Kitty's protocol, Sixel, else coloured half cells."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from agentvid.chat.session import Place
from agentvid.chat.terminal import Terminal
from agentvid.errors import MediaError, MissingDependency, NotFound

if TYPE_CHECKING:
    from rich.console import RenderableType

    from agentvid.library import Library

#: Of an answer the first few moments; a list of pictures is what the page is for.
MAX_PICTURES = 3
_COLUMNS, _MAX_SIDE = 32, 320


class Pictures:
    """Draws moments. Opening it asks the terminal what it can draw, so that it is done before anybody types."""

    def __init__(self, library: Library) -> None:
        """Raises MissingDependency without textual-image."""
        try:
            from textual_image.renderable import Image
        except ImportError:
            raise MissingDependency(
                "pictures need textual-image, which is not installed", hint="pip install 'agentvid[tui]'"
            ) from None
        # A terminal that does not answer is no news.
        logging.getLogger("textual_image").addHandler(logging.NullHandler())
        self._library = library
        self._image: Any = Image
        # The size of a cell is asked for when the first picture is drawn: now, and not between the user's keys.
        Console(file=io.StringIO(), width=2).print(self._drawn(np.zeros((2, 2, 3), np.uint8)))

    def of(self, places: Sequence[Place]) -> Mapping[int, RenderableType]:
        """Number, from 1, -> picture of the first places; without those whose file is gone or cannot be decoded."""
        from agentvid.exports.material import usable_file
        from agentvid.media.limits import limits_of
        from agentvid.media.read import frames_at

        found = {}
        for number, place in enumerate(places[:MAX_PICTURES], 1):
            try:
                file, _ = usable_file(self._library.catalogue.video(place.video_id))
                if file is not None:
                    middle = (place.span.start_seconds + place.span.end_seconds) / 2
                    limits = limits_of(self._library.settings)
                    (frame,) = frames_at(file, [middle], max_side=_MAX_SIDE, limits=limits)
                    found[number] = self._drawn(frame.image)
            except (MediaError, NotFound):
                continue
        return found

    def _drawn(self, pixels: Any) -> RenderableType:
        from PIL import Image

        drawn: RenderableType = self._image(Image.fromarray(pixels), width=_COLUMNS, height="auto")
        return drawn


def can_draw(terminal: Terminal) -> bool:
    """True if the terminal redraws, has colours and room."""
    return terminal.is_rich and terminal.has_colours and terminal.width > _COLUMNS + 8
