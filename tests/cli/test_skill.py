"""The skill file: agents find it, its front matter is what they load, and every command line in it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentvid.cli.skill import FILE

TEXT = FILE.read_text("utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines() if line]
#: What an agent loads of it at first: names and descriptions of all its skills.
MOST_DESCRIPTION = 1024


def test_front_matter_has_a_name_and_says_when_to_use_it() -> None:
    loaded = yaml.safe_load(TEXT.split("---\n")[1])
    assert set(loaded) == {"name", "description"}
    assert loaded["name"] == "agentvid"
    assert "Use it" in loaded["description"]
    assert len(loaded["description"]) <= MOST_DESCRIPTION


def test_the_command_prints_it_and_tells_where_it_is(run_in: Callable[..., Any], tmp_path: Path) -> None:
    assert run_in(["skill"], folder=tmp_path).stdout == TEXT
    assert Path(run_in(["skill", "--path"], folder=tmp_path).stdout.strip()) == FILE.parent
    assert json.loads(run_in(["skill", "--json"], folder=tmp_path).stdout) == {"path": str(FILE.parent), "text": TEXT}


def test_its_command_lines_run_in_order_and_print_one_document_each(
    run_line: Callable[..., Any], subtests: pytest.Subtests
) -> None:
    for line in LINES:
        with subtests.test(line):
            finished = run_line(line)
            assert finished.code == 0, finished.stderr
            assert isinstance(json.loads(finished.stdout), dict)


def test_exit_codes_are_those_of_the_reference() -> None:
    def codes(text: str) -> list[str]:
        return re.findall(r"^\| (\d+) \|", text, re.MULTILINE)

    from agentvid.cli.reference import reference_page

    assert codes(TEXT) == codes(reference_page())
