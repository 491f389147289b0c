"""Bytes of a subtitle file -> cues: SubRip, WebVTT, SubStation Alpha, TTML, SAMI, in any encoding.

Strangers write these files, so every reader is linear in the input, keeps the good cues of a damaged file and counts
the others. SAMI is read by pysubs2. For the other formats pysubs2 is too strict or too lax: one bad time in an ASS or
TTML file raises for the whole file, a bad time in SubRip or WebVTT adds the cue's text to the cue before, and NOTE and
STYLE blocks become speech.
"""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from agentvid.errors import SubtitleError
from agentvid.media.types import Cue
from agentvid.types import Span

MAX_BYTES = 16 * 1024 * 1024
MAX_CUES = 200_000
MAX_CUE_BYTES = 4096
#: File name endings of subtitles, and the format to expect where the content does not tell.
SUFFIXES = {
    **{".srt": "subrip", ".vtt": "webvtt", ".ass": "ass", ".ssa": "ass"},
    **{".ttml": "ttml", ".dfxp": "ttml", ".xml": "ttml", ".smi": "sami", ".sami": "sami"},
}

#: Start and end in seconds, and the text with its inline markup; None stands for a malformed cue.
_Raw = tuple[float, float, str] | None

# Encodings in which subtitles were commonly written before UTF-8.
_LEGACY_ENCODINGS = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_USUAL_ENCODINGS = {
    **dict.fromkeys("da de en es fi fr is it nb nl nn no pt sv".split(), "cp1252"),
    **dict.fromkeys("bs cs hr hu pl ro sk sl sq".split(), "cp1250"),
    **{"el": "cp1253", "tr": "cp1254", "he": "cp1255", "ar": "cp1256", "fa": "cp1256", "th": "cp874"},
    **dict.fromkeys("et lt lv".split(), "cp1257"),
}
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The cues of one file in time order, its format, how many cues were malformed and left out, its sha256."""

    cues: tuple[Cue, ...]
    codec: str
    skipped: int = 0
    input_hash: str = ""


def parse_subtitles(data: bytes, *, name: str, language: str = "") -> Subtitles:
    """The cues of a subtitle file; `name` and `language` decide format and encoding where the content does not.

    Raises SubtitleError if it is no subtitle file, holds no cue, or breaks a limit.
    """
    if len(data) > MAX_BYTES:
        raise SubtitleError(
            f"{name} has {len(data):,} bytes; allowed: {MAX_BYTES:,}", hint="split it, or keep one language per file"
        )
    text = decode(data, language)
    codec = _codec(text, name)
    cues: list[Cue] = []
    skipped = 0
    for raw in _READERS[codec](text):
        if raw is not None and not raw[2].strip():
            continue
        if raw is None or not (0.0 <= raw[0] < raw[1] < math.inf):
            skipped += 1
            continue
        _check_limits(raw, len(cues), name)
        cues.append(Cue(Span(raw[0], raw[1]), raw[2].strip()))
    if not cues:
        found = f"no readable cue ({skipped} malformed)" if skipped else "no cue"
        raise SubtitleError(
            f"{name} holds {found}; allowed: SubRip, WebVTT, ASS/SSA, TTML, SAMI",
            hint="see whether a player shows it, repair it, or move it away from the video",
        )
    return Subtitles(
        tuple(sorted(cues, key=lambda cue: cue.span.start_seconds)), codec, skipped, hashlib.sha256(data).hexdigest()
    )


def decode(data: bytes, language: str = "") -> str:
    """Text of `data` in any encoding, with "\\n" as the only line end; no byte sequence fails.

    `language` helps to tell code pages apart.
    """
    text = _decode(data, language).removeprefix("\ufeff")
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def substation_text(text: str) -> str:
    """The words of a SubStation Alpha line: comments, overrides and drawings gone, line breaks real."""
    words: list[str] = []
    is_drawing = False
    for part in _OVERRIDE.split(text):
        if part.startswith("{"):
            if mode := _DRAWING_MODE.search(part):
                is_drawing = mode[1] != "0"
        elif not is_drawing:
            words.append(part)
    return "".join(words).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


def plain_text(text: str) -> str:
    """`text` without SubRip, WebVTT or ASS markup and ruby notes, entities decoded. Words between tags stay."""
    text = _RUBY_NOTE.sub("", _BRACED_TAG.sub("", text))
    text = _LINE_BREAK.sub("\n", text)
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _TAG.sub("", text))


# [^{}] and [^<>] stop at the next opening bracket, which keeps these linear on "{{{{{{" and "<<<<<<".
_OVERRIDE = re.compile(r"(\{[^{}]*\})")
_DRAWING_MODE = re.compile(r"\\p(\d)")
_BRACED_TAG = re.compile(r"\{\\[^{}]*\}")
_RUBY_NOTE = re.compile(r"<rt(?:[.\s][^<>]*)?>[^<]*(?:</rt>)?", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:[bius]|rp|em|strong|small|big|tt|strike|sub|sup)(?:\.[^\s<>]*)?\s*>"
    r"|</?(?:c|v|lang|ruby|rt|font|span|p|div)(?:[.\s][^<>]*)?>|<\d[\d:.]*>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")


def _check_limits(raw: tuple[float, float, str], before: int, name: str) -> None:
    size = len(raw[2].encode("utf-8", "replace"))
    if size > MAX_CUE_BYTES:
        raise SubtitleError(
            f"{name}: the cue at {raw[0]:g} s has {size:,} bytes; allowed: {MAX_CUE_BYTES:,}",
            hint="divide it into cues of a few lines",
        )
    if before >= MAX_CUES:
        raise SubtitleError(f"{name} has more cues than the {MAX_CUES:,} allowed", hint="split the file")


# -- encodings ---------------------------------------------------------------------------------------------------


def _decode(data: bytes, language: str) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    if wide := _wide_encoding(data[:4096]):
        return data.decode(wide, "replace")
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # A cut or a stray byte does not make UTF-8 something else; a file of another encoding is broken throughout.
    if broken == 0 or broken * 20 < sum(1 for character in text if character > "\x7f"):
        return text
    return data.decode(_legacy_encoding(data, language), "replace")


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: the digits and line ends of any subtitle have their zeros on one side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) * 10 < len(head) or min(even, odd) * 4 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _legacy_encoding(data: bytes, language: str) -> str:
    """The encoding usual for the language, if the bytes allow it; else charset-normalizer's guess.

    It guesses from the lines that are not ASCII, as times and tags would only dilute them. Where it finds code pages
    equally likely, as it does for a few words of Swedish, Western European is the likeliest.
    """
    from charset_normalizer import from_bytes

    usual = _USUAL_ENCODINGS.get(language.partition("-")[0])
    if usual and _is_decodable(data, usual):
        return usual
    sample = b"\n".join(line for line in data.splitlines() if not line.isascii())[:32_768]
    matches = list(from_bytes(sample, cp_isolation=_LEGACY_ENCODINGS))
    best = max(matches, key=lambda match: (-match.chaos, match.coherence, match.encoding == "cp1252"), default=None)
    return best.encoding if best else "cp1252"


def _is_decodable(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _codec(text: str, name: str) -> str:
    """The format by content, since names lie; else by suffix."""
    head = text[:8192].lstrip()
    if head.startswith("WEBVTT"):
        return "webvtt"
    if re.search(r"^\[(script info|events|v4\+? styles)\]", head, re.IGNORECASE | re.MULTILINE):
        return "ass"
    if head.startswith("<") and is_ttml(head):
        return "ttml"
    if head[:6].upper() == "<SAMI>":
        return "sami"
    return SUFFIXES.get("." + name.lower().rpartition(".")[2], "subrip")


def is_ttml(head: str) -> bool:
    """Whether the beginning of an XML file opens a `tt` element."""
    return re.search(r"<(?:\w+:)?tt[\s>]", head) is not None


# -- SubRip and WebVTT -------------------------------------------------------------------------------------------

# A fraction has three digits: ",5" and ",50" mean different times to different players, so they count as malformed.
_CLOCK = r"(?:(?:(\d{1,4}):)?(\d{1,3}):)?(\d{1,3})(?:[.,](\d{3}))?"
_TIMING = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_LIKE_TIMING = re.compile(r"[\s\d:.,-]*-->")
_ARROW = re.compile("-->")
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines between blank lines."""
    block: list[str] = []
    for line in text.split("\n"):
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _timed_blocks(text: str, *, webvtt: bool) -> Iterator[_Raw]:
    """Cues of a SubRip or WebVTT file.

    SubRip players show text after a blank line too, so a block without a time continues the cue before, unless it
    begins with a number: then it is a cue that lost its time. In WebVTT such blocks are comments or styles.
    """
    # WebVTT forbids arrows in text; in SubRip "A --> B" may be speech.
    like_timing = _ARROW.search if webvtt else _LIKE_TIMING.match
    cue: _Raw = None
    for block in _blocks(text):
        timings = [index for index, line in enumerate(block) if like_timing(line)]
        if timings and not (webvtt and _COMMENT.match(block[0])):
            if cue:
                yield cue
            *complete, cue = _cues_of(block, timings)
            yield from complete
            if cue is None:
                yield None
        elif webvtt:
            continue
        elif block[0].strip().isdigit():
            if cue:
                yield cue
            cue = None
            if len(block) > 1:
                yield None
        elif cue and len(cue[2]) <= MAX_CUE_BYTES:
            cue = (cue[0], cue[1], "\n".join([cue[2], *block]))
    if cue:
        yield cue


