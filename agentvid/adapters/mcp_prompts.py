"""MCP prompts: what people choose from a menu of their client to begin with."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from agentvid import prompts
from agentvid.errors import UsageError
from agentvid.text import check_query, clean_text

_VIDEO = PromptArgument(name="video", description="Its name or id; empty: all videos.", required=False)

PROMPTS = (
    Prompt(
        name="cite_the_evidence",
        title="Answer from videos, with citations",
        description="Answer a question so that every sentence cites a video and seconds, or say what was not found.",
        arguments=[PromptArgument(name="question", description="What to find out.", required=True), _VIDEO],
    ),
    Prompt(
        name="follow_the_steps",
        title="Steps of a tutorial",
        description="Write down what a tutorial tells to do, each step with its time and what the picture shows.",
        arguments=[PromptArgument(name="video", description="Its name or id.", required=True)],
    ),
)


def prompt_of(name: str, arguments: Mapping[str, str]) -> GetPromptResult:
    """Raises UsageError for an unknown prompt and for arguments that are missing or not its own."""
    known = {prompt.name: prompt for prompt in PROMPTS}
    if name not in known:
        raise UsageError(f"no prompt {clean_text(name, limit=80)!r}; allowed: {', '.join(known)}")
    values = {}
    for argument in known[name].arguments or []:
        given = arguments.get(argument.name, "")
        if argument.required:
            check_query(given, argument.name, hint=argument.description or "")
        values[argument.name] = clean_text(given, limit=10_000) or "all videos"
    unknown = set(arguments) - set(values)
    if unknown:
        raise UsageError(f"{name} has no argument {sorted(unknown)[0]!r}; allowed: {', '.join(values)}")
    text = TextContent(text=prompts.render(name, **values))
    return GetPromptResult(description=known[name].description, messages=[PromptMessage(role="user", content=text)])
