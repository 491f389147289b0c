"""The first gate: size, characters and tokens, before Python's parser sees the text.

Python's own parser can be crashed or made slow by deep or long input, so nothing goes to it that is large, deeply
bracketed, or holds a sign the language does not have.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import NoReturn

from agentvid.errors import ProgramError

MAX_BYTES, MAX_TOKENS, MAX_BRACKETS = 8_192, 2_000, 20
MAX_NAME, MAX_NUMBER = 64, 32
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_KEYWORDS = {"and", "or", "not", "in", "if", "else", "for", "True", "False", "None"}
ALLOWED = (
    "lines `name = expression` and one final expression, made of constants, names, lists, calls, "
    "and or not, + - * /, == != < <= > >= in, `a if test else b`, `[x for x in items if test]`, items[0], items[:3]"
)

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t]+|\#[^\n]*|\n)
    | (?P<triple>\"{3}|'{3})
    | (?P<text>"(?:[^"\\\n]|\\[\\'"nt])*"|'(?:[^'\\\n]|\\[\\'"nt])*')
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<refused>\*\*|//|<<|>>|:=|->|\.\.\.|[.%@{}&|^~;`?$]|!(?!=))
    | (?P<sign>==|!=|<=|>=|[-+*/=<>()\[\],:])
    """,
    re.VERBOSE,
)
_REFUSED_SIGNS = {
    ".": "no attributes or methods; write start(m), not m.start",
    "...": "no ellipsis",
    "**": "no powers; only + - * /",
    "//": "no floor division; only + - * /, and round(x)",
    "%": "no modulo and no text formatting; only + - * /",
    "<<": "no shifts",
    ">>": "no shifts",
    ":=": "no := ; assign on a line of its own",
    "->": "no annotations",
    "@": "no decorators and no matrix product",
    "{": "no dicts and sets; only lists",
    "}": "no dicts and sets; only lists",
    ";": "one statement per line",
    "!": "write != or not",
}


def check_text(source: str) -> None:
    """Raise ProgramError unless `source` is small, shallow and made of the language's tokens only."""
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ProgramError(
            f"the program has {size} bytes; allowed: {MAX_BYTES}", fragment=source[:80], allowed=f"{MAX_BYTES} bytes"
        )
    for line, text in enumerate(source.split("\n"), 1):
        for character in text:
            if character != "\t" and unicodedata.category(character) in _UNSAFE_CATEGORIES:
                refuse(line, f"U+{ord(character):04X}", "an invisible or control character", "printable characters")
    _check_tokens(source)


def _check_tokens(source: str) -> None:
    position = tokens = depth = 0
    line, before = 1, ""
    while position < len(source):
        found = _TOKEN.match(source, position)
        if not found:
            _refuse_character(line, source[position:])
        kind, text = found.lastgroup or "", found.group()
        position = found.end()
        if kind != "blank":
            tokens += 1
            _check_token(line, kind, text, before)
        depth += (text in "([") - (text in ")]") if kind == "sign" else 0
        if depth > MAX_BRACKETS:
            refuse(line, source[max(0, position - 40) : position], "brackets too deep", f"{MAX_BRACKETS} levels")
        if tokens > MAX_TOKENS:
            refuse(line, text, "a program too long", f"{MAX_TOKENS} tokens")
        line += text == "\n"
        before = kind


def _check_token(line: int, kind: str, text: str, before: str) -> None:
    """`before` is the kind of what stands directly before, without a blank between."""
    if kind == "refused":
        refuse(line, text, _REFUSED_SIGNS.get(text, "not a sign of the language"))
    if kind == "triple":
        refuse(line, text, "no triple quotes", 'texts in one pair of quotes: "..."')
    if kind == "text" and before in ("name", "number", "text"):
        refuse(line, text, "no f-strings, bytes or other prefixed texts", 'texts in one pair of quotes: "..."')
    if kind == "name" and keyword.iskeyword(text) and text not in _KEYWORDS:
        refuse(line, text, f"no `{text}` in this language")
    if kind in ("name", "number") and before == "number":
        refuse(line, text, "not a number", "decimal numbers such as 12 or 0.5")
    if (kind == "name" and len(text) > MAX_NAME) or (kind == "number" and len(text) > MAX_NUMBER):
        refuse(line, text[:80], f"a {kind} too long", f"names of {MAX_NAME} and numbers of {MAX_NUMBER} characters")


def _refuse_character(line: int, rest: str) -> NoReturn:
    if rest[0] in "\"'":
        refuse(
            line, rest[:40].split("\n")[0], "a text that does not end, or holds an escape", r"\" \' \\ \n \t in texts"
        )
    if rest[0] == "\\":
        refuse(line, rest[:40].split("\n")[0], "no backslash outside of texts")
    refuse(line, rest[0], "not a character of the language", "ASCII outside of texts")


def refuse(line: int, fragment: str, problem: str, allowed: str = ALLOWED) -> NoReturn:
    """Raise the ProgramError for a text that is not of the language."""
    raise ProgramError(f"line {line}: {fragment!r}: {problem}; allowed: {allowed}", fragment=fragment, allowed=allowed)
