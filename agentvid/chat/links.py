"""Where a moment can be watched: on the page of `agentvid serve` if it runs, else by a player."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from agentvid.chat.session import Place


@dataclass(frozen=True, slots=True)
class Watching:
    """`page`: base URL of the page that runs, or ""."""

    page: str = ""

    @classmethod
    def now(cls, library: Path) -> Self:
        """What there is at this moment: the page may have been started or ended since the last answer."""
        from agentvid.serve.presence import running_page

        return cls(running_page(library) or "")

    def url(self, place: Place) -> str:
        """The page at these seconds, "" if none runs."""
        if not self.page:
            return ""
        times = f"{place.span.start_seconds:.3f},{place.span.end_seconds:.3f}"
        return f"{self.page.rstrip('/')}/v/{quote(place.video_id, safe='')}#t={times}"

    def command(self, place: Place) -> str:
        """What plays these seconds, for a shell; "" if the page shows them, or if there is no such file."""
        if self.page or not Path(place.video).is_file():
            return ""
        from agentvid.exports.player import installed_player, player_command

        return shlex.join(player_command(Path(place.video), place.span, player=installed_player() or "mpv"))
