"""100,000 generated programs, watched: well typed, nearly so, or spliced from attacks, they only call tools.

The interpreter's own tests show that it computes rightly; here only one thing counts: no event outside, and no
exception but the typed ones.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agentvid.tools.base import Tool, ToolContext
from agentvid.tools.program import BUILTINS
from agentvid.types import Moment, Span

HERE = Path(__file__).parent
ELEMENTS = ("number", "bool", "text", "moment")
LEAVES = {
    "number": ("0", "1", "-2", "3.5", "1e300", "None", "9007199254740991"),
    "bool": ("True", "False", "None"),
    "text": ('"v1"', '"Talk"', '"a red door"', '""', '"{0.__class__}"', '"__import__(\\"os\\")"', "None"),
    "moment": ("None", 'span(start=1, end=9, video="v1")', 'span(start=5, end=50, video="v2")'),
}
TOKENS = (
    "( ) [ ] , . = == != <= + - * / : ; @ ** % & | ~ := # \\ \n not and or in if else for lambda import exec eval open "
    "getattr __class__ __import__ os sys find ask rate answer span first sort count video= query= by= key= None True 1 "
    '"x" x 9**9 f"{x}" await yield class def del global try while with match'
).split(" ")


def find(context: ToolContext, *, query: str, k: float = 3.0, within: Moment | None = None) -> list[Moment]:
    """Up to 30 moments of two videos."""
    count = int(min(abs(k), 30.0))
    return context.ledger.record(
        [Moment(f"v{i % 2 + 1}", Span(10.0 * i, 10.0 * i + 15), i / 30, "speech", f"{query} {i}") for i in range(count)]
    )


def ask(context: ToolContext, *, about: Moment, question: str) -> str:
    """A text."""
    return f"{question} {about.text}"


def rate(context: ToolContext, *, options: list[str]) -> list[float]:
    """Numbers."""
    return [float(len(option)) for option in options]


TOOLS = {"find": Tool.from_function(find), "ask": Tool.from_function(ask), "rate": Tool.from_function(rate)}


class Writer:
    """Programs by chance: typed ones, whose expressions have the type that is asked for, and spliced ones."""

    def __init__(self, seed: int, tools: Mapping[str, Tool], attacks: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.functions = {**BUILTINS, **tools}
        self.attacks = attacks
        self.names: dict[str, str] = {}

    def program(self) -> str:
        typed = self.typed()
        kind = self.random.random()
        if kind < 0.5:
            return typed
        return self.spliced(typed if kind < 0.75 else self.random.choice(self.attacks))

    def typed(self) -> str:
        self.names = {}
        lines = []
        for number in range(self.random.randint(0, 4)):
            kind = self.kind()
            lines.append(f"v_{number} = {self.expression(kind, 3)}")
            self.names[f"v_{number}"] = kind
        return "\n".join([*lines, f"answer(value={self.expression('number', 2)}, evidence=[])"])

    def kind(self) -> str:
        element = self.random.choice(ELEMENTS)
        return self.random.choice((element, f"list[{element}]"))

    def expression(self, kind: str, depth: int) -> str:
        chance = self.random.random()
        if depth <= 0 or chance < 0.2:
            return self.leaf(kind)
        if chance < 0.7:
            return self.call(kind, depth - 1)
        if chance < 0.8:
            yes, no = self.expression(kind, depth - 1), self.expression(kind, depth - 1)
            return f"({yes} if {self.expression('bool', depth - 1)} else {no})"
        if kind.startswith("list["):
            return f"[x for x in {self.expression(kind, depth - 1)} if {self.expression('bool', depth - 1)}]"
        if kind == "number":
            return f"({self.leaf(kind)} {self.random.choice('+-*/')} {self.expression(kind, depth - 1)})"
        if kind == "bool":
            return f"({self.expression('number', depth - 1)} < {self.expression('number', depth - 1)})"
        return f"{self.expression(f'list[{kind}]', depth - 1)}[{self.random.randint(-3, 3)}]"

    def leaf(self, kind: str) -> str:
        known = [name for name, type_name in self.names.items() if type_name == kind]
        if known and self.random.random() < 0.5:
            return self.random.choice(known)
        if kind.startswith("list["):
            return self.random.choice(("[]", f"[{self.leaf(kind[5:-1])}]"))
        return self.random.choice(LEAVES[kind])

    def call(self, kind: str, depth: int) -> str:
        element = kind[5:-1] if kind.startswith("list[") else kind
        fitting = [
            f for f in self.functions.values() if f.returns in {kind, "M", "list[T]" if kind != element else "T"}
        ]
        function = self.random.choice(fitting)
        given = [p for p in function.parameters if p.required or self.random.random() < 0.5]
        return f"{function.name}({', '.join(f'{p.name}={self.argument(p.type, element, depth)}' for p in given)})"

    def argument(self, types: str, element: str, depth: int) -> str:
        option = self.random.choice(types.split(" | "))
        if option.startswith("'"):
            return option
        option = {"T": element, "list[T]": f"list[{element}]", "M": "moment"}.get(option, option)
        return self.expression(option, depth)

    def spliced(self, text: str) -> str:
        """A text with a few pieces taken away, doubled, swapped for tokens, or for a piece of an attack."""
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randint(0, len(text))
            end = min(len(text), at + self.random.randint(0, 8))
            other = self.random.choice(self.attacks)
            cut = self.random.randint(0, len(other))
            piece = self.random.choice(
                (
                    "",
                    text[at:end] * 2,
                    self.random.choice(TOKENS),
                    other[cut : cut + 20],
                    chr(self.random.randint(0, 0x2FF)),
                )
            )
            text = text[:at] + piece + text[end:]
        return text[:4_000]


WATCHED = """
import importlib.util, pathlib, sys
def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    return module
here, count, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
effects = load("test_program_effects", here / "test_program_effects.py")
fakes = load("fakes", here.parent / "tools" / "conftest.py")
hostile = load("test_program_hostile", here.parent / "tools" / "test_program_hostile.py")
from agentvid.errors import ProgramError, ToolError
from agentvid.tools.program import Limits, check_program, run_program

