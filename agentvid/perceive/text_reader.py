"""Reads the lettering in one picture. RapidOCR is shipped; another engine is one more class with `read`."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from agentvid.egress import OPEN, Outlet
from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.media.types import Image

Grey = NDArray[np.uint8]
Corners = NDArray[np.float32]

#: Lettering in pictures whose longer side is less than the first is found better in twice the size, up to the second.
_SMALL_SIDE, _DETECTION_SIDE = 640, 960
#: Shorter lines are padded to this width; the default of 320 makes a word cost as much as a sentence.
_RECOGNITION_WIDTH = 160
#: Recognition wins nothing from more threads on single lines, and the decoder needs the other core.
_THREADS = 1
#: A line that is read less surely is read in other sizes too: so much smaller, and with so many heights more around it.
_SURE, _SMALLER, _MORE_BESIDE, _MORE_ABOVE = 0.99, 0.75, 0.3, 0.2
_L_FOR_I = re.compile(r"(?<=[A-Z])l(?=[A-Z])|(?<![^\W_])l(?=[A-Z]{3})")
#: A line is not read again while no spot of it changes more than this (luma, mean over a spot).
_SPOT_PIXELS, _SPOT_CHANGE = 4, 10


#: A recogniser of one's own is named by its file.
_FILE = ".onnx"

#: Left, top, right, bottom.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text. `box`: left, top, right, bottom as shares (0..1) of the picture's width and height."""

    text: str
    confidence: float
    box: Box


