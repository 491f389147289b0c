"""Files for the user: whole or not there, and what is said where they cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentvid.errors import NotSaved
from agentvid.saving import save
from tests.disk import largest_file


@pytest.mark.parametrize("size_bytes", [2_000, 200_000], ids=["less than a buffer", "more than a buffer"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, size_bytes: int) -> None:
    with largest_file(1_000), pytest.raises(NotSaved, match="cannot be written"):
        save(tmp_path / "answer.html", b"x" * size_bytes)
    assert list(tmp_path.iterdir()) == []
