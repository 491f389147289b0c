"""What goes out as JSON, and what comes in. As docs/json.md, with `name` where that has a path."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agentvid.text import MAX_QUERY_CHARACTERS

#: Later than any video ends.
LAST_SECOND = 1e9


def _is_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("not Unicode text") from None
    return text


Text = Annotated[str, AfterValidator(_is_unicode)]
ShortText = Annotated[str, Field(max_length=256), AfterValidator(_is_unicode)]


class Problem(BaseModel):
    error: str
    hint: str


class Abilities(BaseModel):
    """What this server may do: `index` files of folders, and ask with `model`, "" for none."""

    index: bool
    model: str


class LibraryDocument(BaseModel):
    videos: int
    seconds: float
    clips: int
    observations: int
    tracks: list[str]
    notes: list[str]
    version: str
    may: Abilities


class TimeSpan(BaseModel):
    start: float
    end: float


class Chapter(TimeSpan):
    title: str
    text: str


class GapSpan(TimeSpan):
    track: str
    reason: str


class VideoRow(BaseModel):
    """`playable`: whether /media/{id} gives something that browsers play; "" or why not in `unplayable`."""

    video_id: str
    name: str
    title: str
    duration: float
    clips: int
    tracks: dict[str, int]
    state: Literal["ready", "partial", "missing"]
    playable: bool


class FailedFile(BaseModel):
    name: str
    error: str
    hint: str


class Videos(BaseModel):
    videos: list[VideoRow]
    failed: list[FailedFile]


class MediaFacts(BaseModel):
    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    has_audio: bool = False


class VideoDocument(BaseModel):
    video_id: str
    name: str
    title: str
    duration: float
    tracks: dict[str, int]
    state: Literal["ready", "partial", "missing"]
    playable: bool
    media: MediaFacts
    summary: str
    shots: list[TimeSpan]
    clips: list[TimeSpan]
    chapters: list[Chapter]
    gaps: list[GapSpan]


class Row(TimeSpan):
    id: int
    track: str
    text: str
    confidence: float
    language: str


class Rows(BaseModel):
    rows: list[Row]
    next: str | None


class HitRow(TimeSpan):
    video_id: str
    name: str
    score: float
    track: str
    text: str
    ranks: dict[str, int]


class Hits(BaseModel):
    """`spelling`: words of the query that were searched in another spelling, and in which."""

    query: str
    spelling: dict[str, str]
    hits: list[HitRow]


class BudgetLimits(BaseModel):
    """The limits of one question; what is not given is as in the settings, and none may exceed them."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    steps: int | None = Field(None, ge=1, le=10_000)
    tool_calls: int | None = Field(None, ge=1, le=1_000)
    llm_calls: int | None = Field(None, ge=1, le=1_000)
    tokens: int | None = Field(None, ge=1, le=100_000_000)
    money: float | None = Field(None, gt=0, le=1_000_000)
    frames: int | None = Field(None, ge=1, le=1_000_000)
    seconds: float | None = Field(None, gt=0, le=86_400)


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS), AfterValidator(_is_unicode)]
    videos: list[ShortText] = Field([], max_length=1_000)
    choices: list[Annotated[str, Field(max_length=2_000), AfterValidator(_is_unicode)]] = Field([], max_length=26)
    thread: str = Field("", max_length=64)
    model: ShortText = ""
    verify: Literal["", "standard", "strict"] = ""
    budget: BudgetLimits | None = None


class ThreadRow(BaseModel):
    thread: str
    turns: int
    question: str


class Threads(BaseModel):
    threads: list[ThreadRow]


class Turns(BaseModel):
    thread: str
    turns: list[dict[str, Any]]


class ExportFormat(BaseModel):
    """`subjects`: what it holds, of answer, hits, track, chapters, span. `extra`: of agentvid, that it needs, or ""."""

    name: str
    suffix: str
    media_type: str
    about: str
    subjects: list[str]
    text: bool
    needs_files: bool
    extra: str


class ExportFormats(BaseModel):
    exports: list[ExportFormat]


class WaitingFile(BaseModel):
    file_id: str
    name: str
    bytes: int


class Inbox(BaseModel):
    files: list[WaitingFile]


class CopyState(BaseModel):
    """`progress`: the share of the video that is converted, from 0 to 1."""

    is_being_made: bool
    progress: float


class JobRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    files: list[ShortText] = Field(min_length=1, max_length=10_000)


class JobStarted(BaseModel):
    job_id: str


class Job(BaseModel):
    """`done` of `total` files; `seconds_done` of `seconds_total` of the file that is being read, in its `stage`."""

    job_id: str
    state: Literal["queued", "running", "done", "failed", "stopped"]
    stage: str
    file: str
    done: int
    total: int
    seconds_done: float
    seconds_total: float
    error: str
    hint: str
    report: dict[str, Any] | None


class Jobs(BaseModel):
    jobs: list[Job]
