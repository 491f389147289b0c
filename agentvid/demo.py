"""`make demo`: render or take a video, index it, ask about it. It runs the commands that a user would type."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from agentvid.cli.output import note, print_text
from agentvid.media.render import Scene, render_video

FOLDER = Path(".demo")
QUESTIONS = (
    "What does the barge bring?",
    "When does the slide show the opening day?",
)

_SCENES = (
    Scene(9.0, (28, 52, 84), title="The tide mill of Thornham", lines=("Restoration report", "Harbour Trust")),
    Scene(11.0, (244, 240, 228), title="Budget", lines=("Oak timber  18,400", "Limestone  7,250", "Crane hire  2,900")),
    Scene(10.0, (96, 140, 176), motion="right"),
    Scene(9.0, (52, 84, 44), motion="pan"),
    Scene(11.0, (244, 240, 228), title="Opening day: 14 June", lines=("Grinding from 11:00", "Free entry")),
)
_SUBTITLES = (
    (0.5, 4.2, "Welcome. This is the tide mill of Thornham,"),
    (4.2, 8.6, "and this is how we brought it back to work."),
    (9.4, 13.5, "Oak timber was the largest part of the budget."),
    (13.5, 19.4, "The limestone came from the old quarry nearby."),
    (20.6, 25.0, "Here the barge brings the new water wheel"),
    (25.0, 29.6, "across the harbour, at high tide."),
    (30.4, 38.4, "The meadow behind the mill floods twice a day."),
    (39.6, 44.0, "We open on the fourteenth of June."),
    (44.0, 49.5, "Come and watch the stones grind at eleven."),
)


def main() -> int:
    """Exit code of the first command that failed, else 0; an answer that abstains is not a failure."""
    parser = argparse.ArgumentParser(prog="python -m agentvid.demo", description=__doc__)
    parser.add_argument("--video", type=Path, help="your own video instead of the rendered one")
    parser.add_argument("--question", action="append", help="your own question; may repeat")
    arguments = parser.parse_args()

    video = arguments.video or _render()
    questions = arguments.question or (QUESTIONS if arguments.video is None else ["What is this video about?"])
    library = FOLDER / ("library" if arguments.video is None else "library-own")
    indexed = _run("--library", str(library), "index", str(video))
    if indexed:
        return indexed
    codes = [_run("--library", str(library), "ask", question, "--video", str(video)) for question in questions]
    return next((code for code in codes if code not in (0, 3)), 0)


def _render() -> Path:
    FOLDER.mkdir(exist_ok=True)
    video = FOLDER / "tide-mill.mp4"
    if not video.exists():
        note(f"rendering {video}: five scenes with slides, motion and subtitles")
        render_video(video, _SCENES, subtitles=_SUBTITLES, audio="tone", burn_time=False, title="The tide mill")
    return video


def _run(*arguments: str) -> int:
    print_text(f"\n$ agentvid {shlex.join(arguments)}")
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "agentvid", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
