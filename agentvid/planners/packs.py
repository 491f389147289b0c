"""What a planner is shown of the videos before it writes a program: how large they are, what fits, what is in them.

A focus pack holds the moments that fit the question best, in full; a fast pack one line for each stretch of everything,
as the two paths of SlowFast-LLaVA (Xu et al., arXiv 2407.15841) show few frames closely and many coarsely. Both are of
bounded size, whatever the length of the library, and only say where to look: what is shown here can not be cited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentvid.indexes.base import Filter
from agentvid.text import clean_text
from agentvid.tools.base import ToolContext
from agentvid.types import FACT, Moment, Span, Video
from agentvid.untrusted import quoted
from agentvid.words import content_words

MAX_VIDEOS, TITLE_CHARACTERS = 40, 120
FOCUS_MOMENTS, FOCUS_CHARACTERS = 6, 600
#: Stretches of all videos together; of each, the most telling row around its middle is shown.
MAX_STRETCHES, STRETCH_SECONDS, STRETCH_CHARACTERS = 30, 60.0, 100
_AROUND_SECONDS = 30.0
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
    stretches = list(_fast_lines(tools, videos[:MAX_VIDEOS]))
    return [*lines, "One line of each stretch of them:", *stretches] if stretches else lines


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
    places = [(video.id, span) for video, span in stretches(videos)]
    middles = [(video_id, _middle(span)) for video_id, span in places]
    for (video_id, span), texts in zip(places, tools.catalogue.texts_at(middles, without=FACT), strict=True):
        if texts:
            best = max(texts, key=lambda text: len(set(content_words(text[:STRETCH_CHARACTERS]))))
            yield f"{_place(video_id, span)}: {quoted(best, limit=STRETCH_CHARACTERS)}"


def _middle(span: Span) -> Span:
    middle = (span.start_seconds + span.end_seconds) / 2
    return Span(max(span.start_seconds, middle - _AROUND_SECONDS), min(span.end_seconds, middle + _AROUND_SECONDS))


def stretches(videos: Sequence[Video]) -> list[tuple[Video, Span]]:
    """Videos in equal parts of at least a minute, at most MAX_STRETCHES in all; a shorter video is one part."""
    total = sum(video.duration_seconds for video in videos)
    spare = max(MAX_STRETCHES - len(videos), 0)
    found = []
    for video in videos[:MAX_STRETCHES]:
        share = 1 + int(spare * video.duration_seconds / total)
        parts = max(1, min(share, int(video.duration_seconds // STRETCH_SECONDS)))
        length = video.duration_seconds / parts
        found += [(video, Span(length * n, min(length * (n + 1), video.duration_seconds))) for n in range(parts)]
    return found


def _place(video_id: str, span: Span) -> str:
    return f"{video_id[:16]} {span.start_seconds:.1f}-{span.end_seconds:.1f} s"
