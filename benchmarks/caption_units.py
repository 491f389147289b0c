"""How long the units of captions are in your videos: `python -m benchmarks.caption_units VIDEO...`"""

from __future__ import annotations

import sys
from pathlib import Path

from agentvid import media
from agentvid.errors import MediaError
from agentvid.perceive.caption_units import UnitFinder


def units_of(path: Path) -> tuple[int, float]:
    """(units, seconds) of one file."""
    finder, count = UnitFinder(8), 0
    with media.scan(path, text_frames=False, key_frames=True) as scan:
        for batch in scan:
            count += len([*finder.read(batch.key_frames)])
        count += len([*finder.finish(scan.duration_seconds)])
        return count, scan.duration_seconds


def main(names: list[str]) -> None:
    total, whole = 0, 0.0
    for name in names:
        try:
            units, seconds = units_of(Path(name))
        except MediaError as error:
            print(f"{name}: {error}")
            continue
        print(f"{Path(name).name}: {seconds:.0f} s, {units} units of {seconds / units:.1f} s")
        total, whole = total + units, whole + seconds
    if total:
        print(f"all: {whole:.0f} s, {total} units of {whole / total:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
