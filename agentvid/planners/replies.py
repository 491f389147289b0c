"""The program in a model's reply, however it is wrapped: bare, fenced, in JSON, after thoughts, among explanations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from agentvid.errors import ProgramError

MAX_REPLY_CHARACTERS, MAX_PROGRAM_CHARACTERS = 100_000, 20_000
#: So many readings of one reply are tried.
_MAX_CANDIDATES = 12
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*[\w+-]*[ \t]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_THOUGHTS = re.compile(r"<(think|thinking|reasoning|thought|scratchpad)>.*?</\1>", re.DOTALL | re.IGNORECASE)
#: Some servers send only the end of the thoughts.
_THOUGHTS_END = re.compile(r"^.*</(?:think|thinking|reasoning|thought|scratchpad)>", re.DOTALL | re.IGNORECASE)
_KEYS = ("program", "code", "plan", "answer", "content", "arguments")
_STATEMENT = re.compile(r"[A-Za-z_]\w*\s*=(?!=)|[a-z_]\w*\(")
_PROGRAM = re.compile(r'"program"\s*:\s*("(?:[^"\\]|\\["\\/bfnrt])*")')
_INLINE_CODE = re.compile(r"`([^`\n]+)`")

Check = Callable[[str], object]


def program_in(reply: str, check: Check | None = None) -> str:
    """The first reading of the reply that `check` accepts, else the likeliest; at most 20,000 characters and a newline.

    `check` raises ProgramError for what is no program. Of several fences the last comes first: models correct
    themselves downwards.
    """
    found = list(dict.fromkeys(text.strip()[:MAX_PROGRAM_CHARACTERS] for text in _readings(reply)))[:_MAX_CANDIDATES]
    for text in found:
        # Of one reading it need not be known whether it is a program.
        if check is None or len(found) == 1:
            break
        try:
            check(text)
        except ProgramError:
            continue
        return f"{text}\n"
    return f"{found[0]}\n" if found else "\n"


def _readings(reply: str) -> Iterator[str]:
    """Everything that may be the program, the likeliest first."""
    text = _THOUGHTS.sub("", reply[:MAX_REPLY_CHARACTERS])
    text = _THOUGHTS_END.sub("", text).strip()
    inner = _in_json(text)
    if inner is not None:
        yield from _readings(inner)
        return
    fenced = [match.group(2) for match in _FENCE.finditer(text)]
    for block in reversed(fenced):
        inner = _in_json(block.strip())
        yield block if inner is None else inner
    if len(fenced) > 1:
        yield "\n".join(block.strip() for block in fenced)
    if not fenced:
        yield from _statements(text)
    yield text
    yield from reversed(_INLINE_CODE.findall(text))


def _in_json(text: str) -> str | None:
    """The program of a JSON object or string; None if `text` is neither."""
    if not text.startswith(("{", '"', "[")):
        return None
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        # Cut short or badly quoted; the program may be whole.
        found = _PROGRAM.search(text)
        return str(json.loads(found[1], strict=False)) if found else None
    while isinstance(data, list) and len(data) == 1:
        (data,) = data
    if isinstance(data, list) and data and all(isinstance(line, str) for line in data):
        return "\n".join(data)
    for key in _KEYS:
        if isinstance(data, dict) and key in data:
            value = data[key]
            if isinstance(value, list) and all(isinstance(line, str) for line in value):
                return "\n".join(value)
            return value if isinstance(value, str) else _in_json(json.dumps(value))
    return data if isinstance(data, str) else None


def _statements(text: str) -> Iterator[str]:
    """`text` from its first line that looks like a statement to its last closing bracket, if that leaves something out.

    Explanations before and after a program have neither.
    """
    lines = text.splitlines()
    first = next((at for at, line in enumerate(lines) if _STATEMENT.match(line.strip())), None)
    if first is None:
        return
    last = max((at for at, line in enumerate(lines) if line.rstrip().endswith((")", "]"))), default=len(lines) - 1)
    if (first, last) != (0, len(lines) - 1) and last >= first:
        indent = len(lines[first]) - len(lines[first].lstrip())
        yield "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines[first : last + 1])
