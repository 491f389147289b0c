"""Programs that want out: every one is refused or stopped by a typed error, and nothing outside notices."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid.errors import ProgramError, ToolError
from agentvid.tools import program
from agentvid.tools.base import Parallel, Tool
from agentvid.tools.program import Limits, Run, check_program

HERE = Path(__file__).parent
PAYLOADS: Mapping[str, list[Any]] = yaml.safe_load((HERE / "payloads.yaml").read_text("utf-8"))
GIVEN = 'hits = find(query="x", k=30)\nm = first(hits)\n'

BOMBS = {
    "long source": "1 + " * 100_000 + "1",
    "many terms": "+".join(["1"] * 900),
    "many attributes": "m" + ".a" * 200_000,
    "deep brackets": "(" * 5_000 + "1" + ")" * 5_000,
    "deep lists": "[" * 19 + "]" * 19,
    "many nots": "not " * 1_900 + "True",
    "many minuses": "-" * 1_900 + "1",
    "many ifs": "1 if True else " * 400 + "1",
    "long text": f'"{"a" * 2_000}"',
    "text of a megabyte": f'find(query="{"a" * 1_000_000}")',
    "long number": "1" * 5_000,
    "long name": "a" * 5_000,
    "many lines": "x = 1\n" * 200 + "x",
    "many backslashes": '"' + "\\" * 4_001,
    "many quotes": '"' * 4_001,
    "doubling": "a = [1, 2]\n" + "a = a + a\n" * 40 + "a",
    "loop in a loop": "a = find(query='x', k=1000)\n[sum([1 for y in a]) for x in a]",
    "loops beside each other": "a = find(query='x', k=1000)\n" + "b = [start(x) for x in a]\n" * 50 + "b",
    "algebra in a loop": (
        "a = find(query='x', k=1000)\n"
        "[count(intersect(gaps(a, of=span(start=0, end=5000, video='v1')), merge(pad(a, 1), gap=1))) for x in a]"
    ),
    "texts in a loop": "a = find(query='x', k=1000)\n[mentions(a, text(a)) for x in a]",
    "sorting in a loop": "a = find(query='x', k=1000)\n[last(sort(a + [x], by='score')) for x in a]",
    "growing texts": "a = find(query='x', k=1000)\n[text(hull(union(shift(a, start(x))) + a)) for x in a]",
    "calls in a loop": "a = find(query='x', k=1000)\n[find(query=text(x)) == [] for x in a]",
    "calls that need each other": (
        "a = find(query='x', k=1000)\n"
        + "b = [count(merge(pad(a, 1), gap=1)) for x in a[:60]]\n"
        + "m = first(a)\n"
        + "".join(f"m = first(find(query='{n}', within=m))\n" for n in range(90))
        + "m"
    ),
    "loop over calls": "[count(find(query=text(x))) for x in find(query='y', k=1000)]",
}


def programs() -> dict[str, str]:
    found = {f"{name} / {i}": GIVEN + str(text) for name, texts in PAYLOADS.items() for i, text in enumerate(texts, 1)}
    return {**found, **{f"{name} / alone": str(texts[0]) for name, texts in PAYLOADS.items()}, **BOMBS}


HOSTILE = programs()


def test_the_corpus_is_large_enough() -> None:
    assert [int(name.split()[0]) for name in PAYLOADS] == list(range(1, 69))
    assert all(len(texts) >= 3 for texts in PAYLOADS.values())
    assert sum(map(len, PAYLOADS.values())) >= 200


# Classes whose programs are fine in themselves and only cost too much are run under small limits.
SMALL = Limits(steps=2_000, tool_calls=20, list_items=1_000)


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused_or_stopped_by_a_typed_error(run: Callable[..., Run], name: str) -> None:
    started = time.process_time()
    with pytest.raises((ProgramError, ToolError)) as caught:
        run(HOSTILE[name], SMALL)
    assert "allowed" in str(caught.value)
    assert len(str(caught.value)) < 4_000
    assert time.process_time() - started < 5


@pytest.mark.parametrize("parallel", ["never", "always"])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stop_under_the_default_limits_too(
    run: Callable[..., Run], tools: Mapping[str, Tool], name: str, parallel: Parallel
) -> None:
    started = time.process_time()
    with pytest.raises((ProgramError, ToolError)):
        run(BOMBS[name], extra={"find": replace(tools["find"], parallel=parallel)})
    assert time.process_time() - started < 10


WATCHED = """
import importlib.util, pathlib, resource, sys
import yaml
folder = pathlib.Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("test_program_hostile", folder / "test_program_hostile.py")
hostile = importlib.util.module_from_spec(spec); spec.loader.exec_module(hostile)
spec = importlib.util.spec_from_file_location("fakes", folder / "conftest.py")
fakes = importlib.util.module_from_spec(spec); spec.loader.exec_module(fakes)
from agentvid.errors import AgentvidError
from agentvid.tools.program import check_program, run_program

