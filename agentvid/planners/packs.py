"""What a planner is shown of the videos before it writes a program: how large they are, what fits, what is in them.

A focus pack holds the moments that fit the question best, in full; a fast pack one line for each chapter of everything,
as the two paths of SlowFast-LLaVA (Xu et al., arXiv 2407.15841) show few frames closely and many coarsely. Both are of
bounded size, whatever the length of the library, and only say where to look: what is shown here can not be cited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from agentvid.indexes.base import Filter
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.types import Moment, Section, Span, Video
from agentvid.untrusted import quoted

MAX_VIDEOS, TITLE_CHARACTERS = 40, 120
FOCUS_MOMENTS, FOCUS_CHARACTERS = 6, 600
#: Chapters, or runs of them, of all videos together; what is shown of each.
MAX_PARTS, PART_CHARACTERS = 30, 100
_MAX_QUERY_CHARACTERS = 1_000


def packs(question: str, tools: ToolContext) -> list[str]:
    """Lines for inside a fence: the videos, the focus pack, the fast pack. Times are seconds."""
    where = Filter(video_ids=tuple(tools.scope))
    found = (
        tools.retriever.search(question[:_MAX_QUERY_CHARACTERS], k=FOCUS_MOMENTS, where=where) if tools.scope else []
    )
    videos = _nearest_first(list(tools.scope.values()), found)
    lines = ["Videos in scope:", *listed(videos)]
    if found:
        lines += ["Moments that fit the question best:", *map(_focus_line, found)]
    chapters = list(_fast_lines(tools, videos[:MAX_VIDEOS]))
    return [*lines, "What each part of them is about:", *chapters] if chapters else lines


def listed(videos: Sequence[Video]) -> list[str]:
    """One line per video: id, length and title, of many the first."""
    lines = [
        f"{video.id[:16]} ({video.duration_seconds:.1f} s) {quoted(video.title, limit=TITLE_CHARACTERS)}"
        for video in videos[:MAX_VIDEOS]
    ]
    return [*lines, f"and {len(videos) - len(lines)} more"] if len(videos) > len(lines) else lines


def _nearest_first(videos: Sequence[Video], found: Sequence[Moment]) -> list[Video]:
    """As they are, unless not all can be listed: then those that fit the question come first."""
    if len(videos) <= MAX_VIDEOS:
        return list(videos)
    fitting = {moment.video_id for moment in found}
    return sorted(videos, key=lambda video: video.id not in fitting)


def _focus_line(moment: Moment) -> str:
    text = quoted(moment.text, limit=FOCUS_CHARACTERS)
    return f"{_place(moment.video_id, moment.span)} {clean_text(moment.track, limit=40)}: {text}"


def _fast_lines(tools: ToolContext, videos: Sequence[Video]) -> Iterator[str]:
    for video, most in shares(videos):
        chapters = [part for part in tools.catalogue.sections(video.id) if part.level == "chapter"]
        for run in _runs(chapters, most):
            span = run[0].span.hull(run[-1].span)
            yield f"{_place(video.id, span)}: {quoted(_told(run), limit=PART_CHARACTERS)}"


def shares(videos: Sequence[Video]) -> list[tuple[Video, int]]:
    """How many lines each video gets: one, and the rest by length, MAX_PARTS in all."""
    total = sum(video.duration_seconds for video in videos)
    spare = max(MAX_PARTS - len(videos), 0)
    return [(video, 1 + int(spare * video.duration_seconds / total)) for video in videos[:MAX_PARTS]]


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
