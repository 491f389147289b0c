"""The frozen scope at a tool's door: which videos and times may be looked at, whatever a program asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from agentvid.errors import ToolError
from agentvid.indexes.base import Filter
from agentvid.indexes.spelling import Respelt
from agentvid.tools.base import ToolContext
from agentvid.types import CAPTION, FRAME, Moment, Video
from agentvid.untrusted import quoted

_LISTED, _TITLE_CHARACTERS = 10, 60


def resolve_video(scope: Mapping[str, Video], reference: str | None) -> Video:
    """The one video meant by its id, an unambiguous id prefix, its title, path or file name.

    Without a reference, the only video of the scope. Raises ToolError that lists what is allowed.
    """
    if reference is None:
        fitting = list(scope.values())
    else:
        fitting = [scope[reference]] if reference in scope else [v for v in scope.values() if _is_called(v, reference)]
    if len(fitting) == 1:
        return fitting[0]
    if reference is None:
        problem = f"video is not given and the scope holds {len(fitting)}"
    else:
        fault = "fits several" if fitting else "is not in the scope of this question"
        problem = f"video {quoted(reference, limit=2 * _TITLE_CHARACTERS)} {fault}"
    shown = (fitting or [*scope.values()])[:_LISTED]
    listed = ", ".join(f"{video.id[:12]} ({quoted(video.title, limit=_TITLE_CHARACTERS)})" for video in shown)
    raise ToolError(f"{problem}; allowed: {listed or 'none'}", hint="give one of these ids as video=")


def _is_called(video: Video, reference: str) -> bool:
    name = reference.casefold()
    names = {video.title, *video.paths, *(PurePath(path).name for path in video.paths)}
    is_prefix = len(reference) >= 4 and video.id.startswith(reference)
    return is_prefix or name in {candidate.casefold() for candidate in names}


def where(
    context: ToolContext, *, video: str | None = None, track: str | None = None, within: Moment | None = None
) -> Filter:
    """The filter of a search, never wider than the scope. Raises ToolError for what lies outside of it."""
    if not context.scope:
        raise ToolError("there is no video to look at", hint="add one with `agentvid index PATH...`")
    video_ids = tuple(context.scope) if video is None else (resolve_video(context.scope, video).id,)
    if within is not None:
        check_moment(context, within)
        if within.video_id not in video_ids:
            raise ToolError(
                f"within= is a moment of another video than video={video!r}; allowed: one video",
                hint="leave video= out: the moment names its video",
            )
        video_ids = (within.video_id,)
    if track:
        context.ledger.tracks.add(track)
    # Whoever asks captions asks what is shown: frames tell that too, where the library has them.
    tracks = (CAPTION, FRAME) if track == CAPTION else (track,) if track else ()
    return Filter(video_ids, tracks, within.span if within else None)


def check_moment(context: ToolContext, moment: Moment) -> None:
    """Raise ToolError unless the moment's video is in the scope."""
    if moment.video_id not in context.scope:
        raise ToolError(
            f"a moment of video {moment.video_id[:12]!r} is not in the scope of this question; "
            f"allowed: {', '.join(video_id[:12] for video_id in list(context.scope)[:_LISTED])}"
        )


def whole_number(name: str, value: float, *, most: int) -> int:
    """`value` as a whole number from 1 to `most`; raises ToolError otherwise."""
    if not 1 <= value <= most or value != int(value):
        raise ToolError(f"{name}={value:g} is not allowed; allowed: whole numbers from 1 to {most}")
    return int(value)


def asked_for(context: ToolContext, query: str) -> Respelt:
    """`query` as it is searched; the ledger keeps other spellings. Raises ToolError if it is empty."""
    respelt = context.retriever.respelt(filled("query", query))
    context.ledger.respelt |= {change.word: change for change in respelt.changes}
    return respelt


def filled(name: str, value: str) -> str:
    """`value` without blanks around it; raises ToolError if nothing is left."""
    if not value.strip():
        raise ToolError(f"{name} is empty; allowed: words to look for", hint="name what to look for in a few words")
    return value.strip()