def attempt(source):
    try:
        run_program(check_program(source, fakes.TOOLS), fakes.make_context(), hostile.SMALL)
    except AgentvidError:
        return True
    return False

attempt("fnd()")  # what is imported once, lazily, is imported before the watch begins
seen = []
watching = True
sys.addaudithook(lambda event, details: seen.append((event, str(details)[:80])) if watching else None)
memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = [attempt(source) for source in hostile.HOSTILE.values()]
watching = False
grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib
# ast.parse is a call of compile that makes a tree and no code.
bad = [entry for entry in seen if entry[0] != "compile"]
print(len(refused), all(refused), bad, grown_kib)
"""


def test_nothing_outside_notices(tmp_path: Path) -> None:
    script = tmp_path / "watched.py"
    script.write_text(WATCHED, "utf-8")
    done = subprocess.run([sys.executable, script, HERE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    count, all_refused, *rest = done.stdout.split()
    assert (int(count), all_refused) == (len(HOSTILE), "True")
    assert rest[0] == "[]", f"audit events: {done.stdout}"
    assert int(rest[-1]) < 50 * 1024, "resident memory grew by more than 50 MB"


def test_what_a_tool_returns_is_never_read_as_code(run: Callable[..., Run], tools: Mapping[str, Tool]) -> None:
    spell = '__import__(\\"os\\").system(\\"id\\")'
    result = run(f'm = first(find(query="{spell}"))\n[text(m), ask(about=m, question="{spell}")]')
    assert isinstance(result.value, tuple)
    assert all(isinstance(text, str) and "__import__" in text for text in result.value)


FORBIDDEN = {
    "eval", "exec", "compile", "getattr", "setattr", "delattr", "__import__", "open", "globals", "locals", "vars",
    "input", "breakpoint", "print", "type_", "importlib", "os", "sys", "subprocess", "socket", "pickle", "marshal",
    "ctypes", "inspect", "pathlib", "builtins",
}  # fmt: skip


def test_the_interpreter_itself_uses_no_dangerous_name() -> None:
    folder = Path(program.__file__).parent
    files = [file for file in folder.glob("*.py") if file.name != "__main__.py"]
    assert len(files) >= 7
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.Name):
                names = {node.id}
            elif isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
            # Our own module of builtins has the name of Python's.
            names -= (
                {"builtins"} if isinstance(node, ast.ImportFrom) and node.module == "agentvid.tools.program" else set()
            )
            assert not names & FORBIDDEN, f"{file.name}:{getattr(node, 'lineno', 0)} {names & FORBIDDEN}"


def test_the_interpreter_holds_no_assertion_that_a_program_could_reach(tools: Mapping[str, Tool]) -> None:
    # Hosts may run with -O, which drops assertions; only reading our own signatures may use one.
    folder = Path(program.__file__).parent
    for file in folder.glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        assert not found or file.name == "builtins.py", f"{file.name}: {found}"
    assert check_program("1", tools).type == "number"
