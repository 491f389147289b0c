"""What is drawn on frames before a model sees them: times, numbered marks; and how they are shrunk and compressed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentvid.media.types import Image, Region
from agentvid.models.base import Picture

_JPEG_QUALITY = 90
#: Colours of marks, told apart also by those who do not see red and green (Okabe and Ito 2008).
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))


def resized(image: Image, size: tuple[int, int]) -> Image:
    """(height, width, 3) at `size` (width, height), averaged where it shrinks."""
    import cv2

    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def burn_label(image: Image, text: str) -> Image:
    """A copy with `text` (ASCII) in white on black at the top left, scaled to the picture."""
    import cv2

    drawn = np.ascontiguousarray(image).copy()
    _write(cv2, drawn, text, (0, 0), (0, 0, 0), (255, 255, 255))
    return drawn


def draw_marks(image: Image, marks: Sequence[tuple[int, Region]]) -> Image:
    """A copy with a numbered box around each part: "set of marks", by which a model can name what it means.

    After Inst-IT (Peng et al. 2024): the same number is the same thing in every frame.
    """
    import cv2

    drawn = np.ascontiguousarray(image).copy()
    height, width = drawn.shape[:2]
    for number, region in marks:
        colour = _COLOURS[number % len(_COLOURS)]
        left, top = int(region.x0 * width), int(region.y0 * height)
        right, bottom = int(region.x1 * width) - 1, int(region.y1 * height) - 1
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, max(1, height // 180))
        _write(cv2, drawn, str(number), (left, top), colour, (0, 0, 0))
    return drawn


def _write(cv2, image: Image, text: str, at: tuple[int, int], paper: tuple[int, ...], ink: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    scale = max(0.35, image.shape[0] / 720)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left, top = at
    cv2.rectangle(image, at, (left + width + 4, top + height + below + 4), paper, -1)
    cv2.putText(image, text, (left + 2, top + height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)


def compressed(image: Image) -> Picture:
    """(height, width, 3) RGB as JPEG."""
    import cv2

    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert ok
    return Picture(data.tobytes(), "image/jpeg", image.shape[1], image.shape[0])
