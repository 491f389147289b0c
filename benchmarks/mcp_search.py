"""What MCP costs a search: `search_moments` over a warm session in this process, beside `Library.search`.

    python -m benchmarks.mcp_search [--clips N] [--no-embed]

The session is the SDK's own client and our server, with every message made and checked as on a wire but without one.
Both answer the same queries of a text library, with the same k.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from mcp import Client

from agentvid import Library, Settings
from agentvid.adapters.mcp import make_server
from benchmarks.ratio import CONTROL_TOLERANCE, Ratio, measure
from benchmarks.start_up import made_up_rows

BAR, BAR_SECONDS = 1.2, 0.005
_CLIPS, _K = 5_000, 10
QUERIES = (
    "a red boat in the harbour",
    "who repairs the bridge at night",
    "the old violin",
    "storm over the garden",
    "where is the ladder kept",
    "a window of the market",
    "engine noise",
    "the crane lifts a boat",
)


def run(clips: int = _CLIPS, *, embed: bool = True) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(embed=embed)
        with Library.open(Path(folder) / "library", settings=settings) as library:
            library.import_file(line.encode() for line in made_up_rows(clips))
            for mode in ("legacy", "auto"):
                yield _line(_measured(library, mode), clips, mode, is_embedded=embed)


def _measured(library: Library, mode: str) -> Ratio:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(make_server(library), mode=mode)) as client,
    ):

        def over_mcp() -> None:
            for query in QUERIES:
                found: Any = portal.call(client.call_tool, "search_moments", {"query": query, "k": _K})
                assert not found.is_error, found.content
                assert found.structured_content["moments"]

        def in_python() -> None:
            for query in QUERIES:
                assert library.search(query, k=_K)

        return measure("MCP search_moments / Library.search", BAR, over_mcp, in_python, pairs=21)


def _line(found: Ratio, clips: int, mode: str, *, is_embedded: bool) -> str:
    ours, peer = found.ours_seconds / len(QUERIES), found.peer_seconds / len(QUERIES)
    bar = BAR * peer + BAR_SECONDS
    verdict = "met" if found.high * peer <= bar else "NOT met"
    if abs(found.control - 1.0) > CONTROL_TOLERANCE:
        verdict = "void (noisy)"
    how = "words and meaning" if is_embedded else "words"
    return (
        f"{found.name}, {mode} session, {clips} clips by {how}: {1000 * ours:.2f} ms and {1000 * peer:.2f} ms a query, "
        f"{found.median:.3f} [{found.low:.3f}, {found.high:.3f}] bar {BAR:g} x + {1000 * BAR_SECONDS:g} ms = "
        f"{1000 * bar:.2f} ms -> {verdict}  (control {found.control:.3f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=_CLIPS)
    parser.add_argument("--no-embed", action="store_true", help="search by words only")
    options = parser.parse_args()
    for line in run(options.clips, embed=not options.no_embed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
