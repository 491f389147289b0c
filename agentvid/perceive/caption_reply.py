"""What a model wrote, read as a caption: tolerant of how it is written, not of what says nothing.

Models that were asked for JSON write it between fences, with a thought before it, cut off in the middle, or write plain
sentences. All of that is read. Nothing, noise and loops are refused, because they would be found and quoted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from agentvid.text import clean_text

MAX_REPLY_CHARACTERS, MAX_CAPTION_CHARACTERS = 20_000, 1_500
_MAX_ITEMS, _ITEM_CHARACTERS, _TEXT_CHARACTERS = 20, 120, 500
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_CAPTION = re.compile(r'"caption"\s*:\s*("(?:[^"\\]|\\.)*"?)', re.DOTALL)
_FENCE = re.compile(r"^```\w*\s*|\s*```$")
#: Of the characters of a sentence, at least this share are letters, digits or blanks; of many words, this many differ.
_LEAST_LETTERS, _LEAST_DISTINCT, _MANY_WORDS = 0.6, 0.2, 30


@dataclass(frozen=True, slots=True)
class Caption:
    """One line that says what is shown; and, where the model told them, things, deeds and words in the picture."""

    text: str
    objects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    words: str = ""


def read_caption(reply: str) -> Caption:
    """The caption in a model's reply. Raises ValueError that names what is wrong with it, in a few words."""
    if len(reply) > MAX_REPLY_CHARACTERS:
        raise ValueError(f"it has {len(reply):,} characters; allowed: {MAX_REPLY_CHARACTERS:,}")
    said = _THOUGHT.sub("", reply).strip()
    data = _json(said)
    if data is None:
        return Caption(_sentence(_plain(said)))
    return Caption(
        _sentence(data.get("caption")),
        _items(data.get("objects")),
        _items(data.get("actions")),
        clean_text(data["text"], limit=_TEXT_CHARACTERS) if isinstance(data.get("text"), str) else "",
    )


def _json(said: str) -> dict[str, Any] | None:
    found = _OBJECT.search(said)
    try:
        data = json.loads(found.group()) if found else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _plain(said: str) -> str:
    """The caption of JSON that is broken or was cut off; else the reply as it is. Other JSON is no caption."""
    if found := _CAPTION.search(said):
        text = found.group(1)
        try:
            return str(json.loads(text if len(text) > 1 and text.endswith('"') else f'{text}"'))
        except ValueError:
            return text.strip('"')
    text = _FENCE.sub("", said)
    if text.startswith(("{", "[")):
        raise ValueError('it has no "caption"')
    return text


def _sentence(text: object) -> str:
    if not isinstance(text, str) or not (cleaned := clean_text(text, limit=MAX_REPLY_CHARACTERS)):
        raise ValueError("it has no caption")
    if len(cleaned) > MAX_CAPTION_CHARACTERS:
        raise ValueError(f"its caption has {len(cleaned):,} characters; allowed: {MAX_CAPTION_CHARACTERS:,}")
    readable = sum(character.isalnum() or character == " " for character in cleaned)
    if readable < _LEAST_LETTERS * len(cleaned) or not any(character.isalpha() for character in cleaned):
        raise ValueError(f"its caption is no sentence: {cleaned[:60]!r}")
    words = cleaned.casefold().split()
    if len(words) >= _MANY_WORDS and len(set(words)) < _LEAST_DISTINCT * len(words):
        raise ValueError(f"its caption repeats itself: {cleaned[:60]!r}")
    return cleaned


def _items(value: object) -> tuple[str, ...]:
    """The texts of a list; anything else is left out."""
    listed = value if isinstance(value, list) else []
    texts = (clean_text(item, limit=_ITEM_CHARACTERS) for item in listed[:_MAX_ITEMS] if isinstance(item, str))
    return tuple(dict.fromkeys(filter(None, texts)))
