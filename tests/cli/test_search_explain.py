"""`agentvid search --explain`: what people read, what programs read, and what is refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.commands import agentvid, import_lines

LINES = [
    ("lecture", 90, "speech", 2, 6, "Stream ciphers use a key."),
    ("lecture", 90, "speech", 40, 45, "Never use a key twice."),
    ("lecture", 90, "ocr", 70, 80, "Block modes"),
    ("harbour", 30, "caption", 3, 9, "A red boat leaves the pier."),
]


@pytest.fixture(autouse=True)
def _imported(tmp_path: Path) -> None:
    import_lines(tmp_path / "rows.jsonl", LINES)


def test_people_read_ranks_words_and_evidence() -> None:
    code, out, _ = agentvid("search", "key twice zeppelin", "--explain")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith("1  lecture  0:40-0:45")
    assert "rank 1 of" in lines[2]
    assert "lexical 1 (BM25" in lines[2]
    assert lines[3].startswith("words: here: key ")
    assert "nowhere: zeppelin" in lines[3]
    assert lines[4].startswith("evidence: ")
    assert any(line.startswith("against hit 1: ") for line in lines)


def test_json_has_all_of_search_and_explain() -> None:
    plain = json.loads(agentvid("search", "key twice", "--json")[1])
    code, out, _ = agentvid("search", "key twice", "--json", "--explain", "--video", "lecture", "--expect", "0:02-6")
    document = json.loads(out)
    assert code == 0
    assert list(document) == ["query", "spelling", "hits", "put_off", "expected"]
    explained = json.loads(agentvid("search", "key twice", "--json", "--explain")[1])
    assert "expected" not in explained
    assert explained.pop("put_off") == []
    for hit in explained["hits"]:
        explain = hit.pop("explain")
        assert list(explain) == ["fit", "rank", "candidates", "channels", "words", "evidence", "covered_by"]
        total = sum(part["contribution"] for part in explain["evidence"].values())
        assert explain["fit"] == pytest.approx(total, abs=1e-3)
    assert explained == plain
    expected = document["expected"]
    assert (expected["video"], expected["start"], expected["end"]) == ("lecture", 2.0, 6.0)
    assert expected["reason"] in {"hit", "covered", "outranked"}
    assert expected["candidate"]["start"] == 2.0


def test_expected_span_without_text_says_so_and_nothing_found_stays_code_3() -> None:
    arguments = ("search", "zeppelin", "--explain", "--video", "lecture", "--expect", "10-20")
    code, out, err = agentvid(*arguments)
    assert code == 3
    assert "nothing found" in err
    assert "expected lecture  0:10-0:20: no track has text at 0:10-0:20; tracks: ocr, speech; gaps there: none" in out
    assert json.loads(agentvid(*arguments, "--json")[1])["expected"]["reason"] == "no text"


def test_expected_span_that_a_filter_took_out() -> None:
    code, out, _ = agentvid(
        "search", "key", "--explain", "--video", "lecture", "--track", "speech", "--from", "1:00", "--expect", "70-80"
    )
    assert code == 3
    assert "filtered out by the track speech; the span has text of: ocr" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--explain", "--expect", "1-2"], "exactly one --video, got 0"),
        (["--explain", "--expect", "1-2", "--video", "lecture", "--video", "harbour"], "exactly one --video, got 2"),
        (["--expect", "1-2", "--video", "lecture"], "--explain"),
        (["--explain", "--video", "lecture", "--expect", "20-10"], "not before"),
        (["--explain", "--video", "lecture", "--expect", "20-20"], "not before"),
        (["--explain", "--video", "lecture", "--expect", "20"], "not a span"),
        (["--explain", "--video", "lecture", "--expect", "soon-later"], "not a time"),
        (["--explain", "--video", "lecture", "--expect", "-5-2"], "not a time"),
        (["--explain", "--video", "lecture", "--expect", ""], "not a span"),
        (["--explain", "--video", "harbour", "--expect", "0:30-0:40"], "30 s"),
        (["--explain", "-k", "0"], "k = 0"),
    ],
)
def test_wrong_values_get_one_line(arguments: list[str], says: str) -> None:
    code, out, err = agentvid("search", "key", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert says in err


def test_empty_query_and_batch_are_refused(tmp_path: Path) -> None:
    for arguments in (["", "--explain"], ["--batch", str(tmp_path / "rows.jsonl"), "--explain"]):
        code, out, err = agentvid("search", *arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_what_the_limit_of_one_video_puts_off_is_named(tmp_path: Path) -> None:
    rows = [("crypto", 900, "speech", at * 30, at * 30 + 5, f"A key is kept, says speaker {at}.") for at in range(12)]
    rows += [(f"talk {at}", 60, "speech", 2, 6, "The key, perhaps, is patience, as a wise man said") for at in range(8)]
    import_lines(tmp_path / "more.jsonl", rows)
    document = json.loads(agentvid("search", "key kept", "--json", "--explain", "-k", "12")[1])
    assert sum(hit["video"] == "crypto" for hit in document["hits"][:10]) == 4
    assert document["put_off"]
    for one in document["put_off"]:
        assert one["video"] == "crypto"
        assert one["hit"] is None or document["hits"][one["hit"] - 1]["start"] == one["start"]
    out = agentvid("search", "key kept", "--explain")[1]
    (line, *_) = [line for line in out.splitlines() if line.startswith("put off: crypto ")]
    assert "would be hit 5 and comes after the tenth: its video has 4 of the first ten already" in line
    os.environ["AGENTVID_MOST_OF_ONE_VIDEO"] = "10"
    try:
        unlimited = json.loads(agentvid("search", "key kept", "--json", "--explain")[1])
    finally:
        del os.environ["AGENTVID_MOST_OF_ONE_VIDEO"]
    assert unlimited["put_off"] == []
    assert sum(hit["video"] == "crypto" for hit in unlimited["hits"]) > 4