def _cues_of(block: list[str], timings: list[int]) -> list[_Raw]:
    """One cue per timing line; several where the blank lines between cues are missing."""
    is_numbered = timings[0] > 0 and block[timings[0] - 1].strip().isdigit()
    cues: list[_Raw] = []
    for begin, end in zip(timings, [*timings[1:], len(block)], strict=True):
        lines = block[begin + 1 : end]
        if is_numbered and end < len(block) and lines and lines[-1].strip().isdigit():
            lines.pop()
        match = _TIMING.fullmatch(block[begin])
        times = match.groups() if match else ()
        start_seconds, end_seconds = _clock_seconds(times[:4]), _clock_seconds(times[4:])
        if start_seconds is None or end_seconds is None:
            cues.append(None)
        else:
            cues.append((start_seconds, end_seconds, "\n".join(lines)))
    return cues


def _clock_seconds(groups: tuple[str | None, ...]) -> float | None:
    """Seconds of (hours, minutes, seconds, fraction); None for a bare number or minutes or seconds above 59."""
    if not groups or (groups[1] is None and groups[3] is None):
        return None
    hours, minutes, seconds = (int(group or 0) for group in groups[:3])
    if minutes > 59 or seconds > 59:
        return None
    milliseconds = int((groups[3] or "").ljust(3, "0"))
    return ((hours * 60 + minutes) * 60_000 + seconds * 1000 + milliseconds) / 1000


