"""What models write around a caption is read away; what says nothing is refused with the reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.perceive.caption_reply import MAX_CAPTION_CHARACTERS, Caption, read_caption
from agentvid.text import clean_text

WHOLE = {"caption": "A red car stops.", "objects": ["red car"], "actions": ["a car stops"], "text": "STOP"}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(WHOLE),
        f"```json\n{json.dumps(WHOLE, indent=2)}\n```",
        f"Here is the JSON you asked for:\n{json.dumps(WHOLE)}\nAnything else?",
        f"<think>A car? {{maybe}}</think>\n{json.dumps(WHOLE)}",
    ],
)
def test_json_however_it_is_wrapped(reply: str) -> None:
    assert read_caption(reply) == Caption("A red car stops.", ("red car",), ("a car stops",), "STOP")


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ('{"caption": "A red car stops.", "objects": ["red c', "A red car stops."),
        ('{"caption": "A red car st', "A red car st"),
        ('{"caption": "A \\"red\\" car.",}', 'A "red" car.'),
        ("A red car stops.", "A red car stops."),
        ("```\nA red car stops.\n```", "A red car stops."),
        ("A red\ncar \x1b[31mstops\u202e.", "A red car [31mstops."),
        ("Ein rotes Auto hält an der Ampel.", "Ein rotes Auto hält an der Ampel."),
        ("一辆红色汽车停下。", "一辆红色汽车停下。"),
        ('{"caption": "A car.", "objects": "car", "actions": [1, null], "text": ["x"]}', "A car."),
    ],
)
def test_what_is_not_quite_json_and_what_is_none(reply: str, text: str) -> None:
    assert read_caption(reply) == Caption(text)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "it has no caption"),
        (" \u200b\n", "it has no caption"),
        ("<think>I wonder", "it has no caption"),
        ('{"caption": ""}', "it has no caption"),
        ('{"caption": 7}', "it has no caption"),
        ('{"description": "a car"}', "it has no caption"),
        ("[1, 2, 3]", 'it has no "caption"'),
        ("$%&/()=?", "is no sentence"),
        ("0101 1110 0001", "is no sentence"),
        ("the car " * 40, "repeats itself"),
        ("word " * 500, "characters; allowed: 1,500"),
        ("x" * 100_000, "it has 100,000 characters; allowed: 20,000"),
    ],
)
def test_what_says_nothing_is_refused(reply: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_caption(reply)
    assert fault in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_reply_is_read_or_refused(reply: str) -> None:
    try:
        caption = read_caption(reply)
    except ValueError:
        return
    assert 0 < len(caption.text) <= MAX_CAPTION_CHARACTERS
    assert clean_text(caption.text, limit=MAX_CAPTION_CHARACTERS) == caption.text
