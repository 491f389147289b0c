"""Text of strangers made safe; times as people write them."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentvid.text import clean_text, parse_timestamp, printable_line, shown_name, terminal_text, time_range, timestamp

TEXT = st.text(st.characters(), max_size=60) | st.text(
    "a e\u0301\u200b\u200d\u202e\n\x1b\ufeff\u2028\u3000\ud800", max_size=20
)


@given(TEXT)
def test_a_printable_line_has_a_character_for_each_and_is_one_line(text: str) -> None:
    line = printable_line(text)
    assert len(line) == len(text)
    assert len(f"<{line}>".splitlines()) == 1
    assert printable_line(line) == line


def test_a_video_is_called_by_the_last_part_of_its_path() -> None:
    assert shown_name("/films/first\nlast\x1b.mp4") == "first\ufffdlast\ufffd.mp4"
    assert shown_name("a talk") == "a talk"
    assert shown_name("/") == "/"


@given(TEXT, st.integers(1, 50))
@example("e\u200b\u0301", 50)
@example("a \u200b b", 50)
@example("word word", 5)
def test_clean_text_is_one_safe_line_and_stays_as_it_is(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit=limit)
    assert clean_text(cleaned, limit=limit) == cleaned
    assert len(cleaned) <= limit
    assert cleaned == cleaned.strip()
    assert cleaned == unicodedata.normalize("NFC", cleaned)
    assert "  " not in cleaned
    kinds = {unicodedata.category(character) for character in cleaned if character not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    cleaned.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two\r\n\tlines\u2028here ", "two lines here"),
        ("\x1b[31mred\x07", "[31mred"),
        ("pay\u202eelif\u202c", "payelif"),
        ("na\u0308her", "n\u00e4her"),
        ("👩\u200d🔬 می\u200cخواهم", "👩\u200d🔬 می\u200cخواهم"),
        ("\u200b\u200d \u200c", ""),
        ("a\U000e0041b", "ab"),
        ("", ""),
    ],
)
def test_clean_text(text: str, expected: str) -> None:
    assert clean_text(text) == expected


@given(TEXT)
def test_a_terminal_gets_nothing_to_obey(text: str) -> None:
    shown = terminal_text(text)
    assert len(shown) == len(text)
    assert not set(shown) & set("\x1b\x07\r\x9b\u202e\u2066\x00")
    assert [c for c in text if c in "\n\t"] == [c for c in shown if c in "\n\t"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (75.99, "1:15"), (3599.9, "59:59"), (3675, "1:01:15"), (360_000, "100:00:00")]
)
def test_timestamp(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (75.0, 80.5, "1:15-1:20"),
        (0.0, 0.08, "0:00.0-0:00.1"),
        (0.3, 0.32, "0:00.3-0:00.4"),
        (4.12, 4.9, "0:04.1-0:04.9"),
        (4.97, 4.99, "0:04.9-0:05.0"),
        (3675.2, 3675.7, "1:01:15.2-1:01:15.7"),
    ],
)
def test_a_span_is_never_shown_as_nothing(start: float, end: float, text: str) -> None:
    assert time_range(start, end) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("75.25", 75.25), ("1:15", 75), ("1:01:15.5", 3675.5), (" 90:00 ", 5400), ("0", 0), ("100:00:00", 360_000)],
)
def test_parse_timestamp(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1:75", "1:2:3:4", "1.5:30", "1:", ":30", "1e3", "nan", "inf", "1:60:00", "9" * 400, "1 30", "+1"],
)
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; allowed"):
        parse_timestamp(text)


@given(st.integers(0, 1_000_000))
def test_times_go_there_and_back(seconds: int) -> None:
    assert parse_timestamp(timestamp(seconds)) == seconds


@given(st.text(max_size=12) | st.text("0123456789:.", max_size=12))
def test_parsing_gives_seconds_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_timestamp(text)
    except ValueError:
        return
    assert math.isfinite(seconds)
    assert seconds >= 0
