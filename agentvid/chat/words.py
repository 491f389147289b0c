"""How the rest of a command line is read: words, and quotes that hold spaces."""

from __future__ import annotations

import re
import shlex

#: What is a word without quotes.
_BARE = re.compile(r"[\w@%+=:,./-]+")


def split_words(rest: str) -> list[str]:
    """Words as a shell reads them. A lone apostrophe is a letter."""
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def quoted(text: str) -> str:
    """`text` as one word for `split_words`: as it is, or in double quotes."""
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def last_word(text: str) -> str:
    """What stands at the end since the last space that no quote holds."""
    start, quote, is_escaped = 0, "", False
    for position, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\" and quote == '"':
            is_escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character == '"' or (character == "'" and position == start):
            quote = character
        elif character.isspace():
            start = position + 1
    return text[start:]
