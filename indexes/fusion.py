"""Reciprocal-rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): one order out of several, by ranks alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentvid.indexes.base import RankedList

K = 60


def ranks_by_passage(channels: Mapping[str, RankedList]) -> dict[int, dict[str, int]]:
    """passage id -> {channel: rank from 1}, in order of first appearance."""
    ranks: dict[int, dict[str, int]] = {}
    for channel, hits in channels.items():
        for rank, hit in enumerate(hits, 1):
            ranks.setdefault(hit.passage_id, {}).setdefault(channel, rank)
    return ranks


def fused_score(ranks: Iterable[int], channels: int) -> float:
    """The sum of 1 / (60 + rank), divided by what first place in every one of `channels` would give: 0 to 1."""
    return sum(1.0 / (K + rank) for rank in ranks) * (K + 1) / max(channels, 1)
