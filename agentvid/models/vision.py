"""Models that look at images: any chat model of LangChain's that takes them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from agentvid.egress import OPEN, Outlet
from agentvid.models.base import Picture, Reply, encodable
from agentvid.models.chat import LangChainChat


class LangChainVision:
    """A chat model named "provider:model" that is sent pictures as LangChain's standard image blocks.

    Each provider's package turns a block into its own form, for OpenAI a `data:` address. Whether the model takes
    images shows at the first call: its provider refuses them in its own words.
    """

    def __init__(self, name: str, *, timeout_seconds: float = 60.0, outlet: Outlet = OPEN) -> None:
        """Opens the client; nothing is sent yet. Raises as `LangChainChat`."""
        self._chat = LangChainChat(name, timeout_seconds=timeout_seconds, outlet=outlet)

    @property
    def name(self) -> str:
        return self._chat.name

    @property
    def revision(self) -> str:
        return ""

    def look(self, system: str, parts: Sequence[str | Picture]) -> Reply:
        """The answer to texts and pictures in this order. Raises ModelError as `LangChainChat.reply`."""
        return self._chat.send(system, [_block(part) for part in parts])


def _block(part: str | Picture) -> dict[Any, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": encodable(part)}
    return {"type": "image", "base64": base64.b64encode(part.data).decode("ascii"), "mime_type": part.media_type}
