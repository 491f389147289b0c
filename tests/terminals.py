"""What was written to a pseudo-terminal, whether or not the kernel tells that its other end was closed."""

from __future__ import annotations

import os

#: Written to the terminal after everything else.
END = b"\0the end\0"


def read_to_end(descriptor: int) -> bytes:
    """All that the other side of a pseudo-terminal gets before `END`."""
    got = b""
    while not got.endswith(END):
        got += os.read(descriptor, 65_536)
    return got.removesuffix(END)
