"""llms.txt, made from the pages: `python -m agentvid.cli.llms > llms.txt`, in the folder that holds README.md.

The format is that of llmstxt.org: a title, a summary, and lists of links with what each page is about.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

#: Pages about how it was made and measured: what a reader in a hurry may leave out.
_OPTIONAL = ("CONTRIBUTING.md", "CHANGELOG.md", "performance.md", "evaluation.md", "visual-programs.md")
_SKILL = "- [agentvid skill](agentvid/skill/SKILL.md): How an agent uses the command line; `agentvid skill` prints it."


def llms_page(root: Path) -> str:
    """The text of llms.txt for the pages below `root`."""
    title, about = _title_and_about(root / "README.md")
    pages = sorted((root / "docs").glob("*.md"))
    optional = [root / name for name in _OPTIONAL[:2]] + [page for page in pages if page.name in _OPTIONAL]
    needed = [root / "README.md", *(page for page in pages if page not in optional)]
    lines = [f"# {title}", "", f"> {about}", "", "## Docs", "", _SKILL]
    lines += [_entry(page, root) for page in needed]
    lines += ["", "## Optional", "", *(_entry(page, root) for page in optional)]
    return "\n".join(lines) + "\n"


def _entry(page: Path, root: Path) -> str:
    title, about = _title_and_about(page)
    return f"- [{title}]({page.relative_to(root).as_posix()}): {about}"


def _title_and_about(page: Path) -> tuple[str, str]:
    """The heading of a page, and the first sentence below it, without its links."""
    text = page.read_text("utf-8")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1] if heading else page.stem, next(_sentences(text), "")


def _sentences(text: str) -> Iterator[str]:
    """The first sentence of every paragraph of prose."""
    for block in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        prose = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", " ".join(block.split()))
        if prose and not prose.startswith(("#", "<", "|", "-", ">")):
            yield re.split(r"(?<=[.])\s", prose, maxsplit=1)[0].removesuffix(":")


if __name__ == "__main__":
    sys.stdout.write(llms_page(Path.cwd()))
