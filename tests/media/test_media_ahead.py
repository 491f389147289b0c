"""The thread that decodes ahead changes nothing but the time it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.media.ahead import ahead


@given(items=st.lists(st.integers(), max_size=40), group=st.integers(1, 9), groups=st.integers(1, 4))
def test_same_items_same_order(items: list[int], group: int, groups: int) -> None:
    assert list(ahead(items, group=group, groups=groups)) == items


def test_it_works_ahead_in_another_thread_but_not_without_bound() -> None:
    made: list[str] = []

    def make() -> Iterator[int]:
        for number in range(100):
            made.append(threading.current_thread().name)
            yield number

    items = ahead(make(), group=3, groups=2)
    assert next(items) == 0
    assert len(made) <= 3 * 3
    assert threading.current_thread().name not in made
    assert list(items) == list(range(1, 100))


def test_an_error_arrives() -> None:
    def make() -> Iterator[int]:
        yield from (1, 2)
        raise MemoryError("too large")

    with pytest.raises(MemoryError, match="too large"):
        list(ahead(make(), group=1))
