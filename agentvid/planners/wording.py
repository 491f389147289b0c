"""What a question means to the embedded planner, before it is planned: all that it leaves open is filled in.

First what it takes from the conversation (`followups`), then the videos that it names by a word of their names
(`named_videos`), which one of two questions is asked (`several`), last what is mistyped. An LLM reads the user's own
words, and needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from agentvid.planners import slots
from agentvid.planners.base import Turn
from agentvid.planners.exemplar import ExemplarPlanner
from agentvid.planners.followups import Conversation, FollowUp, understand
from agentvid.planners.named_videos import name_videos
from agentvid.planners.several import may_be_two, two_questions
from agentvid.tools.base import ToolContext
from agentvid.words import placed_words


def read_question(
    question: str,
    planner: ExemplarPlanner,
    tools: ToolContext,
    turns: Sequence[Turn] | None,
    *,
    has_choices: bool = False,
) -> FollowUp:
    """The question made complete; `turns` are those of its conversation, None if there is none."""
    read = FollowUp(question) if turns is None else _continued(question, planner, tools, turns)
    if not (read.problem or read.videos or read.place):
        read = _with_named_videos(read, tools)
    if not (read.problem or has_choices):
        read = _first_of_two(read, planner, tools)
    # After the videos are known: a word of one of them must not change which are asked.
    return read if read.problem or not tools.scope else _respelt(read, planner, tools)


def _continued(question: str, planner: ExemplarPlanner, tools: ToolContext, turns: Sequence[Turn]) -> FollowUp:
    """What it means after the turns before it."""
    known = tools.catalogue.videos()
    # What was not understood is no part of the conversation.
    understood = [turn for turn in turns if turn.program or not turn.abstained]
    talk = Conversation(understood, tuple(tools.scope.values()), known, lambda earlier: planner.phrases(earlier, known))
    return understand(question, talk) or FollowUp(question)


def _with_named_videos(read: FollowUp, tools: ToolContext) -> FollowUp:
    named = name_videos(read.question, tuple(tools.scope.values()))
    if named is None:
        return read
    said = _joined(read.said, f"only {named.said}, by its name")
    return replace(read, question=named.question, videos=named.videos, said=said)


def _first_of_two(read: FollowUp, planner: ExemplarPlanner, tools: ToolContext) -> FollowUp:
    """The first question of two, in the video that both are asked of."""
    if not may_be_two(read.question) or slots.split_choices(read.question)[1] or slots.quoted_phrases(read.question):
        return read
    videos = tuple(tools.scope.values())
    question, video = slots.take_video(read.question.strip(" ?!."), videos)
    two = two_questions(question, lambda part: planner.weight(part, videos))
    if two is None:
        return read
    first, other = two
    said = _joined(read.said, f"two questions: this is “{first}”; ask “{other}” next")
    return replace(read, question=first, videos=read.videos or ((video.id,) if video else ()), said=said)


def _respelt(read: FollowUp, planner: ExemplarPlanner, tools: ToolContext) -> FollowUp:
    """With words of the videos for what is mistyped: slots, sentences and checks read it so."""
    paths = (path for video in tools.scope.values() for path in video.paths)
    # With its ending, which is a part of the name as people write it.
    names = {word for path in paths for *_, word in placed_words(PurePath(path).name)}
    spelt = tools.retriever.respelt(read.question, keep=names | planner.bank.vocabulary)
    typed = [str(change) for change in spelt.changes if not change.is_misread]
    return replace(read, question=spelt.meaning, said=_joined(read.said, *typed)) if typed else read


def _joined(*said: str) -> str:
    return "; ".join(filter(None, said))
