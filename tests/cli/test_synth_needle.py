"""`agentvid synth needle`: the files that the next commands take, and one line for wrong input."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from agentvid.cli import main


def agentvid(*arguments: str) -> tuple[int, str, str]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, out.getvalue(), err.getvalue()


def test_it_writes_files_and_says_what_to_do_with_them(tmp_path: Path) -> None:
    code, out, err = agentvid("synth", "needle", "--to", str(tmp_path / "n"), "--hours", "0.5", "--each", "2")
    assert (code, out) == (0, "")
    assert "import" in err
    assert "eval qa" in err
    code, out, _ = agentvid("synth", "needle", "--to", str(tmp_path / "m"), "--hours", "0.5", "--each", "2", "--json")
    document = json.loads(out)
    assert (code, document["questions"], document["seconds"]) == (0, 6, 1800)
    assert Path(document["file"]).read_bytes() == (tmp_path / "n" / "rows.jsonl").read_bytes()
    assert len(Path(document["questions_file"]).read_text("utf-8").splitlines()) == 6


@pytest.mark.parametrize(
    "wrong", [("--hours", "0"), ("--each", "0"), ("--seed", "-1"), ("--hours", "0.01"), ("--haystack", "none.jsonl")]
)
def test_wrong_input_is_one_line(tmp_path: Path, wrong: tuple[str, str]) -> None:
    code, out, err = agentvid("synth", "needle", "--to", str(tmp_path / "n"), *wrong)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "n").exists()
