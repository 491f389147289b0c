"""Snippets of docs/frameworks.md are parts of the examples, which the tests of the frameworks run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_snippets_are_lines_of_the_examples() -> None:
    page = (ROOT / "docs" / "frameworks.md").read_text("utf-8")
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    named = {match.group(1): snippet for snippet in snippets if (match := re.search(r"adapters\.(\w+) ", snippet))}
    examples = {path.stem.removeprefix("with_"): path for path in (ROOT / "examples").glob("with_*.py")}
    assert set(examples) == set(named) - {"studio"}
    for name, path in examples.items():
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
        for line in named[name].splitlines():
            assert line.strip() in lines, f"{path.name} has no line {line.strip()!r}"