# -- SubStation Alpha --------------------------------------------------------------------------------------------

_EVENT_FIELDS = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
_EVENT_TIME = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.:,](\d{1,3}))?")


def _substation(text: str) -> Iterator[_Raw]:
    """Dialogue lines, in the field order that the section's Format line gives; the actor becomes a voice tag."""
    fields = _EVENT_FIELDS
    section = "[events]"
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line.lower()
        key, _, rest = line.partition(":")
        if section != "[events]":
            continue
        if key.strip().lower() == "format":
            fields = [name.strip().lower() for name in rest.split(",")]
        elif key.strip().lower() == "dialogue":
            yield _dialogue(dict(zip(fields, rest.split(",", len(fields) - 1), strict=False)))


def _dialogue(values: dict[str, str]) -> _Raw:
    start, end = (_EVENT_TIME.fullmatch(values.get(key, "").strip()) for key in ("start", "end"))
    if not start or not end or "text" not in values:
        return None
    start_seconds, end_seconds = _clock_seconds(start.groups()), _clock_seconds(end.groups())
    if start_seconds is None or end_seconds is None:
        return None
    words = substation_text(values["text"])
    actor = re.sub(r"[<>&]", "", values.get("name", "")).strip()
    return start_seconds, end_seconds, f"<v {actor}>{words}" if actor and words.strip() else words


# -- TTML --------------------------------------------------------------------------------------------------------

_TTML_CLOCK = re.compile(r"(\d{2,4}):(\d{2}):(\d{2})(?:\.(\d{1,9})|:(\d{2,3})(?:\.\d+)?)?")
_TTML_OFFSET = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|m|s|f|t)")
_SHOWN = {"p", "span"}
_DEEPEST_ELEMENT = 100


