"""What a planner is shown of the videos before it writes a program: how large they are, what fits, what is in them.

A focus pack holds the moments that fit the question best, in full; a fast pack one line for each chapter of everything,
as the two paths of SlowFast-LLaVA (Xu et al., arXiv 2407.15841) show few frames closely and many coarsely. Both are of
bounded size, whatever the length of the library: the more videos are listed, the fewer parts of them are told, those of
the videos that fit the question first. They only say where to look: what is shown here can not be cited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from agentvid.indexes.base import Filter
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.types import Moment, Section, Span, Video
from agentvid.untrusted import quoted

MAX_VIDEOS, TITLE_CHARACTERS = 40, 120
FOCUS_MOMENTS, FOCUS_CHARACTERS = 6, 600
#: What is told of a chapter or a run of them, and what its line counts for.
PART_CHARACTERS, PART_LINE_CHARACTERS = 100, 140
#: For the list of the videos, and for that and the fast pack together: 30 parts of one video, 9 if the list is full.
LIST_CHARACTERS, OVERVIEW_CHARACTERS = 3_000, 4_400
_MAX_QUERY_CHARACTERS = 1_000


def packs(question: str, tools: ToolContext) -> list[str]:
    """Lines for inside a fence: the videos, the focus pack, the fast pack. Times are seconds."""
    where = Filter(video_ids=tuple(tools.scope))
    found = (
        tools.retriever.search(question[:_MAX_QUERY_CHARACTERS], k=FOCUS_MOMENTS, where=where) if tools.scope else []
    )
    videos = _nearest_first(list(tools.scope.values()), found)
    names = listed(videos)
    lines = ["Videos in scope:", *names]
    if found:
        lines += ["Moments that fit the question best:", *map(_focus_line, found)]
    left = OVERVIEW_CHARACTERS - sum(map(len, names))
    parts = list(_fast_lines(tools, videos, left // PART_LINE_CHARACTERS))
    return [*lines, "What parts of them are about:", *parts] if parts else lines


def listed(videos: Sequence[Video]) -> list[str]:
    """One line per video: id, length and title, of many the first."""
    lines = [
        f"{video.id[:16]} ({video.duration_seconds:.1f} s) {quoted(video.title, limit=TITLE_CHARACTERS)}"
        for video in videos[:MAX_VIDEOS]
    ]
    lines = [line for line, end in zip(lines, accumulate(map(len, lines)), strict=True) if end <= LIST_CHARACTERS]
    return [*lines, f"and {len(videos) - len(lines)} more"] if len(videos) > len(lines) else lines


def _nearest_first(videos: Sequence[Video], found: Sequence[Moment]) -> list[Video]:
    """Those that fit the question before the others, the best first."""
    ranks = {video_id: rank for rank, video_id in enumerate(dict.fromkeys(moment.video_id for moment in found))}
    return sorted(videos, key=lambda video: ranks.get(video.id, len(ranks)))


def _focus_line(moment: Moment) -> str:
    text = quoted(moment.text, limit=FOCUS_CHARACTERS)
    return f"{_place(moment.video_id, moment.span)} {clean_text(moment.track, limit=40)}: {text}"


def _fast_lines(tools: ToolContext, videos: Sequence[Video], count: int) -> Iterator[str]:
    for video, most in shares(videos, count):
        chapters = [part for part in tools.catalogue.sections(video.id) if part.level == "chapter"]
        for run in _runs(chapters, most):
            span = run[0].span.hull(run[-1].span)
            yield f"{_place(video.id, span)}: {quoted(_told(run), limit=PART_CHARACTERS)}"


def shares(videos: Sequence[Video], count: int) -> list[tuple[Video, int]]:
    """How many of `count` lines each video gets: one, and the rest by length; none beyond the first `count`."""
    ends = list(accumulate(video.duration_seconds for video in videos))
    spare = max(count - len(videos), 0)
    upto = [0, *(int(spare * end / ends[-1]) for end in ends)]
    return [(video, 1 + last - first) for video, (first, last) in zip(videos[:count], pairwise(upto), strict=False)]


def _runs(chapters: Sequence[Section], most: int) -> Iterator[Sequence[Section]]:
    """The chapters, neighbours together where there are more than `most`."""
    count = min(most, len(chapters))
    bounds = [len(chapters) * number // count for number in range(count + 1)] if count else [0]
    for first, end in pairwise(bounds):
        yield chapters[first:end]


def _told(run: Sequence[Section]) -> str:
    if len(run) == 1:
        return ": ".join(filter(None, (run[0].title, run[0].text)))
    return "; ".join(part.title or part.text for part in run)


def _place(video_id: str, span: Span) -> str:
    return f"{video_id[:16]} {span.start_seconds:.1f}-{span.end_seconds:.1f} s"
