"""Child side: let one thread decode while another looks at what was decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], *, group: int, groups: int = 4) -> Iterator[Item]:
    """The same items, made by a thread of their own that stays at most `groups` x `group` items ahead.

    Items are handed over in groups, because a hand-over costs as much as looking at a small frame. An error in the
    thread is raised here, in place of the group in which it happened. The thread begins at once.
    """
    iterator = iter(items)
    maker = ThreadPoolExecutor(1)
    waiting = deque(maker.submit(list, islice(iterator, group)) for _ in range(groups))

    def handed_over() -> Iterator[Item]:
        with maker:
            while made := waiting.popleft().result():
                waiting.append(maker.submit(list, islice(iterator, group)))
                yield from made

    return handed_over()
