"""Docs cannot drift from the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from agentvid import errors
from agentvid.cli import llms, reference
from agentvid.config import Settings
from agentvid.library import Library
from agentvid.tools import program

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "llms.txt")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub calls them in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_cli_page_is_what_help_says() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert page == reference.reference_page(), "run `python -m agentvid.cli.reference > docs/cli.md`"


def test_llms_txt_is_what_the_pages_say() -> None:
    page = (ROOT / "llms.txt").read_text("utf-8")
    assert page == llms.llms_page(ROOT), "run `python -m agentvid.cli.llms > llms.txt`"


def test_program_page_is_what_the_registry_says() -> None:
    page = (ROOT / "docs" / "program.md").read_text("utf-8")
    assert page == program.reference_page(), "run `python -m agentvid.tools.program > docs/program.md`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text("utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_settings_page_names_every_setting() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert all(f"`{name}`" in text for name in Settings.model_fields)


def test_python_page_names_every_method() -> None:
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    methods = {name for name, value in vars(Library).items() if inspect.isfunction(value) and not name.startswith("_")}
    assert {name for name in methods if f"`{name}(" not in text} == {"ask_context", "question_context"}  # for doors


def test_error_tree_is_drawn_whole() -> None:
    classes = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    drawing = errors.__doc__ or ""
    for name in classes:
        line = next(line for line in drawing.splitlines() if re.search(rf"\b{name}\b", line))
        code = re.search(r"\b(?:exit code )?(\d)\b", line)
        assert code is not None
        assert int(code.group(1)) == getattr(errors, name).exit_code


def test_readme_shows_the_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