class TextReading(NamedTuple):
    """What a recogniser says of one crop."""

    text: str
    confidence: float


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
    """RapidOCR on onnxruntime with the models inside its wheel, which read Chinese, Japanese and Latin letters.

    For other `letters` (config.OCR_LETTERS) RapidOCR's own recogniser is fetched once, into `cache`; a file that ends
    in .onnx is a recogniser of PaddleOCR that holds its characters.

    Detection runs on every picture; recognition, which costs most, only on lines whose pixels changed, and more than
    once only on those that are not read surely.
    Raises MissingDependency if rapidocr or the models in its wheel are absent, UsageError for a file that is not there
    and where nothing may be fetched, ModelError for a recogniser that cannot be had or read.
    """

    def __init__(self, letters: str = "", *, cache: Path | None = None, outlet: Outlet = OPEN) -> None:
        try:
            import rapidocr
        except ImportError as error:
            raise MissingDependency(
                f"on-screen text cannot be read: {error}",
                hint="pip install 'rapidocr>=3.8,<4' onnxruntime, or switch it off with AGENTVID_OCR=false",
            ) from None
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        models = Path(rapidocr.__file__).parent / "models"
        detector = _model(models, "det")
        recogniser = _recogniser(letters, cache or models, outlet) if letters else _model(models, "rec")
        params = {
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
        if letters and not letters.endswith(_FILE):
            params["Rec.lang_type"] = rapidocr.LangRec(letters)  # Arabic is read from the right
        self._engine: Any = rapidocr.RapidOCR(params=params)
        if letters:
            self._try_out(letters)
        self.model = f"rapidocr/{recogniser.stem}"
        self.revision = rapidocr_version()
        self._last: tuple[Grey, list[TextLine]] | None = None

    def _try_out(self, letters: str) -> None:
        """Raises ModelError for a recogniser that cannot be used: RapidOCR loads it when it is first needed."""
        try:
            self._recognised(np.zeros((48, _RECOGNITION_WIDTH, 3), np.uint8))
        except Exception as error:  # onnxruntime's, and whatever a model of something else leads to
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise ModelError(
                f"the recogniser {letters!r} cannot be used: {reason[0]}",
                hint="set ocr_letters to a PaddleOCR recogniser in ONNX format that holds its characters",
            ) from error

    def read(self, image: Image) -> list[TextLine]:
        picture = _enlarge(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        found = self._engine(picture, use_det=True, use_cls=False, use_rec=False).boxes
        lines = [self._line(picture, grey, corners) for corners in ([] if found is None else found)]
        self._last = (grey, lines)
        return [line for line in lines if line.text]

    def _line(self, picture: Image, grey: Grey, corners: Corners) -> TextLine:
        height, width = grey.shape
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        box = (left / width, top / height, right / width, bottom / height)
        known = self._unchanged(grey, box)
        if known is not None:
            return known
        found = agreed(self._readings(picture, np.asarray(corners, np.float32)))
        return TextLine(found.text, found.confidence, box)

    def _readings(self, picture: Image, corners: Corners) -> Iterator[TextReading]:
        """What stands there: as it was found; somewhat smaller; with more around it."""
        from rapidocr.utils.process_img import get_rotate_crop_image

        crop = get_rotate_crop_image(picture, corners)
        yield self._recognised(crop)
        yield self._recognised(cv2.resize(crop, None, fx=_SMALLER, fy=_SMALLER, interpolation=cv2.INTER_AREA))
        yield self._recognised(get_rotate_crop_image(picture, _widened(corners, picture.shape)))

    def _recognised(self, crop: Image) -> TextReading:
        read = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        return (
            TextReading(capital_i(read.txts[0]), min(1.0, float(read.scores[0]))) if read.txts else TextReading("", 0.0)
        )

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


def agreed(readings: Iterable[TextReading]) -> TextReading:
    """Of several readings of one text the one that two give, the surest if all differ; spaces are those of the first.

    A first one that is sure enough stands alone, and no more are taken than are needed. A letter that is misread is
    misread at one size and seldom at another, and no less surely: confidence does not tell (majority voting of
    recognisers, Rice et al., 1994).
    """
    taken: list[TextReading] = []
    for reading in readings:
        if not taken and reading.confidence >= _SURE:
            return reading
        same = next((other for other in taken if _bare(other.text) == _bare(reading.text)), None)
        if same is not None:
            return TextReading(same.text, max(same.confidence, reading.confidence))
        taken.append(reading)
    return max(taken, key=lambda one: one.confidence)


def capital_i(text: str) -> str:
    """With I for an l that stands between capitals, or before three: "GLAClER" is "GLACIER"."""
    return _L_FOR_I.sub("I", text)


def _bare(text: str) -> str:
    return "".join(text.split())


def _widened(corners: Corners, shape: Sequence[int]) -> Corners:
    """The box of a line with more of the picture around it, as far as there is more."""
    height = float(np.linalg.norm(corners[3] - corners[0]))
    outwards = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    wide = corners + outwards * np.array([_MORE_BESIDE * height, _MORE_ABOVE * height], np.float32)
    return np.asarray(np.clip(wide, 0, [shape[1] - 1, shape[0] - 1]), np.float32)


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


def _recogniser(letters: str, cache: Path, outlet: Outlet) -> Path:
    """The file of the recogniser for other letters, fetched if it is not in the cache yet. See RapidTextReader."""
    if letters.endswith(_FILE):
        file = Path(letters).expanduser()
        if not file.is_file():
            raise UsageError(f"ocr_letters: {letters}: no such file", hint="name a PaddleOCR recogniser in ONNX format")
        return file
    import rapidocr
    from rapidocr.inference_engine.base import FileInfo, InferSession
    from rapidocr.utils.download_file import DownloadFile, DownloadFileInput
    from rapidocr.utils.typings import TaskType

    known = InferSession.get_model_url(
        FileInfo(
            engine_type=rapidocr.EngineType.ONNXRUNTIME,
            ocr_version=rapidocr.OCRVersion.PPOCRV5,
            task_type=TaskType.REC,
            lang_type=rapidocr.LangRec(letters),
            model_type=rapidocr.ModelType.MOBILE,
        )
    )
    url, digest = known["model_dir"], known["SHA256"]
    file = cache / "rapidocr" / Path(url).name
    if file.is_file() and DownloadFile.check_file_sha256(file, digest):
        return file
    outlet.download("recogniser", letters, urlsplit(url).hostname or url)
    try:
        DownloadFile.run(DownloadFileInput(url, file, logging.getLogger("RapidOCR"), digest, verbose=False))
    except Exception as error:  # requests' errors, full disks
        raise ModelError(f"the recogniser {letters!r} cannot be fetched: {error}", hint="try again") from error
    if not DownloadFile.check_file_sha256(file, digest):
        file.unlink()
        raise ModelError(f"the recogniser {letters!r} came damaged from {url}", hint="try again")
    return file
