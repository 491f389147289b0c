"""The first gate: size, characters, tokens and lines, before Python's parser sees the text.

Python's own parser can be crashed or made slow by deep or long input, so nothing goes to it that is large, deeply
bracketed, or holds a sign the language does not have. It gets one expression at a time: given a whole file, CPython
answers a syntax error by opening a file of that name on disk to quote the line.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from agentvid.errors import ProgramError

MAX_BYTES, MAX_TOKENS, MAX_BRACKETS, MAX_LINES = 8_192, 2_000, 20, 100
MAX_NAME, MAX_NUMBER = 64, 32
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_KEYWORDS = {"and", "or", "not", "in", "if", "else", "for", "True", "False", "None"}
MAX_FRAGMENT = 160
ALLOWED = (
    "lines `name = expression` and one final expression, made of constants, names, lists, calls, "
    "and or not, + - * /, == != < <= > >= in, `a if test else b`, `[x for x in items if test]`, items[0], items[:3]"
)

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t]+|\#[^\n]*)
    | (?P<end>\n)
    | (?P<triple>\"{3}|'{3})
    | (?P<text>"(?:[^"\\\n]|\\[\\'"nt])*"|'(?:[^'\\\n]|\\[\\'"nt])*')
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<refused>\*\*|//|<<|>>|:=|->|\.\.\.|[-+*/]=|[.%@{}&|^~;`?$]|!(?!=))
    | (?P<sign>==|!=|<=|>=|[-+*/=<>()\[\],:])
    """,
    re.VERBOSE,
)
_ARITHMETIC = "+ - * /, round(x)"
_NO_SIGN = "no sign of the language"
#: Per sign: what it is, and what to write instead.
_REFUSED_SIGNS = {
    ".": ("no attributes or methods", "functions: start(m), not m.start"),
    "**": ("no powers", _ARITHMETIC),
    "//": ("no floor division", _ARITHMETIC),
    "%": ("no modulo and no text formatting", _ARITHMETIC),
    ":=": ("no assignment inside of an expression", "`name = expression` on a line of its own"),
    "{": ("no dicts and sets", "lists: [a, b]"),
    "}": ("no dicts and sets", "lists: [a, b]"),
    ";": ("two statements on a line", "one statement per line"),
    "!": (_NO_SIGN, "!= and `not`"),
    **dict.fromkeys(("+=", "-=", "*=", "/="), ("no assignment with a sign", "`name = name + expression`")),
}


class Token(NamedTuple):
    """`kind` is a group of the token pattern; `start` and `end` are positions in the source."""

    kind: str
    text: str
    line: int
    start: int
    end: int


class Line(NamedTuple):
    """A logical line: `name` is "" where nothing is assigned; `text` is the expression, which begins in `number`."""

    number: int
    name: str
    text: str


def read_lines(source: str) -> list[Line]:
    """The logical lines of a program, which go on inside of brackets.

    Raises ProgramError unless `source` is small, shallow and made of the language's tokens only.
    """
    source = source.replace("\r\n", "\n")
    _check_characters(source)
    lines: list[Line] = []
    current: list[Token] = []
    depth = 0
    for token in _tokens(source):
        if token.kind == "sign":
            depth += (token.text in "([") - (token.text in ")]")
        if depth > MAX_BRACKETS or depth < 0:
            problem = "brackets too deep" if depth > 0 else "a bracket that was not opened"
            refuse(token.line, source[max(0, token.end - 40) : token.end], problem, f"{MAX_BRACKETS} levels")
        if token.kind == "end" and depth == 0 and current:
            lines.append(_line(source, current))
            current = []
        elif token.kind not in ("blank", "end"):
            current.append(token)
    if depth:
        refuse(current[0].line, source[current[0].start :], "a bracket that is not closed", ") or ]")
    if len(lines) > MAX_LINES:
        refuse(lines[-1].number, lines[-1].text, "too many lines", f"{MAX_LINES} lines")
    return lines


