"""A chat model that stops where the budget of its question ends."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

from agentvid.errors import BudgetSpent
from agentvid.models.base import ChatModel, Reply, Shape, reply_aloud
from agentvid.models.deadline import within
from agentvid.tools.base import Ledger

#: Bytes of UTF-8 a token: about right for English, and too many tokens rather than too few for most other languages.
_BYTES_PER_TOKEN = 4


class BudgetedChat:
    """Asks `chat` only if the question's ledger has something left, and waits no longer than its seconds.

    A prompt that alone would break the limit of tokens is not sent. It does not count: who asks does that, by the
    `Usage` of a plan or a draft, or by `Ledger.count`.
    """

    def __init__(self, chat: ChatModel, ledger: Ledger) -> None:
        self._chat = chat
        self._ledger = ledger
        self.speaks: bool = getattr(chat, "speaks", False)

    @property
    def name(self) -> str:
        return self._chat.name

    def reply(
        self, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Reply:
        """Raises BudgetSpent, and ModelError when the provider fails."""
        if reason := self._ledger.spent():
            raise BudgetSpent(reason)
        needed = estimated_tokens(system) + estimated_tokens(user)
        needed += estimated_tokens(json.dumps(shape.schema)) if shape else 0
        left = self._ledger.left("tokens")
        if needed > left:
            raise BudgetSpent(
                f"the next prompt has about {needed} tokens and {left:g} of the budget of "
                f"{self._ledger.budget.tokens} tokens are left"
            )
        seconds = self._ledger.left("seconds")

        is_waited_for = True

        def told(text: str) -> None:
            if tell and is_waited_for:
                tell(text)

        def ask() -> Reply:
            return reply_aloud(self._chat, system, user, shape, tell=told if tell else None)

        try:
            # A thread of its own only for a model that may take longer than what is left, or than somebody waits.
            is_in_time = seconds >= getattr(self._chat, "timeout_seconds", math.inf) and self._ledger.cancel is None
            reply = ask() if is_in_time else within(seconds, ask, is_over=self._ledger.is_interrupted)
        except TimeoutError:
            reason = self._ledger.spent() or f"the budget of {self._ledger.budget.seconds:g} seconds is spent"
            raise BudgetSpent(reason) from None
        finally:
            is_waited_for = False
        if reply.input_tokens or reply.output_tokens:
            return reply
        # A provider that tells no numbers must not make the limit of tokens void.
        return replace(reply, input_tokens=needed, output_tokens=estimated_tokens(reply.text))


def estimated_tokens(text: str) -> int:
    """About how many tokens a model makes of `text`."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
