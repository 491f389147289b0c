"""Word search: BM25 in SQLite's FTS5, stemmed, without accents; any text that a user types is a literal query.

BM25 after Robertson and Zaragoza (2009) as FTS5 implements it. Chinese, Japanese, Thai and other scripts without
spaces are indexed by single characters and searched by pairs of neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from agentvid.indexes.base import Filter, Ranked

if TYPE_CHECKING:
    from agentvid.indexes.store import Store

#: How words are cut; kept beside the index, which must be rebuilt when this changes.
FORMAT = "fts5 porter unicode61 remove_diacritics 2; unspaced scripts by character; 1"
_TEXT_WEIGHT, _TITLE_WEIGHT = 1.0, 0.25
_MOST_TERMS = 64

# Thai, Lao, Myanmar, Khmer; kana; CJK ideographs with extensions; compatibility ideographs.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_UNSPACED_OR_NOT = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
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
    """Ranks passages by BM25 of their words and, at a quarter of the weight, of their video's title."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def search(self, query: str, k: int, where: Filter) -> list[Ranked]:
        """At most `k` passages that hold any content term, best first; the score is BM25, higher is better.

        Passages with every quoted phrase come before the others. Empty for a query without words.
        """
        words, quoted = terms(query), phrases(query)
        if not words or k <= 0:
            return []
        match = " OR ".join(_literal(term) for term in dict.fromkeys([*quoted, *words]))
        first = self._ranked(" AND ".join(map(_literal, quoted)), match, k, where) if quoted else []
        if len(first) >= k:
            return first
        seen = {hit.passage_id for hit in first}
        rest = [hit for hit in self._ranked("", match, k + len(seen), where) if hit.passage_id not in seen]
        return [*first, *rest][:k]

    def containing(self, query: str, where: Filter) -> list[Ranked]:
        """Every passage whose text (not title) holds all quoted phrases, or, without quotes, all content terms."""
        wanted = phrases(query) or terms(query)
        if not wanted:
            return []
        match = "{text} : (" + " AND ".join(map(_literal, wanted)) + ")"
        return self._ranked("", match, -1, where)

    def _ranked(self, required: str, match: str, k: int, where: Filter) -> list[Ranked]:
        import sqlalchemy as sa

        from agentvid.indexes.records import filter_clauses
        from agentvid.indexes.schema import passages

        expression = f"({required}) AND ({match})" if required else match
        score: sa.ColumnElement[float] = sa.literal_column(f"bm25(passage_fts, {_TEXT_WEIGHT}, {_TITLE_WEIGHT})")
        fts = sa.table("passage_fts", sa.column("rowid"))
        source = fts if where.is_empty else fts.join(passages, passages.c.id == fts.c.rowid)
        query = (
            sa.select(fts.c.rowid, score.label("score"))
            .select_from(source)
            .where(sa.text("passage_fts MATCH :match"), *filter_clauses(where))
            .order_by(sa.text("score"), fts.c.rowid)
            .limit(k)
        )
        with self._store.reading() as connection:
            # FTS5's bm25() is smaller for better matches.
            return [Ranked(row[0], -row[1]) for row in connection.execute(query, {"match": expression})]


def _literal(term: str) -> str:
    """An FTS5 string; terms hold letters, digits, marks and spaces only."""
    return f'"{term}"'