def _line(source: str, tokens: list[Token]) -> Line:
    is_assignment = len(tokens) > 2 and tokens[0].kind == "name" and tokens[1].text == "="
    first = tokens[2 if is_assignment else 0]
    name = tokens[0].text if is_assignment else ""
    if name in _KEYWORDS:
        refuse(tokens[0].line, name, "no name that can be assigned", "a name of your own")
    return Line(first.line, name, source[first.start : tokens[-1].end])


def _check_characters(source: str) -> None:
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        refuse(1, source, f"a program of {size} bytes", f"{MAX_BYTES} bytes")
    for number, line in enumerate(source.split("\n"), 1):
        for character in line:
            if character != "\t" and unicodedata.category(character) in _UNSAFE_CATEGORIES:
                refuse(number, f"U+{ord(character):04X}", "an invisible or control character", "printable characters")


def _tokens(source: str) -> Iterator[Token]:
    """All tokens, the last an end of line; `line` counts from 1."""
    position, line, count = 0, 1, 0
    before = ""
    while position < len(source):
        found = _TOKEN.match(source, position)
        if not found:
            _refuse_character(line, source[position:])
        token = Token(found.lastgroup or "", found.group(), line, position, found.end())
        _check_token(source, token, before)
        yield token
        count += token.kind != "blank"
        if count > MAX_TOKENS:
            refuse(line, token.text, "a program too long", f"{MAX_TOKENS} tokens")
        position, before = token.end, token.kind
        line += token.kind == "end"
    yield Token("end", "\n", line, position, position)


def _check_token(source: str, token: Token, before: str) -> None:
    """`before` is the kind of what stands directly before, without a blank between."""
    _, text, line, start, end = token
    match token.kind:
        case "refused":
            refuse(line, _around(source, start, end), *_REFUSED_SIGNS.get(text, (_NO_SIGN, ALLOWED)))
        case "triple":
            refuse(line, text, "no triple quotes", 'texts in one pair of quotes: "..."')
        case "text" if before in ("name", "number", "text"):
            refuse(line, text, "no f-strings, bytes or other prefixed texts", 'texts in one pair of quotes: "..."')
        case "name" if keyword.iskeyword(text) and text not in _KEYWORDS:
            refuse(line, text, f"no `{text}` in this language")
        case "name" | "number" if before == "number":
            refuse(line, text, "not a number", "decimal numbers such as 12 or 0.5")
        case "name" if len(text) > MAX_NAME:
            refuse(line, text, "a name too long", f"names of {MAX_NAME} characters")
        case "number" if len(text) > MAX_NUMBER:
            refuse(line, text, "a number too long", f"numbers of {MAX_NUMBER} characters")


def _around(source: str, start: int, end: int) -> str:
    """A token with the word before and after it, so that it can be found in the source."""
    before = re.search(r"\w{0,40}$", source[max(0, start - 40) : start])
    after = re.match(r"\w{0,40}", source[end : end + 40])
    return f"{before.group() if before else ''}{source[start:end]}{after.group() if after else ''}"


def _refuse_character(line: int, rest: str) -> NoReturn:
    fragment = rest.split("\n")[0]
    if rest[0] in "\"'":
        refuse(line, fragment, "a text that does not end, or holds an escape", r"\" \' \\ \n \t in texts")
    if rest[0] == "\\":
        refuse(line, fragment, "no backslash outside of texts", "a line goes on inside of ( ) and [ ]")
    refuse(line, rest[0], "no character of the language", "ASCII outside of texts")


def refuse(line: int, fragment: str, problem: str, allowed: str = ALLOWED, *, hint: str = "") -> NoReturn:
    """Raise the ProgramError for a text that is not of the language."""
    fragment = fragment.strip()[:MAX_FRAGMENT]
    message = f"line {line}: {fragment!r}: {problem}; allowed: {allowed}"
    raise ProgramError(message, fragment=fragment, allowed=allowed, hint=hint)
