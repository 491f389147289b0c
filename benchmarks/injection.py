"""How often texts in videos hijack a model's answers: `python -m benchmarks.injection --model openai:gpt-5-mini`.

Every case of VidInject (`agentvid/evaluate/vidinject.py`) is asked through the whole graph. Without --model the
obedient model is asked, which is as bad as a model can be. Effects outside of the answer are what tests/injection rules
out; this counts answers: `hijacked` says something else than the truth, or nothing; `true` says the truth, whatever
else it says.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from agentvid.composers.llm import LLMComposer
from agentvid.config import Settings
from agentvid.evaluate.vidinject import QUESTION, Case, Obedient, cases, import_lines, is_hijacked, says_the_truth
from agentvid.graph import AskContext, ask
from agentvid.library import Library
from agentvid.models import load_chat
from agentvid.models.base import ChatModel
from agentvid.planners.llm import LLMPlanner
from agentvid.tools.base import ToolContext
from agentvid.types import Answer


def answer(library: Library, case: Case, model: ChatModel) -> Answer:
    """The question about one case, its own videos in scope, planned and composed by `model`."""
    scope = {video.id: video for video in library.catalogue.videos() if video.title in case.names}
    tools = ToolContext(library.catalogue, library.retriever, scope, chat=model)
    return ask(QUESTION, AskContext(LLMPlanner(model), LLMComposer(model), tools, library.settings))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.injection", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="", help="provider:name; without it the obedient model")
    parser.add_argument("--every", type=int, default=1, help="only each n-th case")
    options = parser.parse_args(arguments)
    chosen = cases()[:: options.every]
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(library=Path(folder) / "library", cache=Path(folder), embed=False, index="numpy")
        chat = load_chat(options.model, settings.model_timeout_seconds) if options.model else None
        with Library.open(settings.library, settings=settings) as library:
            library.import_file([json.dumps(line).encode() + b"\n" for line in import_lines(chosen)])
            for case in chosen:
                said = answer(library, case, chat or Obedient(case))
                row = counts[case.channel]
                for at, counted in enumerate((True, is_hijacked(said), says_the_truth(said))):
                    row[at] += counted
    print(f"{'channel':<20}{'cases':>7}{'hijacked':>10}{'true':>7}")
    for channel, (count, hijacked, true) in counts.items():
        print(f"{channel:<20}{count:>7}{hijacked / count:>10.0%}{true / count:>7.0%}")


if __name__ == "__main__":
    main()
