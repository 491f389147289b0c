"""Prompts are files beside this one: `NAME.md`, a string.Template with `$variable`; JSON braces mean nothing to it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

from agentvid.errors import UsageError
from agentvid.untrusted import Fenced

_FOLDER = files(__name__)
#: Variables that hold text of videos, in any prompt: their values must be fenced.
FENCED = frozenset({"videos", "evidence", "rows", "first", "second", "problem"})


def names() -> tuple[str, ...]:
    """The prompts there are, sorted."""
    return tuple(sorted(file.name.removesuffix(".md") for file in _FOLDER.iterdir() if file.name.endswith(".md")))


def source(name: str) -> str:
    """The text of prompt `name` before its variables are filled in. Raises UsageError if there is no such prompt."""
    return _template(name).template


@cache
def variables(name: str) -> frozenset[str]:
    """The variables that prompt `name` asks for. Raises UsageError if there is no such prompt."""
    return frozenset(_template(name).get_identifiers())


def render(name: str, /, **values: str) -> str:
    """Prompt `name` with its variables filled in; a `$` inside a value is left as it is.

    Raises UsageError naming the prompt that does not exist, or the variables that are missing, unknown or not fenced.
    """
    wanted, given = variables(name), frozenset(values)
    if wanted != given:
        wrong = [f"{word} {', '.join(sorted(some))}" for word, some in _differences(wanted, given) if some]
        raise UsageError(f"prompt {name!r}: {'; '.join(wrong)}", hint=f"it takes: {', '.join(sorted(wanted))}")
    if bare := sorted(key for key in wanted & FENCED if not isinstance(values[key], Fenced)):
        raise UsageError(f"prompt {name!r}: {', '.join(bare)} not fenced; allowed: what agentvid.untrusted wraps")
    return _template(name).substitute(values).rstrip("\n")


def _differences(wanted: frozenset[str], given: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    return [("missing", wanted - given), ("unknown", given - wanted)]


@cache
def _template(name: str) -> Template:
    if name not in names():
        raise UsageError(f"there is no prompt {name!r}; allowed: {', '.join(names())}")
    return Template((_FOLDER / f"{name}.md").read_text("utf-8"))
