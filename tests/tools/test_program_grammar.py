"""The grammar and the parser speak one language: samples of the one parse with the other, and so do real programs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from agentvid.errors import ProgramError
from agentvid.planners.bank import load_bank
from agentvid.tools import TOOLS
from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import BUILTINS, check_program
from agentvid.tools.program.grammar import program_grammar
from agentvid.tools.program.lexer import MAX_BYTES
from agentvid.tools.program.parse import parse
from agentvid.types import Moment

CORPUS = yaml.safe_load((Path(__file__).parent / "transcribed.yaml").read_text("utf-8"))
#: What samples are made of, besides single bytes: random letters would hardly ever spell a function.
WORDS = [
    *(f"{name}(" for name in (*TOOLS, *BUILTINS)),
    *(f"{parameter.name}=" for tool in (*TOOLS.values(), *BUILTINS.values()) for parameter in tool.parameters),
    *' if | else | for | in | and | or |not | not in |None|True|hits|x|m|12|0.5|é|"a red door"| == | < | + | * '.split(
        "|"
    ),
    *(", ", " = ", "\n"),
]
SAMPLES = 200


class Vocabulary:
    """Bytes, then words, then the end, as llguidance asks for them."""

    tokens: Sequence[bytes] = [*(bytes([byte]) for byte in range(256)), *(word.encode() for word in WORDS), b"<end>"]
    eos_token_id = len(tokens) - 1
    bos_token_id = None
    special_token_ids: Sequence[int] = [eos_token_id]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


@cache
def matcher() -> LLMatcher:
    grammar = LLMatcher.grammar_from_lark(program_grammar(TOOLS))
    made = LLMatcher(LLTokenizer(TokenizerWrapper(Vocabulary())), grammar)
    assert not made.is_error(), made.get_error()
    return made


def accepts(program: str, made: LLMatcher | None = None) -> bool:
    made = made or matcher()
    made.reset()
    tokens = list(program.encode())
    return bool(made.try_consume_tokens(tokens) == len(tokens) and made.is_accepting())


def sample(chance: random.Random) -> str:
    """A random walk through what the grammar allows; after a while whatever closes comes first."""
    made, written, closing = matcher(), b"", chance.choice((20, 100, 400, 1_500))
    made.reset()
    while True:
        mask = np.frombuffer(made.compute_bitmask(), np.uint8)
        allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little")[: len(Vocabulary.tokens)]).tolist()
        ends = [token for token in (Vocabulary.eos_token_id, *b"\"')]N0") if token in allowed]
        if len(written) > closing and ends:
            token = ends[0]
        else:
            words = [token for token in allowed if token > 255 and token != Vocabulary.eos_token_id]
            token = chance.choice(words if words and chance.random() < 0.8 else allowed)
        if token == Vocabulary.eos_token_id:
            return written.decode()
        assert made.consume_token(token), made.get_error()
        written += Vocabulary.tokens[token]


def test_every_sentence_of_the_grammar_is_a_program() -> None:
    chance = random.Random(0)
    sentences = {sample(chance) for _ in range(SAMPLES)}
    small = [text for text in sentences if len(text.encode()) < MAX_BYTES / 2]
    assert len(small) > SAMPLES / 2
    for sentence in small:
        parse(sentence)
    # They are no trivial ones: all that the language has is in them.
    together = "\n".join(small)
    for part in (" if ", " for ", " and ", "not ", "[0", " == ", " + ", "-", "search(query=", "answer(", "'", "é"):
        assert part in together, part
    assert max(sentence.count("(") for sentence in small) > 20


@pytest.mark.parametrize("form", load_bank().forms, ids=lambda form: form.id)
def test_every_program_of_the_bank_is_in_the_grammar(form: object) -> None:
    from string import Template

    template = Template(form.program)  # type: ignore[attr-defined]
    filled = dict.fromkeys(template.get_identifiers(), '"the \\"red\\" door"')
    number = {name: "12.5" for name in filled if name.rstrip("0123456789") in ("time", "n", "count")}
    choices = ", ".join(f'"option {at}"' for at in range(20))
    assert accepts(template.substitute(filled | number | {"where": ', video="ab12"', "choices": f"[{choices}]"}))


@pytest.mark.parametrize("entry", [one for one in CORPUS["programs"] if "program" in one], ids=lambda one: one["task"])
def test_every_transcribed_program_is_in_the_grammar(entry: dict[str, str]) -> None:
    assert accepts(entry["program"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hits = search(query=1)",
        "search(query=1).text",
        "search(q=1)",
        "search()",
        "serch(query=1)",
        "lambda: 1",
        "import os",
        "class",
        "first = 1\nfirst",
        'x = f"{y}"\nx',
        "[x for x in [[x for x in [[x for x in y]]]]]",
        "(" * 21 + "1" + ")" * 21,
        'sort(hits, by="size")',
        "1 < 2 < 3",
        "012",
    ],
)
def test_what_is_no_program_is_not_in_the_grammar(text: str) -> None:
    with pytest.raises(ProgramError):
        check_program(text, TOOLS)
    assert not accepts(text)


def test_a_plug_ins_tool_is_in_the_grammar_that_is_made_for_it() -> None:
    def weigh(context: ToolContext, *, within: Moment, unit: str = "kg") -> float:
        """How heavy it is."""
        return 0.0

    tool = Tool.from_function(weigh)
    program = 'weigh(within=first(whole_videos()), unit="g")'
    assert not accepts(program)
    grammar = LLMatcher.grammar_from_lark(program_grammar({**TOOLS, "weigh": replace(tool, parallel="always")}))
    assert accepts(program, LLMatcher(LLTokenizer(TokenizerWrapper(Vocabulary())), grammar))
