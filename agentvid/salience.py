"""Which texts tell most, chosen without a model: what summaries, digests and prompts are made of."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence

from agentvid.words import content_words

#: A word that is asked for counts as much as so many others.
_ASKED = 5.0


def most_telling(texts: Sequence[str], most: int, about: str = "") -> list[int]:
    """Positions, ascending, of at most `most` texts that together hold most of what all of them say.

    Every content word counts once, by how often it is said, and more if `about` has it; the text that adds most for its
    length is taken next. Greedy choice is within 1 - 1/e of the best for such a measure (Lin and Bilmes, ACL 2011).
    """
    held = [frozenset(content_words(text)) for text in texts]
    asked = set(content_words(about))
    counts = Counter(word for words in held for word in words)
    weights = {word: (1 + math.log(count)) * (_ASKED if word in asked else 1) for word, count in counts.items()}
    covered: set[str] = set()

    def gain(at: int) -> float:
        return sum(weights[word] for word in held[at] - covered) / math.sqrt(max(1, len(held[at])))

    # What a text adds only shrinks as others are taken: its old value is an upper bound, looked at again when it leads.
    queue = [(-gain(at), at) for at in range(len(texts))]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < most:
        _, at = heapq.heappop(queue)
        now = gain(at)
        if queue and (-now, at) > queue[0]:
            heapq.heappush(queue, (-now, at))
        elif now > 0 or not chosen:
            chosen.append(at)
            covered |= held[at]
    return sorted(chosen)
