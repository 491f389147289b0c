"""What the examples share: their command line, and for `--scripted` a small library and a model that follows a script.

python examples/with_langchain.py --scripted
python examples/with_langchain.py --library films --model openai:NAME "When does the train arrive?"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from agentvid import AgentvidError, Library, Settings
from agentvid.models.scripted_agent import ScriptedAgent
from agentvid.models.scripted_server import ScriptedServer

QUESTION = "Where is the Calvin cycle explained?"
TALK = [(0, "Welcome to this lecture about photosynthesis."), (30, "The Calvin cycle fixes carbon dioxide into sugar.")]


def main(answer: Callable[[Library, str, str], str], *, scripted_model: str = "gpt-4o-mini") -> None:
    """`answer` takes the library, the question and the model's name; what it returns is printed."""
    parser = argparse.ArgumentParser(description="Ask an agent that has the tools of agentvid.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--library", help="its directory; that of the settings if not given")
    parser.add_argument("--model", help="the name that this framework has for it", default=scripted_model)
    parser.add_argument("--scripted", action="store_true", help="offline: a small library and a scripted model")
    options = parser.parse_args()
    try:
        if options.scripted:
            print(_scripted(answer, scripted_model))
        else:
            with Library.open(options.library, create=False) as library:
                print(answer(library, options.question, options.model))
    except AgentvidError as error:
        sys.exit(f"{error}; {error.hint}")
    except ModuleNotFoundError as error:
        sys.exit(f"{error}; docs/frameworks.md says what each framework needs")


def _scripted(answer: Callable[[Library, str, str], str], model: str) -> str:
    """The question put to a server on this machine's loopback, which calls `search_moments` and tells what it found."""
    script = ScriptedAgent([("search_moments", {"query": QUESTION, "k": 1})])
    with tempfile.TemporaryDirectory() as folder, ScriptedServer(script) as server:
        os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "none"}
        with Library.open(folder, settings=Settings(library=Path(folder), embed=False)) as library:  # words are enough
            rows = [{"start": start, "end": start + 6, "text": text} for start, text in TALK]
            talk = {"video": "talk.mp4", "duration": 60, "track": "speech"}
            library.import_file([json.dumps({**talk, **row}).encode() for row in rows])
            return answer(library, QUESTION, model)
