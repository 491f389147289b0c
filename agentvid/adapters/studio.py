"""Asking as a graph of its own: for LangGraph Studio, which `langgraph.json` points here, and as a node of yours.

graph.add_node("video", ask_graph(library))     # the state has "question", and gets "answer"
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import (
    TypedDict,
)  # Studio's form is a schema by pydantic, which wants this one before Python 3.12

from agentvid.config import load_settings
from agentvid.graph import build_graph
from agentvid.library import Library
from agentvid.types import Answer, Json

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph


class Question(TypedDict, total=False):
    """What the graph takes: all of it but `question` may be left out."""

    question: str
    videos: list[str]
    choices: list[str]


class Answered(TypedDict):
    """What the graph returns: the answer as `agentvid ask --json` prints it."""

    answer: Json


class AskVideo(Question, Answered, total=False):
    """Both."""


def ask_graph(library: Library | None = None) -> CompiledStateGraph[AskVideo, None, Question, Answered]:
    """A compiled graph of one node, `ask`, whose events are those of `Library.stream`.

    Without a library that of the setting `library` (AGENTVID_LIBRARY). Running it raises as `Library.ask`, and NotFound
    if there is no library.
    """

    nodes = build_graph()

    def ask(state: Question) -> Any:
        _ = nodes  # what `stream` runs: LangGraph finds it here and draws it
        opened = library or _library(load_settings().settings.library)
        write = get_stream_writer()
        for event in opened.stream(state["question"], videos=state.get("videos", []), choices=state.get("choices", [])):
            if isinstance(event, Answer):
                return {"answer": event.to_json()}
            write(event)
        raise AssertionError("a stream ends with its answer")

    graph = StateGraph(AskVideo, input_schema=Question, output_schema=Answered)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    return graph.compile(name="agentvid")


@lru_cache(maxsize=1)
def _library(directory: Path) -> Library:
    return Library.open(directory, create=False)


#: What langgraph.json names.
graph = ask_graph()