limits = Limits(steps=2_000, tool_calls=20, list_items=200)
writer = effects.Writer(seed, effects.TOOLS, [text for text in hostile.HOSTILE.values() if len(text) < 4_000])
ran = refused = 0
def attempt(source):
    global ran, refused
    context = fakes.make_context()
    try:
        outcome = run_program(check_program(source, effects.TOOLS), context, limits)
        assert all(moment.video_id in context.scope for moment in outcome.outcome.evidence)
        ran += 1
    except (ProgramError, ToolError):
        refused += 1

for source in ("1", "fnd()", *(writer.program() for _ in range(50))):
    attempt(source)
ran = refused = 0
seen, watching = [], True
# compile is what ast.parse reports; it makes a tree and no code.
def hear(event, details):
    if watching and event != "compile":
        seen.append((event, str(details)[:80]))
sys.addaudithook(hear)
for _ in range(count):
    source = writer.program()
    try:
        attempt(source)
    except BaseException:
        print(repr(source), file=sys.stderr)
        raise
watching = False
print(ran, refused, len(seen), seen[:3])
"""


def watched(tmp_path: Path, count: int, seed: int) -> None:
    script = tmp_path / "watched.py"
    script.write_text(WATCHED, "utf-8")
    command = [sys.executable, str(script), str(HERE), str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3_000, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    ran, refused, events, *shown = done.stdout.split()
    assert int(ran) + int(refused) == count
    assert int(events) == 0, shown
    assert int(ran) > count / 20, "too few of the programs ran"
    assert int(refused) > count / 20, "too few of the programs were hostile"


def test_generated_programs_have_no_effect_but_tool_calls(tmp_path: Path) -> None:
    watched(tmp_path, 1_500, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_generated_programs_have_no_effect_but_tool_calls(tmp_path: Path) -> None:
    watched(tmp_path, 100_000, seed=random.SystemRandom().randrange(1 << 32))
