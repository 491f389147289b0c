"""Reads the lettering in one picture. RapidOCR is shipped; another engine is one more class with `read`."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agentvid.errors import MissingDependency
from agentvid.media.types import Image

Grey = NDArray[np.uint8]
Corners = NDArray[np.float32]

#: Lettering in pictures whose longer side is less than the first is found better in twice the size, up to the second.
_SMALL_SIDE, _DETECTION_SIDE = 640, 960
#: Shorter lines are padded to this width; the default of 320 makes a word cost as much as a sentence.
_RECOGNITION_WIDTH = 160
#: Recognition wins nothing from more threads on single lines, and the decoder needs the other core.
_THREADS = 1
#: A line is not read again while no spot of it changes more than this (luma, mean over a spot).
_SPOT_PIXELS, _SPOT_CHANGE = 4, 10


#: Left, top, right, bottom.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text. `box`: left, top, right, bottom as shares (0..1) of the picture's width and height."""

    text: str
    confidence: float
    box: Box


class TextReader(Protocol):
    """Reads pictures in the order they are shown; may remember the one before to save work."""

    @property
    def model(self) -> str:
        """Name of what reads, for provenance."""
        ...

    @property
    def revision(self) -> str: ...

    def read(self, image: Image) -> list[TextLine]:
        """The lines in a (height, width, 3) uint8 RGB picture, in any order."""
        ...


class RapidTextReader:
    """RapidOCR on onnxruntime with the models inside its wheel: nothing is downloaded.

    Detection runs on every picture; recognition, which costs most, only on lines whose pixels changed.
    Raises MissingDependency if rapidocr or the models in its wheel are absent.
    """

    def __init__(self) -> None:
        try:
            import rapidocr
        except ImportError as error:
            raise MissingDependency(
                f"on-screen text cannot be read: {error}",
                hint="pip install 'rapidocr>=3.8,<4' onnxruntime, or switch it off with AGENTVID_OCR=false",
            ) from None
        models = Path(rapidocr.__file__).parent / "models"
        detector, recogniser = _model(models, "det"), _model(models, "rec")
        self._engine: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Global.use_vertical_padding": False,
                "Global.max_side_len": 4096,
                "EngineConfig.onnxruntime.intra_op_num_threads": _THREADS,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.limit_type": "max",
                "Det.limit_side_len": _DETECTION_SIDE,
                "Det.model_path": str(detector),
                "Rec.model_path": str(recogniser),
                "Rec.rec_img_shape": [3, 48, _RECOGNITION_WIDTH],
            }
        )
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        self.model = f"rapidocr/{recogniser.stem}"
        self.revision = rapidocr_version()
        self._last: tuple[Grey, list[TextLine]] | None = None

    def read(self, image: Image) -> list[TextLine]:
        picture = _enlarge(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        found = self._engine(picture, use_det=True, use_cls=False, use_rec=False).boxes
        lines = [self._line(picture, grey, corners) for corners in ([] if found is None else found)]
        self._last = (grey, lines)
        return [line for line in lines if line.text]

    def _line(self, picture: Image, grey: Grey, corners: Corners) -> TextLine:
        from rapidocr.utils.process_img import get_rotate_crop_image

        height, width = grey.shape
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        box = (left / width, top / height, right / width, bottom / height)
        known = self._unchanged(grey, box)
        if known is not None:
            return known
        crop = get_rotate_crop_image(picture, np.asarray(corners, np.float32))
        read = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        return TextLine(read.txts[0], min(1.0, float(read.scores[0])), box) if read.txts else TextLine("", 0.0, box)

    def _unchanged(self, grey: Grey, box: Box) -> TextLine | None:
        """The line read here in the last picture, if its pixels are still the same."""
        if self._last is None or self._last[0].shape != grey.shape:
            return None
        last, lines = self._last
        line = max(lines, key=lambda line: overlap(line.box, box), default=None)
        if line is None or overlap(line.box, box) < 0.8:
            return None
        height, width = grey.shape
        area = np.s_[int(box[1] * height) : int(box[3] * height) + 1, int(box[0] * width) : int(box[2] * width) + 1]
        change = cv2.absdiff(grey[area], last[area])
        spots = (max(1, change.shape[1] // _SPOT_PIXELS), max(1, change.shape[0] // _SPOT_PIXELS))
        return line if cv2.resize(change, spots, interpolation=cv2.INTER_AREA).max() <= _SPOT_CHANGE else None


def rapidocr_version() -> str:
    """The installed version of rapidocr, whose wheel holds the models; "" if it is not installed."""
    try:
        return importlib.metadata.version("rapidocr")
    except importlib.metadata.PackageNotFoundError:
        return ""


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom), 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def _enlarge(picture: Any) -> Any:
    longer = max(picture.shape[:2])
    if longer >= _SMALL_SIDE:
        return picture
    scale = min(2.0, _DETECTION_SIDE / longer)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _model(folder: Path, kind: str) -> Path:
    """The model of that kind in rapidocr's wheel; naming it keeps rapidocr from downloading another."""
    found = sorted(folder.glob(f"*_{kind}_*.onnx"))
    if not found:
        raise MissingDependency(
            f"{folder} holds no *_{kind}_*.onnx model; allowed: a rapidocr wheel that contains its models",
            hint="pip install --force-reinstall 'rapidocr>=3.8,<4'",
        )
    return found[-1]