@dataclass(slots=True)
class _Element:
    """An open element: its interval, where its next child starts in a sequence, and the cue that its text joins."""

    name: str
    start_seconds: float
    end_seconds: float
    next_seconds: float
    is_sequence: bool = False
    has_times: bool = False
    is_cue: bool = False
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _TtmlTarget:
    """XMLParser target that builds cues and no tree. Times follow TTML2 §12: children count from their parent."""

    cues: list[_Raw] = field(default_factory=list)
    _open: list[_Element] = field(default_factory=list)
    _frames_per_second: float = 30.0
    _ticks_per_second: float = 1.0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        values = {_local(key): value for key, value in attributes.items()}
        if not self._open:
            self._read_rates(values)
            self._open.append(_Element(name, 0.0, math.inf, 0.0))
            return
        if len(self._open) == _DEEPEST_ELEMENT:
            raise ElementTree.ParseError("elements are nested too deeply")
        if name == "br":
            self._say("\n")
        self._open.append(self._placed(name, values, self._open[-1]))

    def data(self, text: str) -> None:
        self._say(text.replace("\n", " "))

    def end(self, tag: str) -> None:
        element = self._open.pop()
        if self._open and self._open[-1].is_sequence:
            self._open[-1].next_seconds = element.end_seconds
        if element.is_cue:
            lines = (" ".join(line.split()) for line in "".join(element.text).split("\n"))
            self.cues.append((element.start_seconds, element.end_seconds, "\n".join(lines)))

    def _say(self, text: str) -> None:
        if self._open and self._open[-1].name in _SHOWN:
            self._open[-1].text.append(text)

    def _placed(self, name: str, values: dict[str, str], parent: _Element) -> _Element:
        """The element with its interval; NaN, which makes its cues malformed, where a time cannot be read.

        A paragraph with times of its own is one cue, however its words are timed; else its timed spans are.
        """
        origin = parent.next_seconds if parent.is_sequence else parent.start_seconds
        has_times = not values.keys().isdisjoint(("begin", "end", "dur"))
        try:
            start_seconds = origin + self._seconds(values.get("begin", "0s"))
            ends = [parent.end_seconds]
            ends += [origin + self._seconds(values["end"])] if "end" in values else []
            ends += [start_seconds + self._seconds(values["dur"])] if "dur" in values else []
            end_seconds = min(ends)
        except ValueError:
            start_seconds = end_seconds = math.nan
        is_cue = name == "p" or (name == "span" and has_times and not parent.has_times)
        return _Element(
            name,
            start_seconds,
            end_seconds,
            next_seconds=start_seconds,
            is_sequence=values.get("timeContainer") == "seq",
            has_times=has_times or (name == "span" and parent.has_times),
            is_cue=is_cue,
            text=[] if is_cue else parent.text,
        )

    def _read_rates(self, values: dict[str, str]) -> None:
        multiplier = re.fullmatch(r"(\d{1,6})[ :](\d{1,6})", values.get("frameRateMultiplier", "1 1"))
        ratio = int(multiplier[1]) / max(1, int(multiplier[2])) if multiplier else 1.0
        frame_rate = _positive(values.get("frameRate"))
        self._frames_per_second = (frame_rate or 30.0) * (ratio or 1.0)
        sub_frames = _positive(values.get("subFrameRate")) or 1.0
        self._ticks_per_second = _positive(values.get("tickRate")) or (frame_rate or 1.0) * sub_frames

    def _seconds(self, expression: str) -> float:
        """Clock time "hh:mm:ss(.fraction|:frames)" or offset time "12.5s"; raises ValueError on anything else."""
        expression = expression.strip()
        if clock := _TTML_CLOCK.fullmatch(expression):
            hours, minutes, seconds, fraction, frames = clock.groups()
            whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            return whole + float(f"0.{fraction or 0}") + int(frames or 0) / self._frames_per_second
        if offset := _TTML_OFFSET.fullmatch(expression):
            units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
            units |= {"f": 1 / self._frames_per_second, "t": 1 / self._ticks_per_second}
            return float(offset[1]) * units[offset[2]]
        raise ValueError(f"{expression!r} is not a TTML time")


def _ttml(text: str) -> Iterator[_Raw]:
    """Cues of a TTML document; a document that breaks off gives what came before."""
    target = _TtmlTarget()
    parser = ElementTree.XMLParser(target=target)
    try:
        if "<!ENTITY" in text:
            raise ElementTree.ParseError("entity declarations are refused")
        parser.feed(text)
        parser.close()
    except (ElementTree.ParseError, ValueError):
        target.cues.append(None)
    return iter(target.cues)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _positive(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}", text) and int(text) > 0 else None


# -- SAMI --------------------------------------------------------------------------------------------------------


def _sami(text: str) -> Iterator[_Raw]:
    """Cues of a SAMI file, by pysubs2; it gives no ends, so pysubs2 estimates them from the length of the text."""
    from pysubs2 import SSAFile

    try:
        events = SSAFile.from_string(text, format_="sami").events
    except (KeyError, TypeError, ValueError):
        return iter([None])
    return iter([(event.start / 1000, event.end / 1000, event.plaintext.replace("\xa0", " ")) for event in events])


_READERS: dict[str, Callable[[str], Iterator[_Raw]]] = {
    "subrip": lambda text: _timed_blocks(text, webvtt=False),
    "webvtt": lambda text: _timed_blocks(text, webvtt=True),
    "ass": _substation,
    "ttml": _ttml,
    "sami": _sami,
}
