"""Hears the claims out of a JSON reply while a model is still writing it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_OPENING = re.compile(r'"text"\s*:\s*"')
#: What may be the beginning of an opening is kept until more of it comes.
_LONGEST_OPENING = 40
#: Whole characters of a JSON string; the rest of an escape or of a surrogate pair that is cut in two is waited for.
_CHARACTERS = re.compile(
    r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+"
)


class ClaimWords:
    """Called with pieces of a reply in their order, tells the words of its claims: the strings named "text"."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = ""
        self._is_in_claim = False
        self._claims = 0

    def __call__(self, piece: str) -> None:
        self._rest += piece
        while self._says() if self._is_in_claim else self._opens():
            pass

    def _opens(self) -> bool:
        """Go on to where the next claim begins; False if there is none yet."""
        found = _OPENING.search(self._rest)
        if not found:
            self._rest = self._rest[-_LONGEST_OPENING:]
            return False
        self._rest = self._rest[found.end() :]
        self._is_in_claim = True
        if self._claims:
            self._tell(" ")
        self._claims += 1
        return True

    def _says(self) -> bool:
        """Tell what there is of the claim; False if its end is still to come."""
        if found := _CHARACTERS.match(self._rest):
            self._rest = self._rest[found.end() :]
            self._tell(json.loads(f'"{found.group()}"'))
        if not self._rest.startswith('"'):
            return False
        self._is_in_claim = False
        return True
