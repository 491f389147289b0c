"""Child side: a picture file as pixels, upright, small enough for a model to look at.

Pillow opens nothing but the formats named here, and no picture with more pixels than a frame may have.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from agentvid.errors import DamagedMedia, MissingDependency, NotAVideo
from agentvid.media.limits import KEY_FRAME_SIDE, Limits
from agentvid.media.pictures import put_image
from agentvid.media.wire import Outbox

_FORMATS = ("JPEG", "PNG", "WEBP")


def still(request: dict[str, Any], limits: Limits, outbox: Outbox) -> None:
    """A "picture" message with the picture on standard input, longest side at most KEY_FRAME_SIDE."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError:
        raise MissingDependency("Pillow is not installed", hint="pip install pillow") from None
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    try:
        with os.fdopen(0, "rb", closefd=False) as file, Image.open(file, formats=_FORMATS) as opened:
            # JPEG alone can be decoded smaller than it is.
            opened.draft("RGB", (KEY_FRAME_SIDE, KEY_FRAME_SIDE))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise NotAVideo("not a picture that agentvid reads", hint="JPEG, PNG and WebP work") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DamagedMedia(
            f"it has more than {limits.max_pixels} pixels", hint="make it smaller, or set AGENTVID_MAX_PIXELS"
        ) from None
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow's readers raise for broken files
        raise DamagedMedia(f"it cannot be decoded: {error}", hint="save it again as JPEG or PNG") from None
    picture.thumbnail((KEY_FRAME_SIDE, KEY_FRAME_SIDE))
    put_image(outbox, "picture", 0.0, np.asarray(picture, np.uint8))
    outbox.put("end")
