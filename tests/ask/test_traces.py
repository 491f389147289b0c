"""Traces: whole or not at all, found by id or its beginning, and never in the way of an answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentvid.errors import LibraryError, NotFound, UsageError
from agentvid.trace import new_trace_id, read_trace, trace_ids, write_trace


def test_ids_sort_by_time_and_differ() -> None:
    early, late = new_trace_id(datetime(2026, 1, 2, tzinfo=UTC)), new_trace_id(datetime(2026, 1, 3, tzinfo=UTC))
    assert early < late
    assert len({new_trace_id() for _ in range(100)}) == 100


def test_a_trace_is_read_back_by_id_and_by_its_beginning(tmp_path: Path) -> None:
    first, second = "20260101T000000000-aaaaaaaa", "20260102T000000000-bbbbbbbb"
    for name in (first, second):
        assert write_trace(tmp_path, name, {"question": f"was ist \u202e los? {name}"}) == ""
    assert read_trace(tmp_path, first)["question"].endswith(first)
    assert read_trace(tmp_path, "20260102")["trace_id"] == second
    assert trace_ids(tmp_path) == [second, first]
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == [f"{first}.json", f"{second}.json"]


def test_an_unclear_or_unknown_id_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no trace"):
        read_trace(tmp_path, "2026")
    for name in ("20260101T0-a", "20260102T0-b"):
        write_trace(tmp_path, name, {})
    with pytest.raises(UsageError, match="fits 2"):
        read_trace(tmp_path, "2026")
    with pytest.raises(NotFound) as caught:
        read_trace(tmp_path, "1999")
    assert "20260102T0-b" in caught.value.hint


@pytest.mark.parametrize("reference", ["", "../../etc/passwd", "a/b", "a\x00b", "x" * 41, "*", "..", "20260101T0_a"])
def test_what_is_no_id_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="not a trace id"):
        read_trace(tmp_path, reference)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b""])
def test_a_damaged_trace_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "20260101T0-a.json").write_bytes(content)
    with pytest.raises(LibraryError, match="20260101T0-a"):
        read_trace(tmp_path, "20260101T0-a")


def test_what_cannot_be_written_is_a_warning_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("in the way")
    assert "not written" in write_trace(tmp_path, "a", {})
    (tmp_path / "traces").unlink()
    assert "not written" in write_trace(tmp_path, "a", {"nan": float("nan")})
    assert list((tmp_path / "traces").iterdir()) == []


def test_a_lone_surrogate_survives(tmp_path: Path) -> None:
    assert write_trace(tmp_path, "a", {"name": "\udc80"}) == ""
    assert json.loads((tmp_path / "traces" / "a.json").read_text())["name"] == "\udc80"
