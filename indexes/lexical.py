"""Which passages hold words or phrases: SQLite's FTS5, stemmed, without accents; any text is a literal query.

It changes in the same transaction as the catalogue, so that "all" means all. Chinese, Japanese, Thai and other scripts
without spaces are indexed by single characters and searched by pairs of neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from agentvid.indexes.base import Filter
from agentvid.words import UNSPACED

if TYPE_CHECKING:
    from agentvid.indexes.store import Store

#: How words are cut; kept beside the index, which must be rebuilt when this changes.
FORMAT = "fts5 porter unicode61 remove_diacritics 2; unspaced scripts by character; 1"
_MOST_TERMS = 64

_UNSPACED_CHARACTER = re.compile(UNSPACED)
_UNSPACED_OR_NOT = re.compile(f"{UNSPACED}+|[^{UNSPACED[1:]}+")
_QUOTED = re.compile(r'["“”„«»]([^"“”„«»]+)["“”„«»]')

_STOP_WORDS_TEXT = """
    a about all am an and any are as at be been being but by can could did do does doing for from had has have
    having he her here hers him his how i if in into is it its just me my of on or our ours out over s she
    should so some such t than that the their them then there these they this those through to up us was we
    were what when where which while who whom why will with would you your yours"""
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


def index_words(text: str) -> str:
    """`text` as the index reads it: compatibility forms folded, unspaced scripts cut into characters."""
    folded = unicodedata.normalize("NFKC", text)
    if not _UNSPACED_CHARACTER.search(folded):
        return folded
    return " ".join(_UNSPACED_CHARACTER.sub(r" \g<0> ", folded).split())


def terms(query: str) -> list[str]:
    """The content words of a query in order, lower case, each once; stop words only if there is nothing else.

    A run of an unspaced script becomes overlapping pairs: "红色门" is "红 色" and "色 门".
    """
    found = dict.fromkeys(term for word in _words(query) for term in _terms_of(word))
    content = [term for term in found if term not in _STOP_WORDS]
    return (content or list(found))[:_MOST_TERMS]


def phrases(query: str) -> list[str]:
    """What the query puts in quotation marks, cut as the index cuts it."""
    found = (" ".join(index_words(" ".join(_words(quoted))).split()) for quoted in _QUOTED.findall(query))
    return [phrase for phrase in dict.fromkeys(found) if phrase][:_MOST_TERMS]


def _words(text: str) -> list[str]:
    """Runs of letters, digits and combining marks, folded. Everything else, FTS5's syntax included, separates."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded).split()


def _terms_of(word: str) -> list[str]:
    parts: list[str] = []
    for part in _UNSPACED_OR_NOT.findall(word):
        if not _UNSPACED_CHARACTER.match(part) or len(part) == 1:
            parts.append(part)
        else:
            parts += [f"{first} {second}" for first, second in pairwise(part)]
    return parts


class LexicalIndex:
    """Finds the passages that hold words or phrases; ranking is done elsewhere (windows.py)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def containing(self, query: str, where: Filter) -> list[int]:
        """Ids, ascending, of every passage whose text (not title) holds all quoted phrases, or, without quotes, all
        content terms."""
        import sqlalchemy as sa

        from agentvid.indexes.records import filter_clauses
        from agentvid.indexes.schema import passages

        wanted = phrases(query) or terms(query)
        if not wanted:
            return []
        fts = sa.table("passage_fts", sa.column("rowid"))
        source = fts if where.is_empty else fts.join(passages, passages.c.id == fts.c.rowid)
        found = (
            sa.select(fts.c.rowid)
            .select_from(source)
            .where(sa.text("passage_fts MATCH :match"), *filter_clauses(where))
            .order_by(fts.c.rowid)
        )
        match = "{text} : (" + " AND ".join(map(_literal, wanted)) + ")"
        with self._store.reading() as connection:
            return list(connection.execute(found, {"match": match}).scalars())


def _literal(term: str) -> str:
    """An FTS5 string; terms hold letters, digits, marks and spaces only."""
    return f'"{term}"'
