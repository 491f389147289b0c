"""`python -m benchmarks [NAME ...]`: the speed and size bars, all or those named."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import (
    agent_loop,
    exact_frames,
    first_event,
    growth,
    hybrid,
    index_overhead,
    mcp_search,
    memory,
    overlap,
    page_server,
    search_scale,
    shot_speed,
    shots,
    start_up,
)

BENCHMARKS = {
    "index": index_overhead.run,
    "frames": exact_frames.run,
    "start": start_up.run,
    "first_event": first_event.run,
    "memory": memory.run,
    "overlap": overlap.run,
    "growth": growth.run,
    "shots": shots.run,
    "shot_speed": shot_speed.run,
    "search": search_scale.run,
    "hybrid": hybrid.run,
    "agent": agent_loop.run,
    "mcp": mcp_search.run,
    "page": page_server.run,
}


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"unknown benchmark {', '.join(sorted(unknown))}; allowed: {', '.join(BENCHMARKS)}")
    # An installed package has its byte code; in a checkout the first, unmeasured run of each command writes it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    for name in wanted:
        for line in BENCHMARKS[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
